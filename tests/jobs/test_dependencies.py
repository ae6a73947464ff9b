"""Jobs that follow other jobs: when they begin, and when they never will."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from jobs.choices import JobStatus
from jobs.exceptions import NotRequeueable
from jobs.managers.work import POISON_CRASH_COUNT
from jobs.models import Job, JobDependency
from jobs.services.enqueueing import enqueue_job
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.jobs.conftest import QUEUE, Register
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

Count = Callable[[str], int]


@pytest.fixture(autouse=True)
def _probe(register: Register) -> None:
    register(lambda job: None)


def running(**fields: Any) -> Job:
    return JobFactory.create(probe=True, processing=True, **fields)


def after(*others: Job, **options: Any) -> Job:
    return enqueue_job(job_type="PROBE", after=others, **options)


def status_of(*jobs: Job) -> list[str]:
    """Return what the database says, in the order of ``jobs``."""
    statuses = dict(Job.objects.values_list("pk", "status"))
    return [statuses[job.pk] for job in jobs]


def fail(job: Job) -> None:
    Job.objects.fail(job, code="error", message="no use")


def cancel(job: Job) -> None:
    Job.objects.filter(pk=job.pk).cancel()


def complete_next() -> Job:
    """Do what a worker would do next."""
    [job] = Job.objects.claim(queue_name=QUEUE, worker=WorkerFactory.create())
    Job.objects.complete(job)
    return job


# Beginning


def test_a_job_begins_when_the_one_before_it_has_completed() -> None:
    first = running()
    job = after(first)

    Job.objects.complete(first)

    assert status_of(job) == [JobStatus.QUEUED]


def test_a_job_that_begins_is_ready_from_now() -> None:
    first = running()
    job = after(first)
    before = timezone.now()

    Job.objects.complete(first)

    job.refresh_from_db()
    assert before <= job.available_at <= timezone.now()


def test_a_chain_is_done_in_its_order() -> None:
    first = enqueue_job(job_type="PROBE")
    second = after(first)
    third = after(second)

    done = [complete_next() for _ in range(3)]

    assert done == [first, second, third]


def test_a_job_does_not_begin_when_only_the_one_before_the_one_before_it_has_completed() -> None:
    first = running()
    second = after(first)
    third = after(second)

    Job.objects.complete(first)

    assert status_of(second, third) == [JobStatus.QUEUED, JobStatus.BLOCKED]


def test_the_last_job_of_a_diamond_begins_when_both_sides_have_completed() -> None:
    top = running()
    left, right = after(top), after(top)
    bottom = after(left, right)
    Job.objects.complete(top)

    complete_next()
    half_done = status_of(bottom)
    complete_next()

    assert half_done == [JobStatus.BLOCKED]
    assert status_of(left, right, bottom) == ["COMPLETED", "COMPLETED", "QUEUED"]


def test_one_job_lets_many_begin() -> None:
    first = running()
    jobs = [after(first) for _ in range(5)]

    Job.objects.complete(first)

    assert status_of(*jobs) == [JobStatus.QUEUED] * 5


def test_jobs_begin_when_many_are_completed_at_once() -> None:
    first, second, third = running(), running(), running()
    of_two, of_one, of_another = after(first, second), after(third), after(second, running())

    Job.objects.complete_all([first, second, third])

    assert status_of(of_two, of_one, of_another) == ["QUEUED", "QUEUED", "BLOCKED"]


def test_jobs_begin_when_what_was_completed_beside_them_was_refused() -> None:
    first, stale = running(), running()
    job, other = after(first), after(stale)
    Job.objects.filter(pk=stale.pk).update(attempt=2)

    Job.objects.complete_all([stale, first])

    assert status_of(job, other) == [JobStatus.QUEUED, JobStatus.BLOCKED]


def test_a_retry_of_the_one_before_leaves_a_job_blocked() -> None:
    first = running()
    job = after(first)

    Job.objects.retry(first, delay_seconds=1, code="away", message="later")

    assert status_of(job) == [JobStatus.BLOCKED]


def test_a_job_begins_once() -> None:
    first = running()
    job = after(first)
    Job.objects.complete(first)
    complete_next()

    Job.objects.unblock()

    assert status_of(job) == [JobStatus.COMPLETED]


def test_what_is_deleted_after_its_end_keeps_no_job_from_beginning() -> None:
    done, first = running(), running()
    job = after(done, first)
    Job.objects.complete(done)
    Job.objects.filter(pk=done.pk).delete()

    Job.objects.complete(first)

    assert status_of(job) == [JobStatus.QUEUED]


def test_the_queues_of_jobs_that_begin_are_rung_after_the_commit(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, waiting_rings: Count
) -> None:
    first = JobFactory.create(processing=True)
    for _ in range(3):
        after(first)

    with django_capture_on_commit_callbacks(execute=True):
        Job.objects.complete(first)
        rings_before_commit = waiting_rings(QUEUE)

    assert (rings_before_commit, waiting_rings(QUEUE)) == (0, 1)


def test_nobody_is_rung_for_a_job_that_still_waits(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, waiting_rings: Count
) -> None:
    first = running()
    after(first, running())

    with django_capture_on_commit_callbacks(execute=True):
        Job.objects.complete(first)

    assert waiting_rings(QUEUE) == 0


def test_completing_a_job_that_many_follow_asks_no_more_than_for_one() -> None:
    one, many = running(), running()
    after(one)
    for _ in range(20):
        after(many)

    for_one = queries_of(lambda: Job.objects.complete(one))
    for_many = queries_of(lambda: Job.objects.complete(many))

    assert len(for_many) == len(for_one)


def test_completing_a_job_that_nothing_follows_asks_once_for_what_does() -> None:
    job = running()

    asked = [sql for sql in queries_of(lambda: Job.objects.complete(job)) if "depend" in sql]

    assert len(asked) == 1


# Unblocking by hand


@pytest.mark.django_db(transaction=True)
def test_what_nobody_unblocked_can_be_unblocked_later_outside_of_any_transaction() -> None:
    done = JobFactory.create(completed=True)
    ready = JobFactory.create(probe=True, blocked=True, after=[done])
    waiting = JobFactory.create(probe=True, blocked=True, after=[done, running()])

    count = Job.objects.unblock()

    assert count == 1
    assert status_of(ready, waiting) == [JobStatus.QUEUED, JobStatus.BLOCKED]


@pytest.mark.parametrize("status", ["failed", "cancelled", "scheduled", "processing", "blocked"])
def test_nothing_is_unblocked_by_what_has_not_completed(status: str) -> None:
    JobFactory.create(
        probe=True,
        blocked=True,
        after=[JobFactory.create(**{status: True}), JobFactory.create(completed=True)],
    )

    assert Job.objects.filter(job_type="PROBE").unblock() == 0


# Never beginning


@pytest.mark.parametrize("end", [fail, cancel], ids=["failure", "cancellation"])
def test_the_end_of_a_job_cancels_all_that_follow_it(end: Callable[[Job], None]) -> None:
    first = running()
    second = after(first)
    third = after(second)
    beside = after(first, running())

    end(first)

    assert status_of(second, third, beside) == [JobStatus.CANCELLED] * 3


def test_a_job_that_will_never_begin_says_why() -> None:
    first = running()
    second = after(first)
    third = after(second)

    fail(first)

    reasons = Job.objects.filter(pk__in=[second.pk, third.pk])
    assert set(reasons.values_list("error_code", "error_message")) == {
        ("dependency", "a job it was to follow did not complete")
    }


def test_the_diamond_below_a_failed_job_is_cancelled_once(register: Register) -> None:
    settled: list[Job] = []
    register(lambda job: None, settled=settled.append)
    top = running()
    left, right = after(top), after(top)
    bottom = after(left, right)

    fail(top)

    assert sorted(settled, key=str) == sorted([top, left, right, bottom], key=str)


def test_one_failed_side_of_a_diamond_cancels_what_needs_both() -> None:
    top = running()
    left, right = after(top), after(top)
    bottom = after(left, right)
    Job.objects.complete(top)
    [claimed] = Job.objects.filter(pk=left.pk).claim(
        queue_name=QUEUE, worker=WorkerFactory.create()
    )

    fail(claimed)

    assert status_of(left, right, bottom) == ["FAILED", "QUEUED", "CANCELLED"]


def test_poison_cancels_what_follows_it() -> None:
    poison = running(crash_count=POISON_CRASH_COUNT - 1)
    job = after(poison)

    Job.objects.filter(pk=poison.pk).rescue()

    assert status_of(poison, job) == [JobStatus.FAILED, JobStatus.CANCELLED]


def test_a_rescue_leaves_what_follows_blocked() -> None:
    first = running()
    job = after(first)

    Job.objects.filter(pk=first.pk).rescue()

    assert status_of(first, job) == [JobStatus.QUEUED, JobStatus.BLOCKED]


@pytest.mark.parametrize("status", ["", "scheduled", "blocked"])
def test_a_job_that_expires_cancels_what_follows_it(status: str) -> None:
    first = JobFactory.create(
        probe=True,
        expires_at=timezone.now() - timedelta(seconds=1),
        **({status: True} if status else {}),
    )
    second = JobFactory.create(probe=True, blocked=True, after=[first])
    third = JobFactory.create(probe=True, blocked=True, after=[second])

    expired = Job.objects.expire()

    assert expired == [first.pk]
    assert status_of(first, second, third) == ["FAILED", "CANCELLED", "CANCELLED"]


def test_a_blocked_job_that_expires_is_given_up_and_the_one_before_it_goes_on() -> None:
    first = running()
    job = JobFactory.create(
        probe=True,
        blocked=True,
        after=[first],
        expires_at=timezone.now() - timedelta(seconds=1),
    )

    Job.objects.expire()

    assert Job.objects.complete(first) is True
    assert status_of(first, job) == [JobStatus.COMPLETED, JobStatus.FAILED]


def test_a_failed_and_a_completed_job_at_once_let_nothing_begin_that_needs_both() -> None:
    good, bad = running(), running()
    job = after(good, bad)
    Job.objects.complete(good)

    fail(bad)

    assert status_of(job) == [JobStatus.CANCELLED]


def test_what_was_cancelled_by_hand_is_not_touched_by_the_end_of_the_one_before() -> None:
    first = running()
    job = after(first)
    Job.objects.filter(pk=job.pk).cancel(error_code="unwanted")

    fail(first)

    job.refresh_from_db()
    assert job.error_code == "unwanted"


def test_a_chain_of_a_thousand_jobs_is_cancelled_with_its_first() -> None:
    chain = Job.objects.bulk_create(
        Job(job_type="PROBE", queue_name=QUEUE, status=JobStatus.BLOCKED) for _ in range(1_000)
    )
    first = running()
    JobDependency.objects.bulk_create(
        JobDependency(job=job, depends_on=before)
        for before, job in zip([first, *chain], chain, strict=False)
    )

    fail(first)

    assert Job.objects.filter(status=JobStatus.CANCELLED).count() == 1_000


def test_what_follows_a_cancelled_job_is_done_for_each_in_its_chain(register: Register) -> None:
    settled: list[tuple[Job, str]] = []
    register(lambda job: None, settled=lambda job: settled.append((job, job.error_code)))
    first = running()
    second = after(first)

    cancel(first)

    assert settled == [(first, ""), (second, "dependency")]


def test_nothing_ends_when_what_follows_from_the_end_of_a_dependent_fails(
    register: Register,
) -> None:
    first = running()
    second = after(first)

    def settled(job: Job) -> None:
        if job == second:
            raise ZeroDivisionError

    register(lambda job: None, settled=settled)

    with pytest.raises(ZeroDivisionError):
        fail(first)

    assert status_of(first, second) == [JobStatus.PROCESSING, JobStatus.BLOCKED]


# Doing it after all


def test_a_cancelled_dependent_is_not_requeued_before_what_it_follows_has_completed() -> None:
    first = running()
    job = after(first)
    fail(first)

    with pytest.raises(NotRequeueable, match="has not completed"):
        Job.objects.requeue(job)

    assert status_of(job) == [JobStatus.CANCELLED]


def test_a_cancelled_dependent_is_requeued_once_what_it_follows_has_completed() -> None:
    first = running()
    job = after(first)
    fail(first)
    Job.objects.requeue(first)
    complete_next()

    assert Job.objects.requeue(job) is True
    assert status_of(first, job) == [JobStatus.COMPLETED, JobStatus.QUEUED]


def test_a_requeue_leaves_what_was_cancelled_with_the_job_cancelled() -> None:
    first = running()
    job = after(first)
    fail(first)

    Job.objects.requeue(first)

    assert status_of(first, job) == [JobStatus.QUEUED, JobStatus.CANCELLED]


# Rows that cannot be


def test_a_job_that_follows_itself_is_refused() -> None:
    job = JobFactory.create()

    with pytest.raises(IntegrityError, match="job_dependency_not_on_itself"):
        JobDependency.objects.create(job=job, depends_on=job)


def test_a_dependency_that_is_named_twice_is_refused() -> None:
    first = JobFactory.create()
    job = JobFactory.create(blocked=True, after=[first])

    with pytest.raises(IntegrityError, match="job_dependency_named_once"):
        JobDependency.objects.create(job=job, depends_on=first)
