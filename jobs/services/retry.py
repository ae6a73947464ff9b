"""When failed work is tried again."""

import random
from collections.abc import Callable
from dataclasses import dataclass

#: Far beyond any cap; more of them would not fit a float.
MAX_DOUBLINGS = 60


@dataclass(frozen=True)
class RetryHandler:
    """Exponential backoff with full jitter: random(0, min(cap, base * 2 ** (attempt - 1))).

    Source of the formula: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture
    Blog, 2015 ("full jitter").
    """

    base_seconds: float = 2.0
    cap_seconds: float = 300.0

    def delay_seconds(
        self,
        attempt: int,
        *,
        retry_after_seconds: float | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> float:
        """Return how long to wait after failed ``attempt`` (from 1); Retry-After wins."""
        if retry_after_seconds is not None:
            return max(retry_after_seconds, 0.0)
        doublings = min(attempt - 1, MAX_DOUBLINGS)
        return jitter() * min(self.cap_seconds, self.base_seconds * 2.0**doublings)
