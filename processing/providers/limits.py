"""What a provider allows, and how much of it is used."""

import math
from dataclasses import dataclass

from processing.providers.gcra import Charge

SECOND_US = 1_000_000.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What a provider allows all workers together; None for no limit.

    ``burst_seconds`` is how much may be had at once, after a quiet time: what the rate gives in
    so many seconds, but at least 1, and always a whole call. A limit of 3000 requests per minute
    lets 50 go at once and then 50 a second. It is short because many providers count in windows
    much shorter than the minute they name, and because in any minute there may be a burst more
    than the limit.
    """

    requests_per_minute: float | None = None
    audio_seconds_per_hour: float | None = None
    tokens_per_minute: float | None = None
    concurrency: int | None = None
    burst_seconds: float = 1.0

    def __post_init__(self) -> None:
        limits = [limit for limit, _ in self.rates().values()]
        if any(limit is not None and limit <= 0 for limit in (*limits, self.concurrency)):
            raise ValueError("a limit is above 0, or None for no limit")

    def rates(self) -> dict[str, tuple[float | None, float]]:
        """Return the limit of each dimension but concurrency, and its period in seconds."""
        return {
            "requests": (self.requests_per_minute, 60),
            "audio_seconds": (self.audio_seconds_per_hour, 3600),
            "tokens": (self.tokens_per_minute, 60),
        }

    def charge(self, dimension: str, cost: float) -> Charge:
        """Return what a call costs; ValueError for what can never be admitted."""
        limit, period = self.rates()[dimension]
        if not 0 <= cost <= (limit or math.inf):
            raise ValueError(f"a call costs {cost:g} {dimension} where {limit or 0:g} are allowed")
        burst = max(1.0, (limit or 0) * self.burst_seconds / period)
        return Charge(dimension, cost, limit or 0, period * SECOND_US, burst)

    @property
    def is_none(self) -> bool:
        return self.concurrency is None and all(one is None for one, _ in self.rates().values())


@dataclass(frozen=True, slots=True)
class DimensionState:
    """How things stand in one dimension.

    ``limit`` is what holds now, per period; None for none. ``used`` and ``remaining`` are of what
    may be had at once: of the burst, or of the slots.
    """

    dimension: str
    limit: float | None
    used: float
    remaining: float | None
    paused_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class LimiterState:
    """How things stand; not ``is_shared`` when it is this process's own share, without Redis."""

    dimensions: tuple[DimensionState, ...]
    paused_seconds: float
    is_shared: bool
