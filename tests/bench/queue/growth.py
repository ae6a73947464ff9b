"""What a claim takes as the table of jobs grows, and as it ages.

Each table is in a database of its own and they are measured claim by claim in turn, so that
whatever else the machine does at the time happens to all of them.
"""

import socket
import sys
import time
from statistics import median
from typing import Self
from uuid import uuid4

import psycopg
from django.core.management import call_command
from django.db import connection, connections

from config import embedded
from jobs.models import Job, Worker
from tests.bench.percentiles import percentile
from tests.bench.queue.apps import LIGHT, job_type
from tests.bench.table import Row, Table

#: Rows in the tables, of which so many are ready.
SIZES = (1_000, 100_000, 5_000_000)
READY = 1_000

#: Jobs that go through a table to age it, and how many at once.
AGED_BY = 1_000_000
BATCH = 1_000

#: So many claims of each table, so many times; the median of the percentiles counts.
ROUNDS = 3
CLAIMS = 300

#: How far apart the best and the worst may be.
SPREAD = 1.5

#: Rows that are loaded at once.
STEP = 500_000

_READY = """
    INSERT INTO processing_jobs (id, queue_name, job_type, payload, workspace_id, subject_id)
    SELECT gen_random_uuid(), %s, %s, '{"number": 0}',
           md5((i %% 50)::text)::uuid, gen_random_uuid()
    FROM generate_series(1, %s) AS i
"""

#: What a queue leaves behind in a month: nearly all of it completed, one in 33 given up.
_OVER = """
    INSERT INTO processing_jobs (
        id, queue_name, job_type, payload, workspace_id, subject_id,
        status, attempt, created_at, available_at, due_by, started_at, completed_at
    )
    SELECT gen_random_uuid(), %s, %s, '{"number": 0}',
           md5((i %% 50)::text)::uuid, gen_random_uuid(),
           CASE WHEN i %% 50 = 0 THEN 'FAILED' WHEN i %% 100 = 1 THEN 'CANCELLED'
                ELSE 'COMPLETED' END,
           1, moment, moment, moment, moment + interval '1 second', moment + interval '2 seconds'
    FROM generate_series(1, %s) AS i,
         LATERAL (SELECT now() - interval '30 days' * random() AS moment)
"""


class Place:
    """A table of jobs in a database of its own, a worker there, and the one connection to it.

    Enter it to have this be the database that Django knows; its code is used as it is.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        with psycopg.connect(embedded.database_url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE bench_{name}")
        original = connections["default"]
        self._connection = type(original)(
            original.settings_dict | {"NAME": f"bench_{name}"}, "default"
        )
        with self:
            call_command("migrate", verbosity=0)
            self.worker = Worker.objects.create(
                supervisor_id=uuid4(), hostname=socket.gethostname(), queues=[LIGHT]
            )

    def __enter__(self) -> Self:
        self._original = connections["default"]
        connections["default"] = self._connection
        return self

    def __exit__(self, *_: object) -> None:
        connections["default"] = self._original

    def claim(self, limit: int = 1) -> list[Job]:
        return Job.objects.claim(queue_name=LIGHT, worker=self.worker, limit=limit)

    def grow(self, size: int) -> None:
        """Fill the table up to ``size`` rows with jobs that are over."""
        for loaded in range(READY, size, STEP):
            _insert(_OVER, min(size - loaded, STEP))
            sys.stderr.write(f"{min(loaded + STEP, size):,} of {size:,} rows are loaded\n")
        # what autovacuum does within minutes, done before the clock runs instead of meanwhile
        _execute("VACUUM (ANALYZE) processing_jobs")

    def age(self, count: int) -> None:
        """Take jobs through their life, with ``READY`` others waiting behind them."""
        for done in range(0, count, BATCH):
            _make_ready(READY + BATCH)
            _complete(self.claim(BATCH))
            if done % (count // 10) == 0:
                sys.stderr.write(f"{done:,} of {count:,} jobs have gone through\n")


def bench_growth(table: Table) -> None:
    places = [Place(f"size_{size}") for size in SIZES]
    for size, place in zip(SIZES, places, strict=True):
        with place:
            place.grow(size)
    with Place("aged") as aged:
        aged.age(AGED_BY)
    *sizes, old = claim_p95s_ms([*places, aged])
    fresh = sizes[0]
    name = f"claim p95 at {SIZES[0]:,} to {SIZES[-1]:,} rows, worst / best"
    table.add(Row(name, max(sizes), min(sizes), "ms", SPREAD))
    table.add(Row(f"claim p95, after {AGED_BY:,} jobs / fresh", old, fresh, "ms", SPREAD))


def claim_p95s_ms(places: list[Place]) -> list[float]:
    """Return the 95th percentile of the time to claim one job at each place, in ms."""
    _execute("CHECKPOINT")  # a claim is not to wait for what was loaded before
    rounds = [_round(places) for _ in range(ROUNDS)]
    p95s = [median(column) for column in zip(*rounds, strict=True)]
    for place, p95 in zip(places, p95s, strict=True):
        sys.stderr.write(f"{place.name}: claim p95 {p95:.2f} ms\n")
    return p95s


def _round(places: list[Place]) -> list[float]:
    """Claim at each place in turn; return the 95th percentile of each, in ms."""
    seconds: list[list[float]] = [[] for _ in places]
    claimed: list[list[Job]] = [[] for _ in places]
    for place in places:
        with place:
            _make_ready(READY)
    for _ in range(CLAIMS):
        for index, place in enumerate(places):
            with place:
                started = time.perf_counter()
                claimed[index] += place.claim()
                seconds[index].append(time.perf_counter() - started)
    for place, jobs in zip(places, claimed, strict=True):
        with place:
            _complete(jobs)
    return [percentile(values, 0.95) * 1000 for values in seconds]


def _make_ready(count: int) -> None:
    """Have ``count`` jobs ready."""
    _insert(_READY, count - Job.objects.ready().count())


def _complete(claimed: list[Job]) -> None:
    assert len(Job.objects.complete_all(claimed)) == len(claimed)


def _insert(statement: str, count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [LIGHT, job_type("noop"), count])


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
