"""What runs all the time costs the same in a table of a million jobs as in a small one.

Each verb is run once to see its statements, undone, and its statements are then run again under
EXPLAIN ANALYZE: so what is measured is what the verbs send, updates included.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from jobs.choices import JobStatus
from jobs.managers.job import STATISTICS_WINDOW
from jobs.models import Job, Worker
from jobs.services.bulk import bulk_enqueue
from jobs.services.enqueueing import existing_job
from jobs.services.insertion import insert_dependencies
from jobs.services.requests import JobRequest
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.plans.filling import emptied, filling
from tests.queries import queries_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_million_jobs")]

QUEUE = "transcription"
READY, SCHEDULED, DUE, PROCESSING, STALLED, BLOCKED, EXPIRED = 1_000, 300, 100, 200, 50, 200, 60
HOLDER = UUID(int=1)
WORKSPACES = 20

#: Rows as they are after a while: what is active came last, all else is over.
MILLION = f"""
INSERT INTO processing_jobs (
    id, queue_name, status, job_type, payload, created_at, available_at, due_by, started_at,
    completed_at, lease_expires_at, expires_at, attempt, worker_id, workspace_id, subject_id,
    idempotency_key, unique_key
)
SELECT
    lpad(n::text, 32, '0')::uuid, '{QUEUE}', status, 'PROBE', '{{}}', created_at,
    CASE WHEN status <> 'SCHEDULED' THEN created_at
         WHEN n % 3 = 0 THEN now() - interval '1 minute'
         ELSE now() + interval '1 day' END,
    created_at + interval '5 minutes', created_at,
    CASE WHEN n > 1700 THEN created_at + interval '1 minute' END,
    CASE WHEN status = 'PROCESSING' THEN
         now() + CASE WHEN n % 4 = 0 THEN interval '-1 minute' ELSE interval '1 day' END END,
    CASE WHEN n <= {EXPIRED} THEN now() - interval '1 minute'
         WHEN n % 10 = 0 THEN now() + interval '1 day' END,
    1,
    CASE WHEN n % 10 = 0 THEN '{HOLDER}'::uuid END,
    lpad((n % {WORKSPACES})::text, 32, '0')::uuid,
    lpad(n::text, 32, '0')::uuid,
    CASE WHEN n % 2 = 0 THEN 'key ' || n END,
    CASE WHEN n % 5 = 0 THEN 'unique ' || n END
FROM (
    SELECT n, now() - n * interval '2 seconds' AS created_at,
        CASE WHEN n <= 1000 THEN 'QUEUED'
             WHEN n <= 1300 THEN 'SCHEDULED'
             WHEN n <= 1500 THEN 'PROCESSING'
             WHEN n <= 1700 THEN 'BLOCKED'
             WHEN n % 40 = 0 THEN 'FAILED'
             WHEN n % 41 = 0 THEN 'CANCELLED'
             ELSE 'COMPLETED' END AS status
    FROM generate_series(1, 1000000) AS n
) AS numbered
"""  # noqa: S608  our own names

#: Each blocked job follows one that runs, and many a job that is over had followed another.
EDGES = """
WITH numbered AS (SELECT id, right(subject_id::text, 12)::bigint AS n FROM processing_jobs)
INSERT INTO job_dependencies (job_id, depends_on_id)
SELECT job.id, other.id
FROM numbered AS job JOIN numbered AS other ON other.n = job.n - 200
WHERE job.n BETWEEN 1501 AND 1700 OR job.n BETWEEN 2000 AND 22000
"""


@pytest.fixture(scope="module")
def _million_jobs(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Committed once for this module, and emptied after it; takes some 7 seconds."""
    tables = ("job_dependencies", "processing_jobs")
    with django_db_blocker.unblock(), filling(*tables) as cursor:
        cursor.execute(MILLION)
        cursor.execute("ANALYZE processing_jobs")  # or who is joined may be taken for few
        cursor.execute(EDGES)
    yield
    with django_db_blocker.unblock():
        emptied(*tables)


@dataclass(frozen=True)
class Cost:
    """What statements read: from which indexes, how many rows of tables, how many pages."""

    indexes: frozenset[str]
    scans: frozenset[str]
    rows: int
    pages: int


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def cost_of(call: Callable[[], Any], *, only: str = "") -> Cost:
    """Return what the statements of ``call`` cost, or those of them that contain ``only``."""
    with undone():
        statements = queries_of(call)
    plans = []
    with undone(), connection.cursor() as cursor:
        for sql in statements:
            if sql.lstrip().startswith(("SELECT", "UPDATE", "WITH")) and only in sql:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
                [[[document]]] = cursor.fetchall()
                plans.append(document["Plan"])
    assert plans
    nodes = [node for plan in plans for node in nodes_of(plan)]
    tables = [node for node in nodes if node["Node Type"].endswith("Scan")]
    return Cost(
        indexes=frozenset(node["Index Name"] for node in nodes if "Index Name" in node),
        scans=frozenset(node["Node Type"] for node in tables if "Relation Name" in node),
        rows=round(sum(rows_read(node) for node in tables if "Relation Name" in node)),
        pages=sum(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans),
    )


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes_of(inner)


def rows_read(node: dict[str, Any]) -> float:
    """Return how many rows a scan looked at, used or not."""
    removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    used = node["Actual Rows"] + sum(node.get(name, 0) for name in removed)
    return float(used * node["Actual Loops"])


def by(*indexes: str) -> set[str]:
    """Return these indexes and that by status, which serves as well where few have a status."""
    return {*indexes, "job_status_idx"}


def read(queryset: Any) -> Callable[[], Any]:
    return lambda: list(queryset)


# Workers


@pytest.mark.parametrize("limit", [1, 50])
def test_a_claim_reads_the_head_of_the_ready_index_and_no_more_than_it_takes(limit: int) -> None:
    worker = WorkerFactory.create()

    cost = cost_of(lambda: Job.objects.claim(queue_name=QUEUE, worker=worker, limit=limit))

    assert cost.indexes == {"job_ready_idx", "processing_jobs_pkey"}
    assert cost.rows == 2 * limit  # found, and marked
    assert cost.pages < 60 * limit


def test_a_claim_of_an_empty_queue_reads_nothing() -> None:
    worker = WorkerFactory.create()

    cost = cost_of(lambda: Job.objects.claim(queue_name="empty", worker=worker, limit=50))

    assert cost.rows == 0
    assert cost.pages < 10


def test_a_look_whether_anything_is_ready_reads_one_row() -> None:
    cost = cost_of(lambda: Job.objects.ready().on_queue(QUEUE).exists())

    assert cost.rows == 1
    assert cost.pages < 10


def test_completing_a_job_reads_that_job_and_what_follows_it() -> None:
    [job] = Job.objects.filter(status="PROCESSING", subject_id=UUID(f"{1_400:032}"))

    cost = cost_of(lambda: Job.objects.complete(job))

    assert Job.objects.filter(depends_on=job, status="BLOCKED").count() == 1
    assert "Seq Scan" not in cost.scans
    assert cost.rows < 20


def test_completing_many_jobs_reads_those_jobs_and_what_follows_them() -> None:
    jobs = list(Job.objects.filter(status=JobStatus.PROCESSING)[:50])

    cost = cost_of(lambda: Job.objects.complete_all(jobs))

    assert "Seq Scan" not in cost.scans
    assert cost.rows < 20 * 50


def test_renewing_leases_reads_what_is_running() -> None:
    cost = cost_of(read(Job.objects.held_by([HOLDER])))

    assert cost.indexes <= by("job_leased_idx")
    assert cost.rows == PROCESSING


def test_the_loads_of_workers_are_read_from_what_is_running() -> None:
    WorkerFactory.create_batch(4)

    cost = cost_of(read(Worker.objects.live().with_load()), only="processing_jobs")

    assert cost.indexes & by("job_leased_idx")
    assert cost.rows < 6 * PROCESSING


# The sweep


def test_promoting_reads_what_is_scheduled() -> None:
    cost = cost_of(Job.objects.promote)

    assert cost.indexes <= by("job_scheduled_idx", "processing_jobs_pkey")
    assert cost.rows <= DUE + SCHEDULED  # found, and marked


def test_a_look_at_the_next_scheduled_job_reads_one_row() -> None:
    cost = cost_of(Job.objects.time_until_due)

    assert cost.indexes == {"job_scheduled_idx"}
    assert cost.rows == 1


def test_a_look_for_what_is_stalled_reads_that_alone() -> None:
    cost = cost_of(read(Job.objects.stalled()))

    assert cost.indexes <= by("job_leased_idx")
    assert cost.rows <= PROCESSING


def test_a_rescue_reads_what_is_running() -> None:
    cost = cost_of(lambda: Job.objects.stalled().rescue())

    assert cost.indexes <= by("job_leased_idx", "processing_jobs_pkey")
    assert cost.rows <= STALLED + PROCESSING


def test_expiring_reads_what_has_expired() -> None:
    cost = cost_of(Job.objects.expire)

    assert "Seq Scan" not in cost.scans
    assert cost.rows < 5 * EXPIRED + READY + SCHEDULED + BLOCKED


@pytest.mark.parametrize("limit", [1, 500])
def test_what_has_been_over_for_long_is_read_from_its_oldest_end(limit: int) -> None:
    month_ago = timezone.now() - timedelta(days=7)

    cost = cost_of(read(Job.objects.over_since(month_ago)[:limit]))

    assert cost.indexes == {"job_over_idx"}
    assert cost.rows == limit


def test_letting_some_jobs_go_reads_these_and_what_they_follow() -> None:
    some = Job.objects.filter(status=JobStatus.BLOCKED).values_list("pk", flat=True)[:5]
    blocked = Job.objects.filter(pk__in=list(some))

    cost = cost_of(blocked.unblock)

    assert "Seq Scan" not in cost.scans
    assert cost.rows < 6 * 5


def test_a_job_that_follows_thousands_is_kept_blocked_by_the_last_of_them() -> None:
    job = JobFactory.create(blocked=True)
    done = Job.objects.filter(status=JobStatus.COMPLETED).order_by("id")[:2000]
    last = JobFactory.create(processing=True)
    insert_dependencies(job.pk, [*done.values_list("pk", flat=True), last.pk])

    cost = cost_of(Job.objects.filter(pk=job.pk).unblock)

    assert cost.rows < 10


def test_cancelling_what_is_about_a_subject_reads_that_alone() -> None:
    cost = cost_of(Job.objects.about(UUID(f"{77:032}")).cancel)

    assert "job_subject_idx" in cost.indexes
    assert "Seq Scan" not in cost.scans
    assert cost.rows < 10


# Questions


@pytest.mark.parametrize("place", [1, 500, READY])
def test_a_position_reads_what_is_before_it(place: int) -> None:
    in_order = Job.objects.ready().on_queue(QUEUE).in_dispatch_order()
    job = in_order[place - 1]

    cost = cost_of(lambda: Job.objects.position(job))

    assert cost.indexes == {"job_ready_idx"}
    assert cost.rows == place


@pytest.mark.parametrize(
    ("status", "index", "count"),
    [
        (JobStatus.QUEUED, "job_ready_idx", READY),
        (JobStatus.SCHEDULED, "job_scheduled_idx", SCHEDULED),
        (JobStatus.PROCESSING, "job_leased_idx", PROCESSING),
        (JobStatus.BLOCKED, "job_status_idx", BLOCKED),
    ],
)
def test_statistics_count_what_is_active_by_its_index(
    status: JobStatus, index: str, count: int
) -> None:
    cost = cost_of(Job.objects.statistics, only=f"'{status}' GROUP BY")

    assert cost.indexes <= by(index)
    assert cost.rows == count


def test_statistics_read_nothing_that_ended_before_the_window() -> None:
    since = timezone.now() - STATISTICS_WINDOW
    in_window = Job.objects.filter(completed_at__gte=since).count()

    cost = cost_of(Job.objects.statistics, only="percentile_cont")

    assert cost.indexes == {"job_over_idx"}
    assert 0 < in_window < 200
    assert cost.rows == pytest.approx(in_window, abs=5)


# Keys


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param({"idempotency_key": "key 700000"}, id="idempotency"),
        pytest.param({"unique_key": "unique 500"}, id="unique"),
        pytest.param({"idempotency_key": "key 700000", "unique_key": "unique 500"}, id="both"),
        pytest.param({"idempotency_key": "new", "unique_key": "new"}, id="nobody's"),
    ],
)
def test_the_job_that_stands_in_the_way_is_found_by_its_key(keys: dict[str, str]) -> None:
    job = Job(workspace_id=UUID(int=0), **keys)

    cost = cost_of(lambda: existing_job(job))

    assert cost.indexes <= {"job_one_per_idempotency_key", "job_one_active_per_unique_key"}
    assert cost.scans <= {"Index Scan", "Bitmap Heap Scan"}
    assert cost.rows <= 2
    assert cost.pages < 20


@pytest.mark.parametrize("workspace_id", [UUID(int=0), None], ids=["workspace", "none"])
@pytest.mark.parametrize("key", ["idempotency_key", "unique_key"])
def test_the_jobs_that_stand_in_the_way_of_many_are_found_by_their_keys(
    key: str, workspace_id: UUID | None
) -> None:
    names = [f"{'key' if key == 'idempotency_key' else 'unique'} {20 * n}" for n in range(1, 501)]
    requests = [
        JobRequest("TRANSCRIPTION", workspace_id=workspace_id, **{key: name})  # type: ignore[arg-type]
        for name in names
    ]

    cost = cost_of(lambda: bulk_enqueue([*requests, *requests]), only="SELECT")

    assert cost.rows <= 2 * len(requests)
    assert cost.pages <= 10 * len(requests)
