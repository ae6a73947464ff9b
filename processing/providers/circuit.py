"""When to stop asking somebody who fails, and when to ask again.

``scripts.ASK``, ``scripts.REPORT`` and ``scripts.TRIP`` do the same for all workers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class CircuitStatus(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(StrEnum):
    """How a call ended: ``UNKNOWN`` says nothing of who was called."""

    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CircuitPolicy:
    """A circuit opens when of ``minimum_calls`` or more such a share has failed lately.

    Lately is ``window_seconds`` at most, and half of that at least: calls are counted in two
    buckets in turn. It stays open for ``backoff_seconds``, twice as long after each probe that
    fails, ``max_backoff_seconds`` at most. A probe that has not ended after ``probe_seconds`` is
    given up; that should be more than a call may take.
    """

    minimum_calls: int = 5
    failure_rate: float = 0.5
    window_seconds: float = 60.0
    backoff_seconds: float = 5.0
    max_backoff_seconds: float = 300.0
    probe_seconds: float = 120.0


@dataclass(slots=True)
class Circuit:
    """The fields of a circuit as the scripts have them; times are seconds here.

    It is open until ``open_until``, half-open from then on, and closed when there is none.
    """

    open_until: float = 0.0
    openings: int = 0
    probe: str = ""
    probe_until: float = 0.0
    bucket: int = 0
    calls: int = 0
    failures: int = 0
    calls_before: int = 0
    failures_before: int = 0

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Self:
        """Return the circuit that Redis has, whose times are microseconds."""
        counts = ("openings", "bucket", "calls", "failures", "calls_before", "failures_before")
        return cls(
            open_until=float(fields.get("open_until", 0)) / 1e6,
            probe=fields.get("probe", ""),
            probe_until=float(fields.get("probe_until", 0)) / 1e6,
            **{name: int(fields.get(name, 0)) for name in counts},
        )

    def status(self, *, now: float) -> CircuitStatus:
        if not self.open_until:
            return CircuitStatus.CLOSED
        return CircuitStatus.OPEN if now < self.open_until else CircuitStatus.HALF_OPEN

    def ask(self, token: str, policy: CircuitPolicy, *, now: float) -> tuple[float, bool]:
        """Return how long to wait, 0 for none, and whether the caller is the probe."""
        if not self.open_until:
            return 0.0, False
        if now < self.open_until:
            return self.open_until - now, False
        if now < self.probe_until:
            return min(self.probe_until - now, policy.backoff_seconds), False
        self.probe, self.probe_until = token, now + policy.probe_seconds
        return 0.0, True

    def report(self, token: str, outcome: Outcome, policy: CircuitPolicy, *, now: float) -> str:
        """Count how a call ended; return "opened", "closed", or "" when it stays as it was.

        While it is open only its probe counts.
        """
        if self.open_until:
            return self._report_probe(token, outcome, policy, now) if token == self.probe else ""
        if outcome is Outcome.UNKNOWN:
            return ""
        self._turn(policy, now)
        self.calls += 1
        if outcome is Outcome.SUCCESS:
            return ""
        self.failures += 1
        calls, failures = self.lately(policy, now=now)
        if calls < policy.minimum_calls or failures < calls * policy.failure_rate:
            return ""
        return self._open(1, policy, now)

    def lately(self, policy: CircuitPolicy, *, now: float) -> tuple[int, int]:
        """Return how many calls were counted in the window, and how many of them failed."""
        self._turn(policy, now)
        return self.calls + self.calls_before, self.failures + self.failures_before

    def trip(self, seconds: float, *, now: float) -> None:
        """Open it for so long, whatever it was."""
        self._become(Circuit(open_until=now + seconds))

    def reset(self) -> None:
        """Close it and forget everything."""
        self._become(Circuit())

    def _report_probe(self, token: str, outcome: Outcome, policy: CircuitPolicy, now: float) -> str:
        if outcome is Outcome.SUCCESS:
            self.reset()
            return "closed"
        if outcome is Outcome.FAILURE:
            return self._open(self.openings + 1, policy, now)
        self.probe, self.probe_until = "", 0.0
        return ""

    def _open(self, openings: int, policy: CircuitPolicy, now: float) -> str:
        seconds = min(policy.max_backoff_seconds, policy.backoff_seconds * 2.0 ** (openings - 1))
        self._become(Circuit(open_until=now + seconds, openings=openings))
        return "opened"

    def _turn(self, policy: CircuitPolicy, now: float) -> None:
        bucket = int(now // (policy.window_seconds / 2))
        if bucket == self.bucket:
            return
        if bucket == self.bucket + 1:
            self.calls_before, self.failures_before = self.calls, self.failures
        else:
            self.calls_before, self.failures_before = 0, 0
        self.bucket, self.calls, self.failures = bucket, 0, 0

    def _become(self, other: "Circuit") -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))
