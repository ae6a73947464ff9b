"""Listing, enqueueing, cancelling and retrying jobs from outside."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from rest_framework.test import APIClient

from jobs import handlers
from jobs.api.serializers import MAX_RELATED
from jobs.choices import ACTIVE, TERMINAL, JobPriority, JobStatus
from jobs.exceptions import InvalidPayload, NotRequeueable
from jobs.handlers import JobHandler
from jobs.models import Job, JobDependency
from processing.choices import ProcessingStatus
from tests.api.test_recordings import assert_problem
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import ChunkTaskFactory, ProcessingTaskFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

JOBS = "/api/v1/jobs/"
BULK = f"{JOBS}bulk/"
STATS = f"{JOBS}stats/"
NOBODY = UUID(int=0)


def do_nothing(job: Job) -> None:
    """Be done with any job."""


def even_number(payload: dict[str, Any]) -> dict[str, Any]:
    """Return only the number of a payload; it is to be even."""
    number = payload.get("number", 0)
    if number % 2:
        raise InvalidPayload(f"{number} is not even")
    return {"number": number}


def never_again(job: Job) -> None:
    raise NotRequeueable("ask for another one instead")


@pytest.fixture(autouse=True)
def _handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two more types of job: PROBE, which programs may enqueue, and ONCE, done once or never."""
    monkeypatch.setattr(handlers, "_handlers", dict(handlers._handlers))
    monkeypatch.setattr(handlers, "_sources", dict(handlers._sources))
    handlers.register_job(JobHandler("PROBE", "maintenance", do_nothing, validate=even_number))
    handlers.register_job(JobHandler("ONCE", "maintenance", do_nothing, requeued=never_again))


@pytest.fixture
def staff() -> User:
    return User.objects.create_user("staff", is_staff=True)


@pytest.fixture
def client_of_staff(staff: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(staff)
    return client


def in_status(status: JobStatus, **fields: Any) -> Job:
    trait = {} if status == JobStatus.QUEUED else {status.lower(): True}
    return JobFactory.create(**trait, **fields)


def detail(api: APIClient, job: Job) -> dict[str, Any]:
    body: dict[str, Any] = api.get(f"{JOBS}{job.pk}/").json()
    return body


def listed(api: APIClient, **query: Any) -> list[str]:
    return [item["id"] for item in api.get(JOBS, query).json()["items"]]


def post_bulk(api: APIClient, *jobs: Any, **options: Any) -> Any:
    return api.post(BULK, {"jobs": jobs, **options}, format="json")


def may(user: User, *codenames: str) -> None:
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


# Reading


def test_job_says_how_it_is_doing(api: APIClient, admin_user: User) -> None:
    job = JobFactory.create(failed=True, created_by=admin_user, priority=JobPriority.HIGH)

    body = detail(api, job)

    assert (body["status"], body["job_type"], body["priority"]) == ("FAILED", "TRANSCRIPTION", 3)
    assert (body["attempt"], body["max_attempts"]) == (1, 3)
    assert (body["created_by"], body["worker_id"]) == (admin_user.pk, str(job.worker_id))
    assert body["error"] == {"code": "permanent", "message": "the engine gave up"}
    assert body["payload"] == job.payload


def test_error_of_what_went_well_is_null(api: APIClient) -> None:
    assert detail(api, JobFactory.create(completed=True))["error"] is None


def test_list_leaves_payloads_out(api: APIClient) -> None:
    job = JobFactory.create()

    [item] = api.get(JOBS).json()["items"]

    assert item == {name: value for name, value in detail(api, job).items() if name in item}
    assert "payload" not in item


def test_links_of_a_job_lead_to_what_they_name(api: APIClient) -> None:
    links = detail(api, JobFactory.create(job_type="PROBE", queue_name="maintenance"))["links"]

    assert api.get(links["self"]).status_code == 200
    assert api.get(links["position"]).json()["position"] == 1
    assert api.post(links["cancel"]).json()["status"] == "CANCELLED"
    assert api.post(links["retry"]).json()["status"] == "QUEUED"


def test_job_names_those_before_and_after_it(api: APIClient) -> None:
    before, job, after = (
        JobFactory.create(),
        JobFactory.create(blocked=True),
        JobFactory.create(blocked=True),
    )
    JobDependency.objects.create(job=job, depends_on=before)
    JobDependency.objects.create(job=after, depends_on=job)

    body = detail(api, job)

    assert body["depends_on"] == [
        {"id": str(before.pk), "job_type": "TRANSCRIPTION", "status": "QUEUED"}
    ]
    assert [dependent["id"] for dependent in body["dependents"]] == [str(after.pk)]


def test_job_with_very_many_dependents_names_some(api: APIClient) -> None:
    job = JobFactory.create()
    JobDependency.objects.bulk_create(
        JobDependency(job=dependent, depends_on=job)
        for dependent in JobFactory.create_batch(MAX_RELATED + 1, blocked=True)
    )

    assert len(detail(api, job)["dependents"]) == MAX_RELATED


@pytest.mark.parametrize("path", ["nonsense/", f"{NOBODY}/", f"{NOBODY}/position/"])
def test_job_that_does_not_exist_is_not_found(api: APIClient, path: str) -> None:
    assert_problem(api.get(f"{JOBS}{path}"), 404, "not_found")


@pytest.mark.parametrize("status", JobStatus, ids=str)
def test_list_is_narrowed_by_status(api: APIClient, status: JobStatus) -> None:
    jobs = {each: in_status(each) for each in JobStatus}

    assert listed(api, status=status) == [str(jobs[status].pk)]


def test_list_is_narrowed_by_several_statuses_and_stays_in_order(api: APIClient) -> None:
    jobs = [
        in_status(status)
        for status in (JobStatus.FAILED, JobStatus.QUEUED, JobStatus.CANCELLED, JobStatus.FAILED)
    ]

    found = listed(api, status=["CANCELLED", "FAILED", "FAILED"])

    assert found == [str(jobs[3].pk), str(jobs[2].pk), str(jobs[0].pk)]


def test_list_is_narrowed_by_types(api: APIClient) -> None:
    probe, merge = JobFactory.create(job_type="PROBE"), JobFactory.create(job_type="MERGE")
    JobFactory.create()

    assert listed(api, job_type="PROBE") == [str(probe.pk)]
    assert listed(api, job_type=["MERGE", "PROBE"]) == [str(merge.pk), str(probe.pk)]


def test_type_without_a_handler_is_listed_while_there_are_jobs_of_it(api: APIClient) -> None:
    job = JobFactory.create(job_type="RETIRED")

    assert listed(api, job_type="RETIRED") == [str(job.pk)]


def test_list_is_narrowed_by_what_jobs_are_about_and_whose_they_are(
    api: APIClient, admin_user: User
) -> None:
    about = JobFactory.create(subject_id=uuid4())
    owned = JobFactory.create(created_by=admin_user)
    shared = JobFactory.create(workspace_id=uuid4())

    assert listed(api, subject_id=about.subject_id) == [str(about.pk)]
    assert listed(api, created_by=admin_user.pk) == [str(owned.pk)]
    assert listed(api, workspace_id=shared.workspace_id) == [str(shared.pk)]


def test_list_is_narrowed_by_a_time_that_begins_and_does_not_include_its_end(
    api: APIClient,
) -> None:
    now = timezone.now()
    old = JobFactory.create(created_at=now - timedelta(days=2))
    new = JobFactory.create(created_at=now)

    assert listed(api, created_after=now.isoformat()) == [str(new.pk)]
    assert listed(api, created_before=now.isoformat()) == [str(old.pk)]


def test_list_is_narrowed_by_a_time_of_any_offset(api: APIClient) -> None:
    job = JobFactory.create(created_at=datetime(2026, 1, 31, 12, 30, tzinfo=UTC))

    assert listed(api, created_after="2026-02-01T12:00:00+23:59") == [str(job.pk)]
    assert listed(api, created_after="2026-02-01T12:30:00+23:59") == []


def test_stalled_jobs_are_those_whose_lease_ran_out(api: APIClient) -> None:
    stalled, running = JobFactory.create(stalled=True), JobFactory.create(processing=True)

    assert listed(api, is_stalled="true") == [str(stalled.pk)]
    assert listed(api, is_stalled="false") == [str(running.pk)]


def test_ready_jobs_are_narrowed_by_queue_and_priority(api: APIClient) -> None:
    urgent = JobFactory.create(priority=JobPriority.URGENT)
    high = JobFactory.create(priority=JobPriority.HIGH, queue_name="maintenance")
    low = JobFactory.create(priority=JobPriority.LOW)
    JobFactory.create(priority=JobPriority.URGENT, completed=True)

    assert listed(api, is_ready="true") == [str(job.pk) for job in (low, high, urgent)]
    assert listed(api, is_ready="true", priority=4) == [str(urgent.pk)]
    assert listed(api, is_ready="true", min_priority=3) == [str(high.pk), str(urgent.pk)]
    assert listed(api, is_ready="true", queue_name="maintenance") == [str(high.pk)]


def test_ready_jobs_of_a_queue_come_in_the_order_of_the_queue(api: APIClient) -> None:
    last = JobFactory.create(due_by=timezone.now() + timedelta(hours=1))
    first = JobFactory.create(due_by=timezone.now())

    found = listed(
        api, is_ready="true", queue_name="transcription", sort_by="due_by", sort_order="asc"
    )

    assert found == [str(first.pk), str(last.pk)]


@pytest.mark.parametrize("query", [{}, {"is_ready": "true"}, {"queue_name": "transcription"}])
def test_order_of_a_queue_is_that_of_one_queue_only(api: APIClient, query: dict[str, str]) -> None:
    query = {**query, "status": "QUEUED", "sort_by": "due_by"}

    problem = assert_problem(api.get(JOBS, query), 400, "invalid")

    assert "sort_by" in problem["errors"]


@pytest.mark.parametrize(
    "query",
    [
        {"priority": 4},
        {"min_priority": 3, "status": ["FAILED", "COMPLETED"]},
        {"queue_name": "transcription", "is_stalled": "false"},
        {"queue_name": "transcription", "workspace_id": NOBODY},
    ],
    ids=str,
)
def test_filter_that_would_look_through_all_jobs_is_refused(
    api: APIClient, query: dict[str, Any]
) -> None:
    problem = assert_problem(api.get(JOBS, query), 400, "invalid")

    [reason] = problem["errors"][next(iter(query))]
    assert "add one of status, is_ready" in reason


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "DONE"),
        ("status", "queued"),
        ("job_type", "NOTHING"),
        ("job_type", "A\0B"),
        ("queue_name", "chunks"),
        ("queue_name", "nowhere"),
        ("priority", "5"),
        ("min_priority", "high"),
        ("created_after", "yesterday"),
        ("created_after", "0001-01-01T00:00:00+01:00"),
        ("workspace_id", "mine"),
        ("subject_id", "1"),
        ("created_by", "me"),
        ("is_stalled", "maybe"),
        ("is_ready", "false"),
        ("state", "QUEUED"),
        ("idempotency_key", "x"),
    ],
)
def test_filter_that_makes_no_sense_is_refused(api: APIClient, name: str, value: str) -> None:
    problem = assert_problem(api.get(JOBS, {name: value}), 400, "invalid")

    assert name in problem["errors"]


def test_owner_with_an_impossible_number_owns_nothing(api: APIClient) -> None:
    assert listed(api, created_by=10**30) == []


def test_list_asks_the_database_as_often_for_many_as_for_one(api: APIClient) -> None:
    JobFactory.create_batch(2, failed=True)
    few = queries_of(lambda: api.get(JOBS, {"size": 1}))

    JobFactory.create_batch(5, failed=True)
    many = queries_of(lambda: api.get(JOBS, {"size": 6}))

    assert len(many) == len(few) == 3
    assert '"payload"' not in many[0]


def test_detail_asks_the_database_as_often_for_many_dependents_as_for_none(
    api: APIClient,
) -> None:
    job = JobFactory.create()
    few = queries_of(lambda: detail(api, job))

    for dependent in JobFactory.create_batch(3, blocked=True):
        JobDependency.objects.create(job=dependent, depends_on=job)
    many = queries_of(lambda: detail(api, job))

    assert len(many) == len(few) == 3


# Statistics


def queue_of(body: dict[str, Any], name: str) -> dict[str, Any]:
    [queue] = [queue for queue in body["queues"] if queue["queue_name"] == name]
    return queue  # type: ignore[no-any-return]  # it is JSON


def test_statistics_tell_how_each_type_is_doing(api: APIClient) -> None:
    JobFactory.create_batch(2)
    JobFactory.create(completed=True)

    body = api.get(STATS).json()

    [described] = queue_of(body, "transcription")["job_types"]
    assert body["window_seconds"] == 3600.0
    assert described["job_type"] == "TRANSCRIPTION"
    assert (described["counts"]["QUEUED"], described["counts"]["COMPLETED"]) == (2, 1)
    assert described["throughput_per_second"] == pytest.approx(1 / 3600)
    assert described["oldest_seconds"] >= 0
    assert list(described["wait"]) == list(described["run"]) == ["p50", "p95", "p99"]


def test_statistics_look_back_as_far_as_they_are_told(api: APIClient) -> None:
    JobFactory.create(completed=True, completed_at=timezone.now() - timedelta(minutes=2))

    def completed_count(window_seconds: int) -> int:
        body = api.get(STATS, {"window_seconds": window_seconds}).json()
        described = queue_of(body, "transcription")["job_types"]
        return sum(each["counts"]["COMPLETED"] for each in described)

    assert (completed_count(60), completed_count(600)) == (0, 1)


@pytest.mark.parametrize("seconds", ["0", "-1", "604801", "long"])
def test_window_out_of_range_is_refused(api: APIClient, seconds: str) -> None:
    problem = assert_problem(api.get(STATS, {"window_seconds": seconds}), 400, "invalid")

    assert "window_seconds" in problem["errors"]


def test_statistics_show_which_queue_nobody_serves(api: APIClient) -> None:
    WorkerFactory.create(queues=["transcription", "chunks"])
    WorkerFactory.create(queues=["transcription"])
    WorkerFactory.create(queues=["maintenance"], gone=True)
    WorkerFactory.create(queues=["maintenance"], stopped=True)

    body = api.get(STATS).json()

    served, unserved = queue_of(body, "transcription"), queue_of(body, "maintenance")
    assert (served["live_workers"], served["is_served"]) == (2, True)
    assert (unserved["live_workers"], unserved["is_served"]) == (0, False)


def test_statistics_show_which_type_nobody_can_do(api: APIClient) -> None:
    JobFactory.create(job_type="RETIRED", queue_name="attic")

    body = api.get(STATS).json()

    [described] = queue_of(body, "attic")["job_types"]
    assert (described["job_type"], described["has_handler"]) == ("RETIRED", False)


def test_statistics_ask_the_database_as_often_for_many_as_for_one(api: APIClient) -> None:
    JobFactory.create()
    few = queries_of(lambda: api.get(STATS))

    for status in JobStatus:
        in_status(status, job_type="PROBE", queue_name="maintenance")
    WorkerFactory.create_batch(3)
    many = queries_of(lambda: api.get(STATS))

    assert len(many) == len(few)


# Enqueueing


def test_bulk_enqueues_and_reports_each_row(api: APIClient, admin_user: User) -> None:
    subject_id, workspace_id = uuid4(), uuid4()

    response = post_bulk(
        api,
        {"job_type": "PROBE", "payload": {"number": 2, "noise": True}, "priority": 4},
        {
            "job_type": "PROBE",
            "subject_id": str(subject_id),
            "workspace_id": str(workspace_id),
            "max_attempts": 7,
            "available_at": (timezone.now() + timedelta(hours=1)).isoformat(),
        },
    )

    body = response.json()
    first, second = (Job.objects.get(pk=row["id"]) for row in body["jobs"])
    assert response.status_code == 201
    assert (body["enqueued"], body["existing"], body["refused"]) == (2, 0, 0)
    assert [row["status"] for row in body["jobs"]] == ["enqueued", "enqueued"]
    assert (first.status, first.priority, first.payload) == ("QUEUED", 4, {"number": 2})
    assert (first.created_by, first.queue_name) == (admin_user, "maintenance")
    assert (second.status, second.max_attempts) == ("SCHEDULED", 7)
    assert (second.subject_id, second.workspace_id) == (subject_id, workspace_id)


def test_bulk_names_the_job_that_has_the_key_already(api: APIClient) -> None:
    row = {"job_type": "PROBE", "idempotency_key": "invoice-7"}
    [first] = post_bulk(api, row).json()["jobs"]

    body = post_bulk(api, {"job_type": "PROBE"}, row, row).json()

    new, *existing = body["jobs"]
    assert (body["enqueued"], body["existing"]) == (1, 2)
    assert new["status"] == "enqueued"
    assert existing == 2 * [{"id": first["id"], "status": "existing"}]
    assert Job.objects.count() == 2


REFUSED: list[Any] = [
    pytest.param({"job_type": "NOTHING"}, "unknown_job_type", "known: ", id="unknown type"),
    pytest.param(
        {"job_type": "TRANSCRIPTION"}, "not_from_outside", "TRANSCRIPTION", id="our own type"
    ),
    pytest.param(
        {"job_type": "PROBE", "payload": {"number": 3}},
        "invalid_payload",
        "3 is not even",
        id="payload its type refuses",
    ),
    pytest.param({}, "invalid_job", "job_type: ", id="no type"),
    pytest.param("PROBE", "invalid_job", "Expected a dictionary", id="no object"),
    pytest.param(None, "invalid_job", "No data provided", id="null"),
    pytest.param(
        {"job_type": "PROBE", "payload": [1]}, "invalid_job", "payload: ", id="payload is a list"
    ),
    pytest.param({"job_type": "PROBE", "priority": 9}, "invalid_job", "priority: ", id="priority"),
    pytest.param(
        {"job_type": "PROBE", "max_attempts": 10**9}, "invalid_job", "1 to", id="attempts"
    ),
    pytest.param(
        {"job_type": "PROBE", "available_at": "9999-12-31T23:59:59Z"},
        "invalid_job",
        "too far away",
        id="too far ahead",
    ),
    pytest.param(
        {"job_type": "PROBE", "expires_at": "2020-01-01T00:00:00Z"},
        "invalid_job",
        "expires before",
        id="expired",
    ),
    pytest.param(
        {"job_type": "PROBE", "unique_key": "k" * 201}, "invalid_job", "200", id="long key"
    ),
    pytest.param({"job_type": "PROBE", "unique_key": "a\nb"}, "invalid_job", "print", id="odd key"),
    pytest.param(
        {"job_type": "PROBE", "prority": 4}, "invalid_job", "prority: Unknown", id="misspelt"
    ),
]


@pytest.mark.parametrize(("row", "code", "message"), REFUSED)
def test_row_that_cannot_be_a_job_refuses_all_with_its_place(
    api: APIClient, row: Any, code: str, message: str
) -> None:
    response = post_bulk(api, {"job_type": "PROBE"}, row)

    problem = assert_problem(response, 422, "bulk_refused")
    [refusal] = problem["errors"]
    assert (refusal["index"], refusal["code"]) == (1, code)
    assert message in refusal["message"]
    assert not Job.objects.exists()


@pytest.mark.parametrize(("row", "code", "message"), REFUSED)
def test_other_rows_are_enqueued_when_that_is_wanted(
    api: APIClient, row: Any, code: str, message: str
) -> None:
    good = {"job_type": "PROBE"}

    response = post_bulk(api, good, row, good, continue_on_error=True)

    body = response.json()
    assert response.status_code == 201
    assert [each["status"] for each in body["jobs"]] == ["enqueued", "refused", "enqueued"]
    assert (body["jobs"][1]["id"], body["jobs"][1]["code"]) == (None, code)
    assert message in body["jobs"][1]["message"]
    assert {str(job.pk) for job in Job.objects.all()} == {
        body["jobs"][0]["id"],
        body["jobs"][2]["id"],
    }


def test_all_refusals_are_told_at_once_in_their_order(api: APIClient) -> None:
    late = {"job_type": "PROBE", "expires_at": "2020-01-01T00:00:00Z"}

    problem = post_bulk(api, late, {"job_type": "NOTHING"}, late).json()

    assert [refusal["index"] for refusal in problem["errors"]] == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param('"a\\u0000b"', "NUL", id="character"),
        pytest.param(200 * "[" + 200 * "]", "deep", id="depth"),
        pytest.param("1e999", "JSON", id="number"),
    ],
)
def test_payload_that_cannot_be_stored_is_refused(api: APIClient, text: str, reason: str) -> None:
    handlers.register_job(JobHandler("ANY", "maintenance", do_nothing, validate=dict))
    body = f'{{"jobs": [{{"job_type": "ANY", "payload": {{"value": {text}}}}}]}}'

    response = api.post(BULK, body, content_type="application/json")

    assert reason in assert_problem(response, 422, "bulk_refused")["errors"][0]["message"]


@pytest.mark.parametrize(
    ("count", "reason"),
    [pytest.param(1_001, "no more than 1000", id="many"), pytest.param(0, "empty", id="none")],
)
def test_number_of_jobs_in_one_request_is_limited(api: APIClient, count: int, reason: str) -> None:
    response = post_bulk(api, *count * [{"job_type": "PROBE"}])

    assert reason in str(assert_problem(response, 400, "invalid")["errors"]["jobs"])
    assert not Job.objects.exists()


def test_as_many_jobs_as_the_limit_are_enqueued(api: APIClient) -> None:
    assert post_bulk(api, *1_000 * [{"job_type": "PROBE"}]).json()["enqueued"] == 1_000


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param(b"{", 400, "parse_error", id="no JSON"),
        pytest.param(b"[]", 400, "invalid", id="a list"),
        pytest.param(b'{"jobs": {}}', 400, "invalid", id="jobs are no list"),
        pytest.param(b'{"jobs": [NaN]}', 400, "parse_error", id="not a number"),
        pytest.param(b"[" * 100_000, 400, "parse_error", id="nested deeply"),
    ],
)
def test_body_that_makes_no_sense_is_refused(
    api: APIClient, body: bytes, status: int, code: str
) -> None:
    response = api.post(BULK, body, content_type="application/json")

    assert_problem(response, status, code)


def test_body_over_the_limit_is_refused_with_the_limit(api: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000

    response = post_bulk(api, {"job_type": "PROBE", "payload": {"text": "x" * 1_000}})

    assert "1,000" in assert_problem(response, 413, "refused")["detail"]


# Cancelling and retrying


@pytest.mark.parametrize("status", ACTIVE, ids=str)
def test_cancel_stops_what_is_not_over(api: APIClient, status: JobStatus) -> None:
    job = in_status(status)

    response = api.post(f"{JOBS}{job.pk}/cancel/")

    assert (response.status_code, response.json()["status"]) == (200, "CANCELLED")
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED


@pytest.mark.parametrize("status", TERMINAL, ids=str)
def test_cancel_of_what_is_over_is_refused_with_its_status(
    api: APIClient, status: JobStatus
) -> None:
    job = in_status(status)

    problem = assert_problem(api.post(f"{JOBS}{job.pk}/cancel/"), 409, "conflict")

    assert f"is {status}" in problem["detail"]


def test_cancel_of_a_planner_cancels_its_run_and_drops_its_chunks(
    api: APIClient, django_capture_on_commit_callbacks: Any
) -> None:
    run = ProcessingTaskFactory.create(splitting=True)
    chunk = ChunkTaskFactory.create(processing=run)
    job = JobFactory.create(processing=True, payload={"processing_id": str(run.pk)})

    with django_capture_on_commit_callbacks(execute=True):
        response = api.post(f"{JOBS}{job.pk}/cancel/")

    run.refresh_from_db()
    chunk.refresh_from_db()
    assert response.status_code == 200
    assert run.status == ProcessingStatus.CANCELLED
    assert (chunk.status, bool(chunk.audio)) == (JobStatus.CANCELLED, False)


def test_cancel_takes_the_jobs_that_were_to_follow_along(api: APIClient) -> None:
    job, dependent = JobFactory.create(), JobFactory.create(blocked=True)
    JobDependency.objects.create(job=dependent, depends_on=job)

    api.post(f"{JOBS}{job.pk}/cancel/")

    assert detail(api, dependent)["error"]["code"] == "dependency"


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED], ids=str)
def test_retry_requeues_what_failed_or_was_cancelled(api: APIClient, status: JobStatus) -> None:
    job = in_status(status, job_type="PROBE", queue_name="maintenance")

    response = api.post(f"{JOBS}{job.pk}/retry/")

    body = response.json()
    assert (response.status_code, body["status"], body["error"]) == (200, "QUEUED", None)
    assert body["max_attempts"] == job.attempt + 3


@pytest.mark.parametrize("status", [*ACTIVE, JobStatus.COMPLETED], ids=str)
def test_retry_of_anything_else_is_refused_with_its_status(
    api: APIClient, status: JobStatus
) -> None:
    job = in_status(status)

    problem = assert_problem(api.post(f"{JOBS}{job.pk}/retry/"), 409, "conflict")

    assert f"is {status}" in problem["detail"]


def test_retry_that_its_handler_forbids_is_refused_with_what_to_do_instead(
    api: APIClient,
) -> None:
    job = JobFactory.create(failed=True, job_type="ONCE", queue_name="maintenance")

    problem = assert_problem(api.post(f"{JOBS}{job.pk}/retry/"), 409, "not_requeueable")

    assert problem["detail"] == "ask for another one instead"
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED


def test_retry_of_a_type_that_nobody_can_do_is_refused(api: APIClient) -> None:
    job = JobFactory.create(failed=True, job_type="RETIRED")

    assert_problem(api.post(f"{JOBS}{job.pk}/retry/"), 409, "unknown_job_type")


def test_retry_of_a_part_of_a_run_says_to_ask_for_the_transcript_again(api: APIClient) -> None:
    run = ProcessingTaskFactory.create(failed=True)
    job = JobFactory.create(failed=True, payload={"processing_id": str(run.pk)})

    problem = assert_problem(api.post(f"{JOBS}{job.pk}/retry/"), 409, "not_requeueable")

    assert "ask for the transcript again" in problem["detail"]


def test_retry_waits_while_another_job_does_the_same(api: APIClient) -> None:
    fields = {"job_type": "PROBE", "queue_name": "maintenance", "unique_key": "index"}
    job = JobFactory.create(failed=True, **fields)
    JobFactory.create(**fields)

    problem = assert_problem(api.post(f"{JOBS}{job.pk}/retry/"), 409, "not_requeueable")

    assert "is active" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "{pk}/cancel/"),
        ("get", "{pk}/retry/"),
        ("post", "{pk}/position/"),
        ("get", "bulk/"),
        ("post", "stats/"),
        ("post", ""),
        ("put", "{pk}/"),
        ("patch", "{pk}/"),
        ("delete", "{pk}/"),
    ],
)
def test_wrong_method_is_refused(api: APIClient, method: str, path: str) -> None:
    job = JobFactory.create()

    response = getattr(api, method)(f"{JOBS}{path.format(pk=job.pk)}")

    assert_problem(response, 405, "method_not_allowed")


# Position


def test_position_counts_the_jobs_before_and_names_the_worker(api: APIClient) -> None:
    now = timezone.now()
    JobFactory.create(due_by=now)
    job = JobFactory.create(due_by=now + timedelta(seconds=1))
    busy = WorkerFactory.create()
    JobFactory.create(processing=True, worker=busy)
    idle = WorkerFactory.create(hostname="host-2")

    body = api.get(f"{JOBS}{job.pk}/position/").json()

    assert (body["position"], body["queue_name"], body["reason"]) == (2, "transcription", None)
    assert body["worker"] == {"id": str(idle.pk), "hostname": "host-2", "pid": idle.pid}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({}, "no_capable_worker", id="no worker"),
        pytest.param({"job_type": "RETIRED"}, "unknown_job_type", id="no handler"),
    ],
)
def test_position_says_when_nobody_can_do_it(
    api: APIClient, fields: dict[str, str], code: str
) -> None:
    job = JobFactory.create(**fields)

    body = api.get(f"{JOBS}{job.pk}/position/").json()

    assert (body["position"], body["worker"], body["reason"]["code"]) == (1, None, code)


@pytest.mark.parametrize("status", [JobStatus.BLOCKED, JobStatus.SCHEDULED], ids=str)
def test_job_that_is_not_ready_has_no_position_but_a_worker(
    api: APIClient, status: JobStatus
) -> None:
    worker = WorkerFactory.create()

    body = api.get(f"{JOBS}{in_status(status).pk}/position/").json()

    assert (body["position"], body["worker"]["id"]) == (None, str(worker.pk))


@pytest.mark.parametrize("status", [JobStatus.PROCESSING, *TERMINAL], ids=str)
def test_job_that_does_not_wait_has_neither_position_nor_worker(
    api: APIClient, status: JobStatus
) -> None:
    WorkerFactory.create()

    body = api.get(f"{JOBS}{in_status(status).pk}/position/").json()

    assert (body["position"], body["worker"]) == (None, None)
    assert body["reason"] == {"code": "not_waiting", "message": f"the job is {status}"}


# Permissions


@pytest.mark.parametrize("path", ["", "{pk}/", "{pk}/position/", "stats/"])
def test_to_read_is_to_be_allowed_to_view(
    client_of_staff: APIClient, staff: User, path: str
) -> None:
    address = f"{JOBS}{path.format(pk=JobFactory.create().pk)}"

    before = client_of_staff.get(address).status_code
    may(staff, "view_job")
    client_of_staff.force_authenticate(User.objects.get(pk=staff.pk))

    assert (before, client_of_staff.get(address).status_code) == (403, 200)


@pytest.mark.parametrize(("action", "trait"), [("cancel", "processing"), ("retry", "failed")])
def test_to_cancel_or_retry_is_to_be_allowed_to_change(
    client_of_staff: APIClient, staff: User, action: str, trait: str
) -> None:
    job = JobFactory.create(**{trait: True}, job_type="PROBE", queue_name="maintenance")
    may(staff, "view_job", "add_job")

    before = client_of_staff.post(f"{JOBS}{job.pk}/{action}/").status_code
    may(staff, "change_job")
    client_of_staff.force_authenticate(User.objects.get(pk=staff.pk))

    assert before == 403
    assert client_of_staff.post(f"{JOBS}{job.pk}/{action}/").status_code == 200


def test_to_enqueue_is_to_be_allowed_to_add(client_of_staff: APIClient, staff: User) -> None:
    may(staff, "view_job", "change_job")

    before = post_bulk(client_of_staff, {"job_type": "PROBE"}).status_code
    may(staff, "add_job")
    client_of_staff.force_authenticate(User.objects.get(pk=staff.pk))

    assert before == 403
    assert post_bulk(client_of_staff, {"job_type": "PROBE"}).status_code == 201


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", ""), ("get", "stats/"), ("post", "bulk/"), ("post", "{pk}/cancel/")],
)
def test_who_is_not_staff_is_refused_whatever_the_permissions(method: str, path: str) -> None:
    guest = User.objects.create_user("guest")
    may(guest, "view_job", "add_job", "change_job")
    client = APIClient()
    client.force_authenticate(guest)

    response = getattr(client, method)(f"{JOBS}{path.format(pk=JobFactory.create().pk)}")

    code = "permission_denied" if path in ("stats/", "bulk/") else "no_workspace"
    assert_problem(response, 403, code)
