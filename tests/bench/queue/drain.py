"""How fast two workers empty a queue of no-op jobs, and what that costs the servers."""

import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

from django.conf import settings
from django.db import connection
from redis import Redis

from tests.bench.queue.contestant import Contestant
from tests.bench.queue.scoreboard import board
from tests.bench.table import Row, Table
from tests.waiting import wait_for

#: How often to look whether the jobs have begun; the scoreboard is memory of this process.
LOOK_SECONDS = 0.002

#: Ours and pgqueuer's, in turn.
ROUNDS = 3
JOBS = 30_000


@dataclass(frozen=True)
class Entry:
    """A way of a queue to drain, with so many jobs that it takes a few seconds."""

    name: str
    module: str
    mode: str
    jobs: int
    forks: bool = False


OURS = Entry("ours", "ours", "light", JOBS)
#: By the driver that is ours too; the one beside it speaks PostgreSQL's binary protocol from C.
PGQUEUER = Entry("pgqueuer (batch 50, psycopg)", "pgqueuer", "psycopg", JOBS)
OTHERS = (
    Entry("pgqueuer (batch 50, asyncpg)", "pgqueuer", "asyncpg", JOBS),
    Entry("rq, forking", "rq", "forking", 300, forks=True),
    Entry("rq, SimpleWorker", "rq", "simple", 2_000),
    Entry("Celery, prefork", "celery", "prefork", 4_000),
    Entry("Celery, solo", "celery", "solo", 8_000),
    Entry("Dramatiq, threads", "dramatiq", "threads", 10_000),
    Entry("huey, processes", "huey", "processes", 10_000),
    Entry("Procrastinate", "procrastinate", "async", 3_000),
)


@dataclass
class Drain:
    """One drain: its speed, and for ours what each job cost."""

    per_second: float
    redis_commands: float = 0.0
    commits: float = 0.0


def bench_drain(table: Table) -> None:
    with Contestant("ours") as ours, Contestant("pgqueuer") as pgqueuer:
        pairs = [(drained(ours, OURS), drained(pgqueuer, PGQUEUER)) for _ in range(ROUNDS)]
    speed = median(mine.per_second for mine, _ in pairs)
    theirs = median(other.per_second for _, other in pairs)
    table.add(Row(f"drain, / {PGQUEUER.name}", speed, theirs, "jobs/s", 1.2, False))
    commands = 1000 * median(mine.redis_commands for mine, _ in pairs)
    commits = 1000 * median(mine.commits for mine, _ in pairs)
    table.add(Row("drain, Redis commands", commands, 200.0, "per 1,000 jobs", 1.0))
    table.add(Row("drain, commits", commits, 100.0, "per 1,000 jobs", 1.0))
    for entry in OTHERS:
        with Contestant(entry.module) as peer:
            other = median(drained(peer, entry).per_second for _ in range(ROUNDS))
        table.add(Row(f"drain, / {entry.name}", speed, other, "jobs/s", is_less_better=False))


def drained(contestant: Contestant, entry: Entry) -> Drain:
    """Enqueue jobs behind the backs of two workers that are ready, and time how they do them.

    The clock runs from the moment the workers, stopped until then, may go on, to the one at
    which the queue itself says that every job is done.
    """
    contestant.ask("prepare")
    with contestant.working(entry.mode, greeting="greet", forks=entry.forks) as crew:
        crew.pause()
        first = board().reserve(entry.jobs)
        contestant.ask("enqueue", "noop", first, entry.jobs)
        meter = Meter()
        started = time.perf_counter()
        crew.resume()
        wait_until_begun(first, entry.jobs)
        looks = 1
        while contestant.ask("left"):
            looks += 1
        seconds = time.perf_counter() - started
        commands = meter.redis_commands()
    drain = Drain(entry.jobs / seconds)
    if entry is OURS:
        drain.redis_commands = commands / entry.jobs
        drain.commits = (meter.commits() - looks) / entry.jobs
    sys.stderr.write(f"{entry.name}: {drain.per_second:.0f} jobs/s\n")
    return drain


def wait_until_begun(first: int, count: int, *, seconds: float = 300.0) -> None:
    """Return when every one of these jobs has begun; AssertionError when one never does."""
    deadline = time.monotonic() + seconds
    for number in range(first, first + count):
        while not board().started(number):
            assert time.monotonic() < deadline, f"job {number - first} of {count} did not begin"
            time.sleep(LOOK_SECONDS)


class Meter:
    """What our installation has asked of its servers since this was made."""

    def __init__(self) -> None:
        self._redis = Redis.from_url(settings.REDIS_URL)
        self._commits = _committed()
        self._commands = self._executed()

    def redis_commands(self) -> int:
        """Return the number of commands, without this question."""
        return self._executed() - self._commands - 1

    def commits(self) -> int:
        """Return the number of transactions, once the workers have ended.

        A backend reports what it has done at the latest when it ends. The two that stay are
        the driver's and ours.
        """
        wait_for(lambda: _count(_BACKENDS) <= 2, every=0.1)
        return _committed() - self._commits

    def _executed(self) -> int:
        statistics: dict[str, Any] = self._redis.info("stats")
        return int(statistics["total_commands_processed"])


_BACKENDS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
"""
_COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"


def _committed() -> int:
    return _count(_COMMITS)


def _count(query: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    return int(row[0]) if row else 0
