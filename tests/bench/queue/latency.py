"""How long after being enqueued a job begins, when both workers have nothing to do."""

import sys
from dataclasses import dataclass

from tests.bench.percentiles import percentile
from tests.bench.queue.contestant import Contestant
from tests.bench.queue.drain import wait_until_begun
from tests.bench.queue.scoreboard import board
from tests.bench.table import Row, Table

PER_SECOND = 40.0
JOBS = 800
P50_MS = 6.0
P99_MS = 15.0


@dataclass(frozen=True)
class Latency:
    """From just before the call that enqueues to the first line of the task, in ms."""

    p50: float
    p99: float


def bench_latency(table: Table) -> None:
    with Contestant("ours") as ours:
        mine = measured(ours, "light")
    table.add(Row("enqueue to start, p50", mine.p50, P50_MS, "ms", 1.0))
    table.add(Row("enqueue to start, p99", mine.p99, P99_MS, "ms", 1.0))
    with Contestant("rq") as rq:
        for name, mode, forks in (("SimpleWorker", "simple", False), ("forking", "forking", True)):
            theirs = measured(rq, mode, forks=forks)
            table.add(Row(f"enqueue to start, p50, / rq, {name}", mine.p50, theirs.p50, "ms"))
            table.add(Row(f"enqueue to start, p99, / rq, {name}", mine.p99, theirs.p99, "ms"))


def measured(contestant: Contestant, mode: str, *, forks: bool = False) -> Latency:
    """Enqueue jobs at a steady rate and return how late they begin."""
    contestant.ask("prepare")
    with contestant.working(mode, greeting="greet", forks=forks):
        first = board().reserve(JOBS)
        contestant.ask("pace", "noop", first, JOBS, PER_SECOND)
        wait_until_begun(first, JOBS)
    late = [board().started(n) - board().sent(n) for n in range(first, first + JOBS)]
    latency = Latency(percentile(late, 0.50) * 1000, percentile(late, 0.99) * 1000)
    sys.stderr.write(f"{contestant.module} {mode}: p50 {latency.p50:.1f}, p99 {latency.p99:.1f}\n")
    return latency
