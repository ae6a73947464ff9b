"""Ends of jobs at the same moment: one wins each row, and what follows happens once."""

import random
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from jobs.choices import TERMINAL, JobStatus
from jobs.exceptions import NotRequeueable
from jobs.models import Job, Worker
from jobs.services.bulk import bulk_enqueue
from jobs.services.enqueueing import enqueue_job
from jobs.services.requests import JobRequest
from tests.concurrency.threads import at_once
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.jobs.conftest import QUEUE

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("probe")]

THREADS = 8


def running(count: int, **fields: Any) -> list[Job]:
    return JobFactory.create_batch(count, probe=True, processing=True, **fields)


def after(*others: Job) -> Job:
    return enqueue_job(job_type="PROBE", after=others)


def among(jobs: list[Job]) -> Any:
    return Job.objects.filter(pk__in=[job.pk for job in jobs])


def moved_about(jobs: list[Job]) -> list[Job]:
    """Return jobs in another order, and put their rows into it: so a table is after a while."""
    random.shuffle(jobs)
    for job in jobs:
        among([job]).update(error_message="moved")
    return jobs


def statuses(jobs: list[Job]) -> set[str]:
    return set(among(jobs).values_list("status", flat=True))


def complete_all(jobs: list[Job]) -> set[UUID]:
    return {job.pk for job in Job.objects.complete_all(jobs)}


def cancel(jobs: list[Job]) -> set[UUID]:
    return set(among(jobs).cancel())


def rescue(worker: Worker) -> set[UUID]:
    return set(Job.objects.held_by([worker.pk]).rescue().requeued)


def fail(job: Job) -> bool:
    return Job.objects.fail(job, code="error", message="no use")


# One winner per row


@pytest.mark.parametrize("attempt", range(5))
def test_one_of_completion_rescue_and_cancellation_wins_each_row(attempt: int) -> None:
    worker = WorkerFactory.create()
    jobs = moved_about(running(60, worker=worker))

    first, second, rescued, cancelled = at_once(
        [
            partial(complete_all, jobs[:30]),
            partial(complete_all, jobs[30:]),
            partial(rescue, worker),
            partial(cancel, jobs),
        ]
    )

    # Whatever was rescued was QUEUED again, and may have been cancelled after that.
    ends = Counter([*first, *second, *cancelled])
    completed = first | second
    found = dict(among(jobs).values_list("pk", "status"))
    assert set(ends.values()) <= {1}
    assert rescued.isdisjoint(completed)
    assert {pk for pk, status in found.items() if status == JobStatus.COMPLETED} == completed
    assert {pk for pk, status in found.items() if status == JobStatus.CANCELLED} == cancelled
    assert {pk for pk, status in found.items() if status == JobStatus.QUEUED} == (
        rescued - cancelled
    )
    assert completed | cancelled | rescued == set(found)


def test_the_same_batch_completed_by_many_is_completed_once() -> None:
    jobs = running(40)

    accepted = at_once([partial(complete_all, jobs) for _ in range(THREADS)])

    assert Counter(pk for pks in accepted for pk in pks) == Counter(job.pk for job in jobs)


def test_batches_that_overlap_complete_each_row_once() -> None:
    jobs = running(60)
    batches = [random.sample(jobs, 40) for _ in range(THREADS)]

    accepted = at_once([partial(complete_all, batch) for batch in batches])

    counts = Counter(pk for pks in accepted for pk in pks)
    assert set(counts.values()) == {1}
    assert counts.keys() == {job.pk for batch in batches for job in batch}


def test_a_cancellation_and_other_priorities_of_the_same_jobs_wait_for_nobody() -> None:
    bulk_enqueue(JobRequest("PROBE") for _ in range(1_000))
    jobs = list(Job.objects.all())
    calls: list[Callable[[], Any]] = [
        partial(Job.objects.reprioritise, priority) for priority in (1, 2, 3, 4)
    ]
    calls.append(partial(cancel, jobs))

    at_once(calls)

    assert statuses(jobs) == {JobStatus.CANCELLED}


def test_a_failed_job_is_requeued_once_however_many_ask() -> None:
    job = JobFactory.create(probe=True, failed=True, attempt=3)

    requeued = at_once([partial(Job.objects.requeue, job) for _ in range(THREADS)])

    assert sorted(requeued) == [False] * (THREADS - 1) + [True]
    assert Job.objects.get().max_attempts == 6


def test_of_two_failed_jobs_with_one_unique_key_one_is_requeued() -> None:
    jobs = JobFactory.create_batch(THREADS, probe=True, failed=True, unique_key="k")

    def requeue(job: Job) -> bool:
        try:
            return Job.objects.requeue(job)
        except NotRequeueable:
            return False

    requeued = at_once([partial(requeue, job) for job in jobs])

    assert sorted(requeued) == [False] * (THREADS - 1) + [True]
    assert Job.objects.active().count() == 1


# What follows


@pytest.mark.parametrize("attempt", range(5))
def test_a_job_begins_once_when_all_it_follows_complete_at_once(attempt: int) -> None:
    others = running(THREADS)
    job = after(*others)

    at_once([partial(Job.objects.complete, other) for other in others])

    worker = WorkerFactory.create()
    assert Job.objects.claim(queue_name=QUEUE, worker=worker, limit=5) == [job]


@pytest.mark.parametrize("attempt", range(5))
def test_jobs_begin_once_when_what_they_follow_is_completed_in_batches(attempt: int) -> None:
    others = running(24)
    jobs = [after(*random.sample(others, 5)) for _ in range(20)]

    at_once([partial(complete_all, others[part::4]) for part in range(4)])

    assert statuses(jobs) == {JobStatus.QUEUED}


@pytest.mark.parametrize("attempt", range(5))
def test_a_job_never_begins_when_one_it_follows_fails_while_others_complete(attempt: int) -> None:
    *good, bad = running(6)
    job = after(*good, bad)

    at_once([*[partial(Job.objects.complete, other) for other in good], partial(fail, bad)])

    assert statuses([job]) == {JobStatus.CANCELLED}


@pytest.mark.parametrize("attempt", range(8))
def test_cancelling_all_while_they_complete_leaves_nothing_blocked(attempt: int) -> None:
    others = running(6)
    followers = [after(*others) for _ in range(6)]
    last = after(*followers)
    jobs = [*others, *followers, last]
    ends: list[Callable[[], Any]] = [partial(Job.objects.complete, other) for other in others]
    ends.append(partial(cancel, jobs))

    at_once(ends)

    # What could begin before the cancellation came to it is cancelled all the same.
    assert statuses(others) <= {*TERMINAL}
    assert statuses([*followers, last]) == {JobStatus.CANCELLED}


@pytest.mark.parametrize("attempt", range(5))
def test_ends_of_a_web_of_jobs_do_not_wait_for_each_other(attempt: int) -> None:
    others = running(6)
    web: list[Job] = [*others]
    for _ in range(20):
        web.append(after(*random.sample(web, 3)))
    ends: list[Callable[[], Any]] = [
        *[partial(Job.objects.complete, other) for other in others[:3]],
        *[partial(fail, other) for other in others[3:5]],
        partial(cancel, others[5:]),
    ]

    at_once(ends)

    lost = {other.pk for other in others[3:]}
    for job in web[6:]:
        if lost & set(job.depends_on.values_list("pk", flat=True)):
            lost.add(job.pk)
    cancelled = among(web[6:]).filter(status=JobStatus.CANCELLED)
    assert set(cancelled.values_list("pk", flat=True)) == lost - {other.pk for other in others}
    assert statuses([other for other in others if other.pk not in lost]) == {JobStatus.COMPLETED}
