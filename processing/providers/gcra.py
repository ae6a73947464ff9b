"""The generic cell rate algorithm, in several dimensions at once.

Each dimension has an arrival: the moment at which all that was admitted would have been used up at
the rate of the limit. Who comes adds its cost to it, and is admitted when it is then no more than
the burst ahead of the clock. So in any stretch of time ``t`` no more than ``burst + t * rate`` is
admitted (ITU-T I.371, appendix I, the virtual scheduling form). ``scripts.ADMIT`` and
``scripts.NOTE`` do the same for all workers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

#: Where a pause of all dimensions is noted, and what is waited for then.
PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Charge:
    """What a call costs in one dimension, of which there are ``limit`` in a ``period``.

    ``limit`` is 0 where there is none: then only pauses matter. A cost above the ``burst`` is
    admitted when all before it is used up. Times are microseconds.
    """

    dimension: str
    cost: float
    limit: float
    period: float
    burst: float


@dataclass(frozen=True, slots=True)
class Note:
    """What a provider said of a dimension: a pause, and a limit with how long to believe it."""

    dimension: str
    pause: float = 0.0
    limit: float = 0.0
    limit_life: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """How things stand in one dimension: the rate that holds, and how much of the burst is used."""

    limit: float
    burst: float
    used: float
    paused: float


@dataclass(slots=True)
class Meter:
    """What is known of all dimensions, under the names that the scripts use.

    ``share`` is how many of these there are for one limit, which each has an equal part of.
    """

    state: dict[str, float] = field(default_factory=dict)

    def admit(self, charges: Iterable[Charge], *, now: float, share: int = 1) -> tuple[float, str]:
        """Return how long to wait and for what; 0 when admitted, in all dimensions or in none."""
        waits = [(self._left(PAUSE, now), PAUSE)]
        arrivals = {}
        for charge in charges:
            name = charge.dimension
            waits.append((self._left(name, now), name))
            if charge.limit:
                limit, burst = self._rate(charge, now, share)
                interval = charge.period / limit
                arrival = max(self.state.get(name, 0.0), now) + charge.cost * interval
                arrivals[name] = arrival
                waits.append((arrival - max(burst, charge.cost) * interval - now, name))
        wait, reason = max(waits, key=lambda one: one[0])
        if wait > 0:
            return wait, reason
        self.state.update(arrivals)
        return 0.0, ""

    def note(self, notes: Iterable[Note], *, now: float) -> None:
        """Pause until the later of two moments, and believe the last limit."""
        for note in notes:
            paused = f"{note.dimension}:paused"
            if note.pause:
                self.state[paused] = max(self.state.get(paused, 0.0), now + note.pause)
            if note.limit:
                self.state[f"{note.dimension}:limit"] = note.limit
                self.state[f"{note.dimension}:limit_until"] = now + note.limit_life

    def usage(self, charge: Charge, *, now: float, share: int = 1) -> Usage:
        """Return how things stand in the dimension of ``charge``, whatever that costs."""
        paused = self._left(charge.dimension, now)
        if not charge.limit:
            return Usage(0.0, 0.0, 0.0, paused)
        limit, burst = self._rate(charge, now, share)
        ahead = max(self.state.get(charge.dimension, 0.0) - now, 0.0)
        return Usage(limit, burst, ahead * limit / charge.period, paused)

    def paused(self, *, now: float) -> float:
        """Return how long all dimensions are paused."""
        return self._left(PAUSE, now)

    def _left(self, name: str, now: float) -> float:
        return max(self.state.get(f"{name}:paused", 0.0) - now, 0.0)

    def _rate(self, charge: Charge, now: float, share: int) -> tuple[float, float]:
        """Return the limit and the burst that hold."""
        limit, burst = charge.limit, charge.burst
        learned = self.state.get(f"{charge.dimension}:limit", limit)
        if learned < limit and self.state[f"{charge.dimension}:limit_until"] > now:
            burst, limit = max(1.0, burst * learned / limit), learned
        return limit / share, max(1.0, burst / share)
