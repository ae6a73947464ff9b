"""Every list of jobs that may be asked for reads about as many rows as it shows.

What is looked for is the oldest there is, so that whoever looks through all jobs, newest first,
is found out.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from jobs.api.ordering import Place, Sort
from jobs.api.totals import EXACT_LIMIT
from jobs.models import Job
from processing.models import Membership, Workspace
from tests.plans.filling import emptied, filling
from tests.queries import queries_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("many_jobs")]

JOBS = "/api/v1/jobs/"
ADMIN = reverse("admin:jobs_job_changelist")

ROW_COUNT = 1_000_000
READY_COUNT = 2_000
#: All that has not ended.
ACTIVE_COUNT = READY_COUNT + 50 + 50 + 16
GIVEN_UP_COUNT = 1_000

RARE_WORKSPACE = UUID(int=1)
#: A fifth of all jobs, and none of the newer ones.
OLD_WORKSPACE = UUID(int=4)
COMMON_WORKSPACE = UUID(int=2)
RARE_SUBJECT = UUID(int=3)
OWNER_ID = 1_000_000

#: The most that a page of 20 reads: 21 rows for each of two values, and each of these in full.
PAGE_ROWS = 2 * 2 * 21

FILL = """
INSERT INTO processing_jobs (
    id, queue_name, status, job_type, payload, priority, attempt, max_attempts, crash_count,
    available_at, due_by, created_at, started_at, lease_expires_at, completed_at,
    workspace_id, subject_id, created_by_id
)
SELECT
    lpad(n::text, 32, '0')::uuid, 'transcription', status,
    CASE WHEN n BETWEEN 2401 AND 2430 THEN 'RETIRED' WHEN n %% 50 = 0 THEN 'MERGE'
        ELSE 'TRANSCRIPTION' END,
    '{}', CASE WHEN n %% 1000 = 7 THEN 4 ELSE 2 END, 0, 3, 0,
    at, at + interval '5 minutes', at, at,
    CASE WHEN status = 'PROCESSING' THEN now() + (n - 4110) * interval '1 minute' END,
    CASE WHEN status IN ('COMPLETED', 'FAILED', 'CANCELLED') THEN at + interval '1 minute' END,
    CASE WHEN n BETWEEN 2501 AND 2530 THEN %(rare_workspace)s
        WHEN n <= %(count)s / 5 THEN %(old_workspace)s ELSE %(common_workspace)s END::uuid,
    CASE WHEN n BETWEEN 2701 AND 2710 THEN %(rare_subject)s::uuid
        ELSE lpad(n::text, 32, 'a')::uuid END,
    CASE WHEN n BETWEEN 2601 AND 2630 THEN %(owner_id)s END
FROM (
    SELECT
        n, now() - (%(count)s - n) * interval '1 second' AS at,
        CASE
            WHEN n <= 2000 AND n %% 2 = 0 THEN 'FAILED'
            WHEN n <= 2000 THEN 'CANCELLED'
            WHEN n <= 2050 THEN 'SCHEDULED'
            WHEN n <= 2100 THEN 'BLOCKED'
            WHEN n <= 4100 THEN 'QUEUED'
            WHEN n <= 4116 THEN 'PROCESSING'
            ELSE 'COMPLETED'
        END AS status
    FROM generate_series(1, %(count)s) AS n
) AS row
"""


@pytest.fixture(scope="module")
def many_jobs(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A table as it is after a while; made once, because no test here changes it."""
    tables = ("job_dependencies", "processing_jobs")
    with django_db_blocker.unblock():
        owner = User.objects.create(pk=OWNER_ID, username="owner")
        parameters: dict[str, Any] = {
            "count": ROW_COUNT,
            "rare_workspace": RARE_WORKSPACE,
            "old_workspace": OLD_WORKSPACE,
            "common_workspace": COMMON_WORKSPACE,
            "rare_subject": RARE_SUBJECT,
            "owner_id": OWNER_ID,
        }
        with filling(*tables) as cursor:
            cursor.execute(FILL, parameters)
    try:
        yield
    finally:
        with django_db_blocker.unblock():
            emptied(*tables)
            owner.delete()


@pytest.fixture
def api(admin_user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(admin_user)
    return client


def rows_read(sql: str) -> int:
    """Run a query and return how many rows of tables and indexes it looked at.

    A bitmap counts twice: it reads its index, and then the rows.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}".replace("%", "%%"), [])
        [[[document]]] = cursor.fetchall()
    count, waiting = 0.0, [document["Plan"]]
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", [])
        if "Relation Name" in node or "Index Name" in node:
            removed = node.get("Rows Removed by Filter", 0)
            removed += node.get("Rows Removed by Index Recheck", 0)
            count += (node["Actual Rows"] + removed) * node["Actual Loops"]
    return round(count)


def reads_of_jobs(queries: list[str]) -> list[int]:
    """Return how many rows each query of jobs looks at, but for looks whether there is one."""
    selects = [sql for sql in queries if sql.startswith("SELECT") and "processing_jobs" in sql]
    return [rows_read(sql) for sql in selects if not sql.startswith("SELECT 1 ")]


def reads_of(api: APIClient, query: dict[str, Any]) -> list[int]:
    """Return how many rows the queries of a list look at: those of the page, then of the total."""
    responses = []
    queries = queries_of(lambda: responses.append(api.get(JOBS, query)))
    assert responses[0].status_code == 200, responses[0].json()
    return reads_of_jobs(queries)


IN_ORDER: list[dict[str, Any]] = [
    {},
    {"sort_order": "asc"},
    {"status": "FAILED"},
    {"status": "CANCELLED", "sort_order": "asc"},
    {"status": ["FAILED", "CANCELLED"]},
    {"status": "QUEUED"},
    {"status": "QUEUED", "sort_order": "asc"},
    {"status": "SCHEDULED"},
    {"status": "BLOCKED"},
    {"status": "PROCESSING"},
    {"status": ["QUEUED", "FAILED"]},
    {"is_ready": "true"},
    {"is_ready": "true", "queue_name": "transcription"},
    {"is_stalled": "true"},
    {"is_stalled": "false"},
    {"job_type": "MERGE"},
    {"job_type": "RETIRED"},
    {"job_type": ["RETIRED", "MERGE"]},
    {"workspace_id": RARE_WORKSPACE},
    {"workspace_id": COMMON_WORKSPACE},
    {"workspace_id": OLD_WORKSPACE},
    {"subject_id": RARE_SUBJECT},
    {"created_by": OWNER_ID},
    {"is_ready": "true", "queue_name": "transcription", "sort_by": "due_by", "sort_order": "asc"},
    {"is_ready": "true", "queue_name": "transcription", "sort_by": "due_by"},
]


def named(query: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in query.items()) or "all"


@pytest.mark.parametrize("query", IN_ORDER, ids=named)
def test_a_page_reads_no_more_rows_than_it_shows(api: APIClient, query: dict[str, Any]) -> None:
    page, *_ = reads_of(api, query)

    assert page <= PAGE_ROWS


@pytest.mark.parametrize("query", IN_ORDER, ids=named)
def test_a_cursor_page_reads_no_more_rows_than_it_shows(
    api: APIClient, query: dict[str, Any]
) -> None:
    middle = Job.objects.order_by("created_at")[ROW_COUNT // 2]
    field: Any = Job._meta.get_field(query.get("sort_by", "created_at"))
    sort = Sort(field, is_descending=query.get("sort_order") != "asc")
    place = Place.beside(middle, sort, is_before=False)

    reads = reads_of(api, {**query, "cursor": place.cursor(sort)})

    assert sum(reads) <= PAGE_ROWS


def test_completed_jobs_are_found_among_all_because_most_jobs_are(api: APIClient) -> None:
    page, *_ = reads_of(api, {"status": "COMPLETED"})

    assert page <= PAGE_ROWS


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"status": "FAILED", "priority": 4}, id="failed by priority"),
        pytest.param({"status": "QUEUED", "priority": 4}, id="queued by priority"),
        pytest.param({"status": "FAILED", "queue_name": "transcription"}, id="failed by queue"),
        pytest.param({"subject_id": RARE_SUBJECT, "min_priority": 2}, id="subject by priority"),
    ],
)
def test_filter_without_an_index_costs_what_the_other_one_finds(
    api: APIClient, query: dict[str, Any]
) -> None:
    assert max(reads_of(api, query)) <= 2 * READY_COUNT


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ({"status": "FAILED"}, GIVEN_UP_COUNT),
        ({"status": ["FAILED", "CANCELLED"]}, 2 * GIVEN_UP_COUNT),
        ({"status": "QUEUED"}, READY_COUNT),
        ({"job_type": "RETIRED"}, 30),
        ({"job_type": "MERGE"}, 20_000),
        ({"workspace_id": RARE_WORKSPACE}, 30),
        ({"created_by": OWNER_ID}, 30),
    ],
    ids=str,
)
def test_total_of_a_filter_is_exact_and_reads_what_it_counts(
    api: APIClient, query: dict[str, Any], total: int
) -> None:
    body = api.get(JOBS, query).json()
    _, *counts = reads_of(api, query)

    assert (body["total"], body["total_is_estimate"]) == (total, False)
    assert sum(counts) <= 2 * total + 1


def test_total_of_everything_is_estimated_and_says_so(api: APIClient) -> None:
    body = api.get(JOBS).json()
    _, *counts = reads_of(api, {})

    assert body["total_is_estimate"]
    assert body["total"] == pytest.approx(ROW_COUNT, rel=0.05)
    assert sum(counts) <= EXACT_LIMIT + 1


def test_statistics_read_what_is_active_and_what_ended_within_the_window(api: APIClient) -> None:
    reads = reads_of_jobs(queries_of(lambda: api.get(f"{JOBS}stats/", {"window_seconds": 600})))

    assert len(reads) == 5
    assert sum(reads) <= 2 * (ACTIVE_COUNT + 700)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({}, id="all"),
        pytest.param({"status__exact": "FAILED"}, id="status"),
        pytest.param({"job_type": "RETIRED"}, id="type"),
        pytest.param({"ready_on": "transcription"}, id="ready"),
        pytest.param({"q": str(RARE_SUBJECT)}, id="subject"),
        pytest.param({"q": str(UUID(int=9))}, id="nothing"),
        pytest.param({"o": "6"}, id="oldest first"),
    ],
)
def test_list_of_the_admin_reads_about_as_many_rows_as_it_shows(
    admin_client: Client, query: dict[str, str]
) -> None:
    admin_client.get(ADMIN)

    queries = queries_of(lambda: admin_client.get(ADMIN, query))

    *_, page = reads_of_jobs(queries)
    assert page <= 2 * ACTIVE_COUNT
    assert max(reads_of_jobs(queries)) <= EXACT_LIMIT + 1


@pytest.mark.parametrize("is_operator", [True, False], ids=["operator", "member"])
def test_board_reads_what_waits_what_is_held_and_what_failed_last(
    client: Client, is_operator: bool
) -> None:
    user = User.objects.create_user("staff", is_staff=True, is_superuser=is_operator)
    workspace = Workspace.objects.create(pk=OLD_WORKSPACE, slug="old")
    Membership.objects.create(user=user, workspace=workspace)
    client.force_login(user)
    client.get(reverse("admin:board"))

    queries = queries_of(lambda: client.get(reverse("admin:board")))

    reads = [rows_read(sql) for sql in queries if "processing_jobs" in sql]
    assert 0 < sum(reads) <= (READY_COUNT if is_operator else 0) + 300
