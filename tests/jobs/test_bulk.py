"""Recording thousands of things at once: all or none, or all but the impossible."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from jobs import handlers
from jobs.choices import ACTIVE, TERMINAL, JobPriority, JobStatus
from jobs.exceptions import BulkRefused
from jobs.handlers import JobHandler
from jobs.models import Job
from jobs.services import bulk
from jobs.services.bulk import bulk_enqueue
from jobs.services.enqueueing import enqueue_job
from jobs.services.requests import JobRequest
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.jobs.conftest import QUEUE, Register
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

Count = Callable[[str], int]
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _probe(register: Register) -> None:
    register(lambda job: None)


def numbered(count: int, **options: Any) -> list[JobRequest]:
    return [JobRequest("PROBE", {"n": n}, **options) for n in range(count)]


def deep() -> dict[str, Any]:
    payload: dict[str, Any] = {}
    for _ in range(50_000):
        payload = {"inner": payload}
    return payload


#: What cannot be a job, and the code and a part of the message that say so.
IMPOSSIBLE: dict[str, tuple[JobRequest, str, str]] = {
    "unknown type": (JobRequest("os.system"), "unknown_job_type", "'os.system'"),
    "priority": (JobRequest("PROBE", priority=9), "invalid_job", "priority 9"),
    "attempts": (JobRequest("PROBE", max_attempts=2**31), "invalid_job", "max_attempts"),
    "naive time": (
        JobRequest("PROBE", available_at=datetime(2030, 1, 1)),  # noqa: DTZ001
        "invalid_job",
        "no time zone",
    ),
    "naive expiry": (
        JobRequest("PROBE", expires_at=datetime(2030, 1, 1)),  # noqa: DTZ001
        "invalid_job",
        "no time zone",
    ),
    "time beyond all": (
        JobRequest("PROBE", available_at=datetime.max.replace(tzinfo=UTC)),
        "invalid_job",
        "too far away",
    ),
    "expired": (
        JobRequest("PROBE", expires_at=datetime(2020, 1, 1, tzinfo=UTC)),
        "invalid_job",
        "expires before it may begin",
    ),
    "no object": (JobRequest("PROBE", [1]), "invalid_job", "no object"),  # type: ignore[arg-type]
    "no JSON": (JobRequest("PROBE", {"x": {1}}), "invalid_job", "not JSON"),
    "NaN": (JobRequest("PROBE", {"x": float("nan")}), "invalid_job", "not JSON"),
    "NUL": (JobRequest("PROBE", {"x": "\0"}), "invalid_job", "character NUL"),
    "lone surrogate": (JobRequest("PROBE", {"x": "\ud800"}), "invalid_job", "not JSON"),
    "nesting": (JobRequest("PROBE", deep()), "invalid_job", "not JSON"),
    "long key": (JobRequest("PROBE", idempotency_key="k" * 201), "invalid_job", "not 201"),
    "empty key": (JobRequest("PROBE", unique_key=""), "invalid_job", "not 0"),
    "unprintable key": (JobRequest("PROBE", unique_key="a\nb"), "invalid_job", "printable"),
    "no UUID": (
        JobRequest("PROBE", workspace_id="acme"),  # type: ignore[arg-type]
        "invalid_job",
        "is no UUID",
    ),
}


# All of them


@pytest.mark.parametrize("keyed", [False, True], ids=["plain", "keyed"])
def test_ten_thousand_jobs_are_enqueued_in_the_order_of_their_requests(keyed: bool) -> None:
    report = bulk_enqueue(
        JobRequest("PROBE", {"n": n}, idempotency_key=f"key {n}" if keyed else None)
        for n in range(10_000)
    )

    payloads = dict(Job.objects.values_list("pk", "payload"))
    assert [payloads[pk]["n"] for pk in report.ids if pk] == list(range(10_000))
    assert (report.enqueued_count, report.existing, report.refused) == (10_000, frozenset(), [])


def test_more_jobs_than_one_batch_are_enqueued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH_SIZE", 10)

    report = bulk_enqueue(numbered(35))

    assert set(Job.objects.values_list("pk", flat=True)) == set(report.ids)


def test_no_jobs_are_enqueued_without_a_query_for_them() -> None:
    report = bulk_enqueue([])

    assert (report.ids, report.enqueued_count) == ([], 0)


@pytest.mark.parametrize("key", [None, "k"], ids=["plain", "keyed"])
def test_a_job_in_bulk_is_as_if_it_had_been_enqueued_alone(key: str | None) -> None:
    options: dict[str, Any] = {
        "job_type": "PROBE",
        "payload": {"what": [1, "zwei", None, {"drei": "\\u0000 😀\t"}]},
        "priority": JobPriority.HIGH,
        "subject_id": uuid4(),
        "workspace_id": uuid4(),
        "max_attempts": 7,
        "available_at": timezone.now() + HOUR,
        "expires_at": timezone.now() + 2 * HOUR,
    }
    user = get_user_model().objects.create_user("ada")
    own = {"id", "created_at", "unique_key"}

    alone = enqueue_job(**options, created_by=user, unique_key="alone")
    [pk] = bulk_enqueue(
        [JobRequest(**options, created_by_id=user.pk, unique_key=key and "in bulk")]
    ).ids

    first, second = Job.objects.filter(pk__in=[alone.pk, pk]).values()
    assert {name for name in first if first[name] != second[name]} <= own  # type: ignore[literal-required]


@pytest.mark.parametrize("key", [None, "k"], ids=["plain", "keyed"])
def test_a_job_in_bulk_can_be_done(key: str | None) -> None:
    bulk_enqueue([JobRequest("PROBE", {"n": 1}, unique_key=key)])

    [job] = Job.objects.claim(queue_name=QUEUE, worker=WorkerFactory.create())

    assert job.payload == {"n": 1}
    assert Job.objects.complete(job) is True


def test_jobs_for_later_wait_and_the_others_are_ready() -> None:
    later = timezone.now() + HOUR

    report = bulk_enqueue([JobRequest("PROBE"), JobRequest("PROBE", available_at=later)])

    statuses = dict(Job.objects.values_list("pk", "status"))
    assert [statuses[pk] for pk in report.ids if pk] == [JobStatus.QUEUED, JobStatus.SCHEDULED]


@pytest.mark.parametrize("keyed", [False, True], ids=["plain", "keyed"])
def test_a_thousand_jobs_ask_no_more_than_one(keyed: bool) -> None:
    def ask(prefix: str, count: int) -> int:
        requests = [
            JobRequest("PROBE", unique_key=f"{prefix}{n}" if keyed else None) for n in range(count)
        ]
        return len(queries_of(lambda: bulk_enqueue(requests)))

    assert ask("many", 1_000) == ask("one", 1)


# Refusals


@pytest.mark.parametrize("reason", list(IMPOSSIBLE))
def test_a_request_that_cannot_be_a_job_is_reported_with_its_place_and_reason(reason: str) -> None:
    request, code, message = IMPOSSIBLE[reason]

    report = bulk_enqueue([*numbered(2), request, *numbered(1)], continue_on_error=True)

    [refusal] = report.refused
    assert (refusal.index, refusal.code) == (2, code)
    assert message in refusal.message


@pytest.mark.parametrize("reason", list(IMPOSSIBLE))
def test_nothing_is_enqueued_when_one_request_cannot_be_a_job(
    reason: str,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    waiting_rings: Count,
) -> None:
    request, _, message = IMPOSSIBLE[reason]

    with (
        django_capture_on_commit_callbacks(execute=True),
        pytest.raises(BulkRefused, match="1 of 4 jobs were refused") as refused,
    ):
        bulk_enqueue([*numbered(2), request, *numbered(1)])

    assert message in str(refused.value)
    assert [refusal.index for refusal in refused.value.refused] == [2]
    assert not Job.objects.exists()
    assert waiting_rings(QUEUE) == 0


def test_all_kinds_of_refusals_are_reported_at_once_and_all_others_enqueued() -> None:
    impossible = [request for request, _, _ in IMPOSSIBLE.values()]
    mixed = [request for pair in zip(numbered(99), impossible, strict=False) for request in pair]

    report = bulk_enqueue(mixed, continue_on_error=True)

    assert [refusal.index for refusal in report.refused] == list(range(1, len(mixed), 2))
    assert [refusal.code for refusal in report.refused] == [
        code for _, code, _ in IMPOSSIBLE.values()
    ]
    assert [pk is None for pk in report.ids] == [False, True] * len(impossible)
    assert report.enqueued_count == Job.objects.count() == len(impossible)


def test_a_refusal_in_a_late_batch_takes_back_the_earlier_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "BATCH_SIZE", 3)
    requests = [*numbered(7), JobRequest("os.system"), *numbered(4), JobRequest("os.system")]

    with pytest.raises(BulkRefused, match="2 of 13 jobs") as refused:
        bulk_enqueue(requests)

    assert [refusal.index for refusal in refused.value.refused] == [7, 12]
    assert not Job.objects.exists()


def test_places_are_counted_over_all_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH_SIZE", 3)
    JobFactory.create(probe=True, unique_key="k")
    requests = [*numbered(4), JobRequest("PROBE", unique_key="k"), JobRequest("os.system")]

    report = bulk_enqueue(requests, continue_on_error=True)

    assert report.existing == {4}
    assert [refusal.index for refusal in report.refused] == [5]


# Keys


@pytest.mark.parametrize("key", ["idempotency_key", "unique_key"])
def test_a_key_that_is_repeated_inside_one_call_names_one_job(key: str) -> None:
    keys = ["a", "b", "a", "a", "c", "b"]
    requests = [
        JobRequest("PROBE", {"n": n}, **{key: name})  # type: ignore[arg-type]
        for n, name in enumerate(keys)
    ]

    report = bulk_enqueue(requests)

    assert [report.ids[keys.index(name)] for name in keys] == report.ids
    assert report.existing == {2, 3, 5}
    assert report.enqueued_count == Job.objects.count() == 3


@pytest.mark.parametrize("key", ["idempotency_key", "unique_key"])
def test_of_requests_with_one_key_the_first_becomes_the_job(key: str) -> None:
    names: dict[str, Any] = {key: "k"}

    bulk_enqueue([JobRequest("PROBE", {"n": n}, **names) for n in range(3)])

    assert Job.objects.get().payload == {"n": 0}


def test_a_key_is_repeated_across_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH_SIZE", 2)

    report = bulk_enqueue(JobRequest("PROBE", unique_key="k") for _ in range(5))

    assert report.ids == [Job.objects.get().pk] * 5
    assert report.existing == {1, 2, 3, 4}


def test_the_same_call_again_enqueues_nothing() -> None:
    requests = [JobRequest("PROBE", idempotency_key=f"k{n}") for n in range(50)]

    first, second = bulk_enqueue(requests), bulk_enqueue(requests)

    assert second.ids == first.ids
    assert (second.enqueued_count, second.existing) == (0, frozenset(range(50)))


@pytest.mark.parametrize("status", ["", "scheduled", "processing", "completed", "failed"])
def test_a_job_that_exists_by_its_idempotency_key_is_left_as_it_is(status: str) -> None:
    job = JobFactory.create(probe=True, idempotency_key="k", **({status: True} if status else {}))
    before = Job.objects.values().get()

    report = bulk_enqueue([JobRequest("PROBE", {"other": 1}, priority=4, idempotency_key="k")])

    assert report.ids == [job.pk]
    assert Job.objects.values().get() == before


@pytest.mark.parametrize("status", ACTIVE)
def test_a_unique_key_of_an_active_job_names_that_job(status: JobStatus) -> None:
    trait = {} if status == JobStatus.QUEUED else {status.lower(): True}
    job = JobFactory.create(probe=True, unique_key="k", **trait)

    report = bulk_enqueue([JobRequest("PROBE", unique_key="k")])

    assert report.ids == [job.pk]
    assert report.existing == {0}


@pytest.mark.parametrize("status", TERMINAL)
def test_a_unique_key_of_a_job_that_is_over_is_free(status: JobStatus) -> None:
    JobFactory.create(probe=True, unique_key="k", **{status.lower(): True})

    report = bulk_enqueue([JobRequest("PROBE", unique_key="k")])

    assert report.enqueued_count == 1


def test_of_the_jobs_of_a_unique_key_the_active_one_is_named() -> None:
    JobFactory.create(probe=True, completed=True, unique_key="k")
    active = JobFactory.create(probe=True, unique_key="k")
    JobFactory.create(probe=True, failed=True, unique_key="k")

    assert bulk_enqueue([JobRequest("PROBE", unique_key="k")]).ids == [active.pk]


def test_each_workspace_has_idempotency_keys_of_its_own() -> None:
    workspaces = [uuid4(), None, uuid4()]
    requests = [
        JobRequest("PROBE", idempotency_key="k", workspace_id=workspace_id)
        for workspace_id in workspaces
    ]

    first, second = bulk_enqueue(requests), bulk_enqueue(requests)

    assert first.enqueued_count == 3
    assert second.ids == first.ids


def test_plain_and_keyed_requests_keep_their_places() -> None:
    existing = JobFactory.create(probe=True, unique_key="taken")
    requests = [
        JobRequest("PROBE", {"n": 0}),
        JobRequest("PROBE", {"n": 1}, unique_key="taken"),
        JobRequest("PROBE", {"n": 2}, idempotency_key="free"),
        JobRequest("PROBE", {"n": 3}),
    ]

    report = bulk_enqueue(requests)

    payloads = dict(Job.objects.values_list("pk", "payload"))
    assert report.ids[1] == existing.pk
    assert [payloads[pk].get("n") for pk in report.ids if pk] == [0, None, 2, 3]


def test_a_request_with_two_keys_finds_the_job_that_has_either() -> None:
    by_one = JobFactory.create(probe=True, completed=True, idempotency_key="once")
    by_other = JobFactory.create(probe=True, unique_key="alone")
    requests = [
        JobRequest("PROBE", idempotency_key="once", unique_key="free"),
        JobRequest("PROBE", idempotency_key="new", unique_key="alone"),
    ]

    assert bulk_enqueue(requests).ids == [by_one.pk, by_other.pk]


# Rings and transactions


@pytest.fixture
def _other_queue(register: Register) -> None:
    handlers.register_job(JobHandler("OTHER", "transcription", lambda job: None))


@pytest.mark.usefixtures("_other_queue")
def test_each_queue_is_rung_once_and_after_the_commit(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, waiting_rings: Count
) -> None:
    requests = [*numbered(30), JobRequest("OTHER"), JobRequest("OTHER", unique_key="k")]

    with django_capture_on_commit_callbacks(execute=True):
        bulk_enqueue(requests)
        before_commit = [waiting_rings(QUEUE), waiting_rings("transcription")]

    assert before_commit == [0, 0]
    assert [waiting_rings(QUEUE), waiting_rings("transcription")] == [1, 1]


@pytest.mark.django_db(transaction=True)
def test_jobs_are_there_when_their_ring_is_heard(waiting_rings: Count) -> None:
    bulk_enqueue(numbered(3))

    assert waiting_rings(QUEUE) == 1
    assert Job.objects.ready().count() == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("key", [None, "k"], ids=["plain", "keyed"])
def test_jobs_are_taken_back_with_the_transaction_of_the_caller(
    key: str | None, waiting_rings: Count
) -> None:
    with transaction.atomic():
        bulk_enqueue([JobRequest("PROBE", unique_key=key)])
        transaction.set_rollback(True)

    assert not Job.objects.exists()
    assert waiting_rings(QUEUE) == 0


def test_requests_that_cannot_be_read_to_their_end_enqueue_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "BATCH_SIZE", 2)

    def broken() -> Iterator[JobRequest]:
        yield from numbered(5)
        raise OSError("the file ends here")

    with pytest.raises(OSError, match="ends here"), transaction.atomic():
        bulk_enqueue(broken(), continue_on_error=True)

    assert not Job.objects.exists()


def test_a_refused_call_leaves_the_transaction_of_the_caller_usable() -> None:
    with transaction.atomic():
        with pytest.raises(BulkRefused):
            bulk_enqueue([*numbered(2), JobRequest("os.system")])
        report = bulk_enqueue(numbered(1))

    assert [Job.objects.get().pk] == report.ids


def test_the_ids_are_those_of_the_rows() -> None:
    report = bulk_enqueue(numbered(3))

    assert all(isinstance(pk, UUID) for pk in report.ids)
    assert set(Job.objects.values_list("pk", flat=True)) == set(report.ids)
