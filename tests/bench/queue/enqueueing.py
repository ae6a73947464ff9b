"""How fast jobs are enqueued: many at once, and one by one."""

import sys
from statistics import median

from tests.bench.queue.contestant import Contestant
from tests.bench.queue.scoreboard import board
from tests.bench.table import Row, Table

#: Both sides in turn, and one round before that nobody counts.
ROUNDS = 7
BULK = 10_000
SINGLES = 400


def bench_enqueueing(table: Table) -> None:
    with (
        Contestant("ours") as ours,
        Contestant("pgqueuer_psycopg") as psycopg,
        Contestant("pgqueuer") as asyncpg,
    ):
        rounds = [(_bulk(ours), _bulk(psycopg), _bulk(asyncpg)) for _ in range(ROUNDS + 1)]
        mine, theirs, binary = (median(side) for side in zip(*rounds[1:], strict=True))
        name = "enqueue 10,000 in bulk, / pgqueuer"
        table.add(Row(f"{name} (psycopg)", mine, theirs, "jobs/s", 1.2, False))
        table.add(Row(f"{name} (asyncpg)", mine, binary, "jobs/s", is_less_better=False))
        ours.ask("prepare")
        pairs = [
            (
                SINGLES / ours.ask("enqueue_bursts", SINGLES),
                SINGLES / ours.ask("save_bursts", SINGLES),
            )
            for _ in range(ROUNDS + 1)
        ]
        mine, theirs = (median(side) for side in zip(*pairs[1:], strict=True))
        table.add(Row("enqueue one by one, / save() and RPUSH", mine, theirs, "jobs/s", 0.9, False))


def _bulk(contestant: Contestant) -> float:
    contestant.ask("prepare")
    seconds: float = contestant.ask("enqueue", "noop", board().reserve(BULK), BULK)
    sys.stderr.write(f"{contestant.module}: {BULK / seconds:.0f} jobs/s\n")
    return BULK / seconds
