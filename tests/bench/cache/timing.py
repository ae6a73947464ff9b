"""How long a call takes, beside other calls at the same time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

#: Does something so many times.
Batch = Callable[[int], object]

ROUNDS = 21
ROUND_SECONDS = 0.03


def microseconds(
    *batches: Batch, rounds: int = ROUNDS, round_seconds: float = ROUND_SECONDS
) -> list[float]:
    """Return the median of each in microseconds per call, in rounds of one after the other.

    Each has ``round_seconds`` in a round, or one call when they are 0.
    """
    counts = [_count(batch, round_seconds) for batch in batches]
    times = [
        [1e6 * seconds(batch, count) / count for batch, count in zip(batches, counts, strict=True)]
        for _ in range(rounds)
    ]
    return [median(side) for side in zip(*times, strict=True)]


def seconds(batch: Batch, count: int) -> float:
    """Return the seconds that ``count`` calls take."""
    started = time.perf_counter()
    batch(count)
    return time.perf_counter() - started


def calls(call: Callable[[], object]) -> Batch:
    """Return a batch of calls."""

    def batch(count: int) -> None:
        for _ in range(count):
            call()

    return batch


def awaits(call: Callable[[], Awaitable[object]], loop: asyncio.AbstractEventLoop) -> Batch:
    """Return a batch of awaited calls: one after the other, in one run of the event loop."""

    async def repeat(count: int) -> None:
        for _ in range(count):
            await call()

    return lambda count: loop.run_until_complete(repeat(count))


def _count(batch: Batch, round_seconds: float) -> int:
    """Return how many calls take at least ``round_seconds``."""
    count = 1
    while seconds(batch, count) < round_seconds:
        count *= 2
    return count
