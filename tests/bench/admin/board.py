"""How long the Board takes, of a busy installation that has done a lot before."""

import time
from datetime import timedelta

import psutil
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from jobs import handlers
from monitoring.catalogue import DEFINITIONS
from monitoring.managers import Sample
from monitoring.models import Metric
from processing.models import Membership
from tests.bench.admin.staff import Staff
from tests.bench.api.rows import Corpus, address
from tests.bench.api.web import web_server
from tests.bench.percentiles import percentile
from tests.bench.table import Row, Table
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import ChunkTaskFactory, ProcessingTaskFactory

#: What the Board may take of a server, at least 95 times of 100.
LIMIT_MS = 100.0

#: More wait on one queue than are counted.
WAITING = 50_000

WORKERS, RUNS, CHUNKS_OF_A_RUN, FAILURES = 16, 8, 40, 50

#: Each page is asked for so often.
WARMING_UP, ASKED = 5, 60

SAMPLED_MINUTES = 24 * 60

#: Jobs that wait, as old as their number is low.
_WAIT = """
INSERT INTO processing_jobs (
    id, queue_name, status, available_at, due_by, job_type, payload, workspace_id, created_at
)
SELECT md5('waiting' || n)::uuid, 'transcription', 'QUEUED', at, at + interval '5 minutes',
    'TRANSCRIPTION', '{}', %s, at
FROM generate_series(1, %s) AS n,
    LATERAL (SELECT now() - n * interval '10 ms') AS moment (at)
"""


def bench_board(table: Table, corpus: Corpus, rows: int) -> None:
    make_busy(corpus)
    operator = User.objects.create_superuser("operator")
    member = User.objects.create_user("member", is_staff=True)
    Membership.objects.create(user=member, workspace_id=corpus.workspace_id, role="EDITOR")
    with web_server(address(), DATABASE_POOL="true") as port:
        for who, user in (("an operator", operator), ("a member", member)):
            staff = Staff(port, user)
            first = _taken_ms(staff)
            before = _cpu_ms()
            fragment, page = (_times_ms(staff, path) for path in ("/admin/board/", "/admin/"))
            taken = (_cpu_ms() - before) / (2 * (WARMING_UP + ASKED))
            table.add(Row(f"processor of the web process, an answer to {who}", taken, 0.0, "ms"))
            staff.close()
            for what, times in (("what changes", fragment), ("the page", page)):
                for name, share in (("p95", 0.95), ("median", 0.5)):
                    figure = f"{what} for {who}, {rows:,} jobs, {name}"
                    taken = percentile(times, share)
                    table.add(Row(figure, taken, LIMIT_MS, "ms", 1.0 if share > 0.9 else None))
            table.add(Row(f"the first answer to {who}", first, LIMIT_MS, "ms"))


def make_busy(corpus: Corpus) -> None:
    """Have work wait, be done and fail, and a day of samples behind it."""
    queues = list(handlers.queue_names())
    workers = WorkerFactory.create_batch(
        WORKERS, queues=queues, heartbeat_at=timezone.now() + timedelta(hours=1)
    )
    for _ in range(RUNS):
        run = ProcessingTaskFactory.create(
            processing=True,
            total_chunks=2 * CHUNKS_OF_A_RUN,
            total_samples=3_600 * 16_000,
            transcript__recording__workspace_id=corpus.workspace_id,
        )
        for index in range(CHUNKS_OF_A_RUN):
            status = {"claimed": True} if index < WORKERS // RUNS else {"completed": True}
            ChunkTaskFactory.create(
                processing=run, index=index, worker=workers[index % WORKERS], **status
            )
    JobFactory.create_batch(
        FAILURES, failed=True, job_type="INDEXING", workspace_id=corpus.workspace_id
    )
    with connection.cursor() as cursor:
        cursor.execute(_WAIT, [corpus.workspace_id, WAITING])
    now = timezone.now()
    for minute in range(SAMPLED_MINUTES):
        Metric.objects.record_minute(now - timedelta(minutes=minute), _samples(queues, minute))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def _samples(queues: list[str], minute: int) -> list[Sample]:
    values = {"queue": queues, "level": ["L1", "L2", "L3"], "engine": ["sphinx", "whisper"]}
    return [
        Sample(definition.name, float(minute % 60), {definition.label: value} if value else {})
        for definition in DEFINITIONS.values()
        for value in values.get(definition.label, [""])
    ]


def _cpu_ms() -> float:
    """Return how long the processes that this one has started have had a processor."""
    times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return 1000 * sum(each.user + each.system for each in times)


def _times_ms(staff: Staff, path: str) -> list[float]:
    return [_taken_ms(staff, path) for _ in range(WARMING_UP + ASKED)][WARMING_UP:]


def _taken_ms(staff: Staff, path: str = "/admin/board/") -> float:
    began = time.perf_counter()
    staff.get(path)
    return 1000 * (time.perf_counter() - began)
