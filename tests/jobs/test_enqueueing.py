"""Recording work, and ringing for it only once it is there."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from jobs.choices import ACTIVE, TERMINAL, JobPriority, JobStatus
from jobs.exceptions import InvalidJob, UnknownJobType
from jobs.managers.work import DEFAULT_MAX_ATTEMPTS
from jobs.models import Job
from jobs.services.enqueueing import enqueue_job
from tests.factories.jobs import JobFactory
from tests.jobs.conftest import QUEUE, Register
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

Count = Callable[[str], int]


@pytest.fixture(autouse=True)
def _probe(register: Register) -> None:
    register(lambda job: None)


def test_a_job_is_queued_where_its_type_is_done() -> None:
    job = enqueue_job(job_type="PROBE", payload={"what": [1, "two"]}, priority=JobPriority.HIGH)

    stored = Job.objects.get()
    assert stored == job
    assert (stored.queue_name, stored.status, stored.attempt) == (QUEUE, JobStatus.QUEUED, 0)
    assert stored.payload == {"what": [1, "two"]}
    assert stored.due_by - stored.available_at == timedelta(seconds=30)


@pytest.mark.parametrize("after", ["nothing", "completed", "running"])
def test_the_job_that_is_returned_is_the_one_that_is_stored(after: str) -> None:
    to_follow = {
        "nothing": [],
        "completed": [JobFactory.create(completed=True)],
        "running": [JobFactory.create(processing=True)],
    }[after]

    job = enqueue_job(
        job_type="PROBE",
        payload={"what": 1},
        after=to_follow,
        created_by=get_user_model().objects.create_user("ada"),
        workspace_id=uuid4(),
        idempotency_key="a key",
        expires_at=timezone.now() + timedelta(hours=1),
    )

    assert vars(job) | {"_state": None} == vars(Job.objects.get(pk=job.pk)) | {"_state": None}
    assert not job._state.adding


def test_a_job_says_what_it_is_about_and_whose_it_is() -> None:
    subject_id, workspace_id = uuid4(), uuid4()
    user = get_user_model().objects.create_user("ada")

    enqueue_job(job_type="PROBE", subject_id=subject_id, workspace_id=workspace_id, created_by=user)

    job = Job.objects.about(subject_id).get()
    assert (job.workspace_id, job.created_by, job.payload) == (workspace_id, user, {})


def test_the_queue_is_rung_after_the_commit(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, waiting_rings: Count
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        enqueue_job(job_type="PROBE")
        rings_before_commit = waiting_rings(QUEUE)

    assert rings_before_commit == 0
    assert waiting_rings(QUEUE) == 1


@pytest.mark.django_db(transaction=True)
def test_nothing_is_rung_and_nothing_is_left_after_a_rollback(waiting_rings: Count) -> None:
    with transaction.atomic():
        enqueue_job(job_type="PROBE")
        transaction.set_rollback(True)

    assert waiting_rings(QUEUE) == 0
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_job_is_there_when_its_ring_is_heard(waiting_rings: Count) -> None:
    enqueue_job(job_type="PROBE")

    assert waiting_rings(QUEUE) == 1
    assert Job.objects.ready().on_queue(QUEUE).count() == 1


def test_a_type_that_nobody_can_do_is_refused_and_leaves_no_row() -> None:
    with pytest.raises(UnknownJobType, match=r"'os\.system'"):
        enqueue_job(job_type="os.system")

    assert not Job.objects.exists()


def test_a_priority_that_does_not_exist_is_refused_and_leaves_no_row() -> None:
    with pytest.raises(InvalidJob, match="priority 7 is none of"):
        enqueue_job(job_type="PROBE", priority=7)

    assert not Job.objects.exists()


def test_a_job_without_a_payload_has_an_empty_one() -> None:
    assert enqueue_job(job_type="PROBE").payload == {}


def test_a_payload_that_is_no_object_is_refused_even_when_it_is_empty() -> None:
    with pytest.raises(InvalidJob, match="no object"):
        enqueue_job(job_type="PROBE", payload=[])  # type: ignore[arg-type]


def test_a_job_may_be_tried_as_often_as_it_says() -> None:
    jobs = [enqueue_job(job_type="PROBE"), enqueue_job(job_type="PROBE", max_attempts=1)]

    assert [job.max_attempts for job in jobs] == [DEFAULT_MAX_ATTEMPTS, 1]


def test_a_plain_job_costs_one_query() -> None:
    assert len(queries_of(lambda: enqueue_job(job_type="PROBE"))) == 1


# Time


def test_a_job_for_later_waits_until_then() -> None:
    later = timezone.now() + timedelta(hours=1)

    job = enqueue_job(job_type="PROBE", available_at=later)

    assert Job.objects.get(pk=job.pk).status == JobStatus.SCHEDULED
    assert Job.objects.promote() == 0


def test_a_job_for_later_rings_nobody(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, waiting_rings: Count
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        enqueue_job(job_type="PROBE", available_at=timezone.now() + timedelta(hours=1))

    assert waiting_rings(QUEUE) == 0


def test_a_job_knows_when_nobody_wants_it_any_more() -> None:
    expires_at = timezone.now() + timedelta(hours=1)

    job = enqueue_job(job_type="PROBE", expires_at=expires_at)

    assert Job.objects.get(pk=job.pk).expires_at == expires_at


def test_a_job_waits_for_a_time_or_for_jobs_and_not_for_both() -> None:
    first = enqueue_job(job_type="PROBE")

    with pytest.raises(InvalidJob, match="not for both"):
        enqueue_job(job_type="PROBE", after=[first], available_at=timezone.now())


# Idempotency keys


@pytest.mark.parametrize(
    "status", ["", "scheduled", "blocked", "processing", "completed", "failed", "cancelled"]
)
def test_a_repeated_key_returns_the_job_that_exists_as_it_is(status: str) -> None:
    first = JobFactory.create(probe=True, idempotency_key="k", **({status: True} if status else {}))
    before = Job.objects.filter(pk=first.pk).values().get()

    again = enqueue_job(
        job_type="PROBE", payload={"other": 1}, priority=JobPriority.URGENT, idempotency_key="k"
    )

    assert again == first
    assert Job.objects.values().get() == before
    assert (again.status, again.payload) == (first.status, first.payload)


def test_a_repeated_key_rings_nobody(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, waiting_rings: Count
) -> None:
    JobFactory.create(probe=True, idempotency_key="k")

    with django_capture_on_commit_callbacks(execute=True):
        enqueue_job(job_type="PROBE", idempotency_key="k")

    assert waiting_rings(QUEUE) == 0


def test_each_workspace_has_keys_of_its_own() -> None:
    workspaces = [uuid4(), uuid4(), None]

    jobs = [
        enqueue_job(job_type="PROBE", idempotency_key="k", workspace_id=workspace_id)
        for workspace_id in workspaces * 2
    ]

    assert jobs[:3] == jobs[3:]
    assert len(set(jobs)) == 3


def test_a_key_is_free_again_when_its_job_was_deleted() -> None:
    first = enqueue_job(job_type="PROBE", idempotency_key="k")
    Job.objects.filter(pk=first.pk).delete()

    assert enqueue_job(job_type="PROBE", idempotency_key="k") != first


# Unique keys


@pytest.mark.parametrize("status", ACTIVE)
def test_one_job_of_a_unique_key_is_active(status: JobStatus) -> None:
    trait = {} if status == JobStatus.QUEUED else {status.lower(): True}
    first = JobFactory.create(probe=True, unique_key="k", **trait)

    assert enqueue_job(job_type="PROBE", unique_key="k") == first


@pytest.mark.parametrize("status", TERMINAL)
def test_a_unique_key_is_free_when_its_job_is_over(status: JobStatus) -> None:
    first = JobFactory.create(probe=True, unique_key="k", **{status.lower(): True})

    assert enqueue_job(job_type="PROBE", unique_key="k") != first


def test_of_the_jobs_of_a_unique_key_the_active_one_is_returned() -> None:
    JobFactory.create(probe=True, completed=True, unique_key="k")
    active = JobFactory.create(probe=True, unique_key="k")
    JobFactory.create(probe=True, failed=True, unique_key="k")

    assert enqueue_job(job_type="PROBE", unique_key="k") == active


def test_a_unique_key_is_one_for_all_workspaces() -> None:
    first = enqueue_job(job_type="PROBE", unique_key="k", workspace_id=uuid4())

    assert enqueue_job(job_type="PROBE", unique_key="k", workspace_id=uuid4()) == first


def test_a_key_that_stands_in_the_way_leaves_the_transaction_of_the_caller_usable() -> None:
    first = enqueue_job(job_type="PROBE", unique_key="k")

    with transaction.atomic():
        enqueue_job(job_type="PROBE", unique_key="k")
        other = enqueue_job(job_type="PROBE", unique_key="another")

    assert set(Job.objects.all()) == {first, other}


@pytest.mark.django_db(transaction=True)
def test_an_owner_that_does_not_exist_is_an_error_and_no_job_that_exists() -> None:
    nobody = get_user_model()(pk=999_999)

    with pytest.raises(IntegrityError, match="foreign key"):
        enqueue_job(job_type="PROBE", created_by=nobody, unique_key="k")

    assert not Job.objects.exists()


# After other jobs


def test_a_job_after_one_that_has_not_completed_is_blocked() -> None:
    first = enqueue_job(job_type="PROBE")

    job = enqueue_job(job_type="PROBE", after=[first])

    assert Job.objects.get(pk=job.pk).status == JobStatus.BLOCKED
    assert list(job.depends_on.all()) == [first]
    assert list(first.dependents.all()) == [job]


def test_a_blocked_job_rings_nobody(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, waiting_rings: Count
) -> None:
    first = JobFactory.create(probe=True, processing=True)

    with django_capture_on_commit_callbacks(execute=True):
        enqueue_job(job_type="PROBE", after=[first])

    assert waiting_rings(QUEUE) == 0


def test_a_ready_job_that_was_locked_to_be_followed_is_rung_for(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, waiting_rings: Count
) -> None:
    ready = JobFactory.create_batch(2)

    with django_capture_on_commit_callbacks(execute=True):
        enqueue_job(job_type="PROBE", after=ready)

    assert (waiting_rings("transcription"), waiting_rings(QUEUE)) == (1, 0)


def test_a_job_after_completed_ones_is_ready_and_rung_for(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, waiting_rings: Count
) -> None:
    done = JobFactory.create_batch(2, probe=True, completed=True)

    with django_capture_on_commit_callbacks(execute=True):
        job = enqueue_job(job_type="PROBE", after=done)

    assert Job.objects.get(pk=job.pk).status == JobStatus.QUEUED
    assert waiting_rings(QUEUE) == 1


def test_a_job_after_a_completed_and_a_running_one_is_blocked() -> None:
    jobs = [JobFactory.create(completed=True), JobFactory.create(processing=True)]

    assert enqueue_job(job_type="PROBE", after=jobs).status == JobStatus.BLOCKED


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_job_after_one_that_will_never_complete_is_refused(status: str) -> None:
    lost = JobFactory.create(**{status: True})
    others = [JobFactory.create(), JobFactory.create(completed=True)]

    with pytest.raises(InvalidJob, match=f"{lost.pk}, which is {status.upper()}"):
        enqueue_job(job_type="PROBE", after=[*others, lost])

    assert not Job.objects.filter(job_type="PROBE").exists()


def test_a_job_after_one_that_does_not_exist_is_refused() -> None:
    unknown = Job(job_type="PROBE")

    with pytest.raises(InvalidJob, match=f"does not exist: {unknown.pk}"):
        enqueue_job(job_type="PROBE", after=[JobFactory.create(), unknown])

    assert not Job.objects.filter(job_type="PROBE").exists()


def test_a_job_that_is_named_twice_is_followed_once() -> None:
    first = JobFactory.create()

    job = enqueue_job(job_type="PROBE", after=[first, Job.objects.get(pk=first.pk)])

    assert job.depends_on.count() == 1


@pytest.mark.parametrize("key", ["idempotency_key", "unique_key"])
def test_a_repeated_key_changes_nothing_in_what_a_job_follows(key: str) -> None:
    first, second = JobFactory.create_batch(2)
    names: dict[str, Any] = {key: "k"}
    job = enqueue_job(job_type="PROBE", after=[first], **names)

    again = enqueue_job(job_type="PROBE", after=[second], **names)

    assert again == job
    assert list(job.depends_on.all()) == [first]


def test_a_repeated_key_returns_the_job_even_when_what_it_was_to_follow_has_failed() -> None:
    first = JobFactory.create(probe=True, processing=True)
    job = enqueue_job(job_type="PROBE", after=[first], idempotency_key="k")
    Job.objects.fail(first, code="error", message="no use")

    again = enqueue_job(job_type="PROBE", after=[first], idempotency_key="k")

    assert again == job
    assert again.status == JobStatus.CANCELLED
