"""200 tasks out and everything back in: what a queue adds to bare Python doing the same."""

import asyncio
import multiprocessing
import sys
import time
from collections.abc import Callable
from statistics import median

from tests.bench.queue.contestant import Contestant
from tests.bench.queue.scoreboard import board
from tests.bench.queue.tasks import NAP_SECONDS, spin
from tests.bench.table import Row, Table

TASKS = 200
NAPS_AT_ONCE = 20

#: Ours and bare Python, in turn.
ROUNDS = 5


def bench_fan_out(table: Table) -> None:
    spins = compared("cpu", "spin", pool_seconds)
    table.add(Row("200 tasks of 20 ms CPU, / Pool(2)", *spins, "s", 1.10))
    naps = compared("naps", "nap", asyncio_seconds)
    table.add(Row("200 sleeps of 100 ms, 20 at once, / asyncio", *naps, "s", 1.10))
    for name, module, mode, forks in (
        ("rq, SimpleWorker", "rq", "simple", False),
        ("rq, forking", "rq", "forking", True),
        ("Celery, prefork", "celery", "cpu", False),
    ):
        theirs = gathered(module, mode, "spin", forks=forks)
        table.add(Row(f"200 tasks of 20 ms CPU, / {name}", spins[0], theirs, "s"))
    for name, module, mode in (
        ("Celery, threads", "celery", "threads"),
        ("pgqueuer", "pgqueuer", "naps"),
    ):
        theirs = gathered(module, mode, "nap")
        table.add(Row(f"200 sleeps of 100 ms, 20 at once, / {name}", naps[0], theirs, "s"))


def compared(mode: str, task: str, bare: Callable[[], float]) -> tuple[float, float]:
    """Return the median seconds of ours and of bare Python, measured in turn."""
    with Contestant("ours") as ours:
        ours.ask("prepare")
        with ours.working(mode, greeting=task):
            pairs = []
            for _ in range(ROUNDS):
                pairs.append((gather(ours, task), bare()))
                sys.stderr.write(f"{task}: ours {pairs[-1][0]:.2f} s, bare {pairs[-1][1]:.2f} s\n")
    mine, theirs = (median(side) for side in zip(*pairs, strict=True))
    return mine, theirs


def gathered(module: str, mode: str, task: str, *, forks: bool = False) -> float:
    """Return the median seconds of a peer."""
    with Contestant(module) as peer:
        peer.ask("prepare")
        with peer.working(mode, greeting=task, forks=forks):
            return median(gather(peer, task) for _ in range(3))


def gather(contestant: Contestant, task: str) -> float:
    """Return the seconds from enqueueing the first task to knowing that the last is done."""
    first = board().reserve(TASKS + 1)  # one more for a job that ours adds to fan in
    seconds: float = contestant.ask("gather", task, first, TASKS)
    return seconds


def pool_seconds() -> float:
    """Return the seconds a bare pool of two processes takes, once it is there."""
    first = board().reserve(TASKS)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(abs, range(2), chunksize=1)
        started = time.perf_counter()
        pool.map(spin, range(first, first + TASKS), chunksize=1)
        return time.perf_counter() - started


def asyncio_seconds() -> float:
    """Return the seconds a bare event loop takes."""
    return asyncio.run(_naps())


async def _naps() -> float:
    semaphore = asyncio.Semaphore(NAPS_AT_ONCE)

    async def nap() -> None:
        async with semaphore:
            await asyncio.sleep(NAP_SECONDS)

    started = time.perf_counter()
    await asyncio.gather(*(nap() for _ in range(TASKS)))
    return time.perf_counter() - started
