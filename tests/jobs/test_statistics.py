"""What is counted and timed of jobs, against the same in plain Python."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone

from jobs.choices import ACTIVE, TERMINAL, JobStatus
from jobs.managers.job import JobStatistics, Spread
from jobs.models import Job
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

WINDOW = timedelta(hours=1)
KINDS = [("chunks", "A"), ("transcription", "A"), ("transcription", "B"), ("transcription", "C")]


def some_jobs(count: int, *, seed: int) -> list[Job]:
    """Make jobs of every kind and status, some of which ended before the window."""
    chance = random.Random(seed)  # noqa: S311  nothing secret
    now = timezone.now()
    jobs = []
    for _ in range(count):
        queue_name, job_type = chance.choice(KINDS)
        status = chance.choice(list(JobStatus))
        available_at = now - timedelta(seconds=chance.uniform(0, 9_000))
        has_started = status in (JobStatus.PROCESSING, JobStatus.COMPLETED) or (
            status in TERMINAL and chance.random() < 0.5
        )
        # clocks differ: some begin before the time that another process wrote
        started_at = available_at + timedelta(seconds=chance.uniform(-1, 600))
        ended_at = max(started_at, available_at) + timedelta(seconds=chance.expovariate(1 / 300))
        jobs.append(
            Job(
                queue_name=queue_name,
                job_type=job_type,
                status=status,
                available_at=available_at,
                started_at=started_at if has_started else None,
                completed_at=ended_at if status in TERMINAL else None,
                lease_expires_at=now if status == JobStatus.PROCESSING else None,
            )
        )
    return Job.objects.bulk_create(jobs)


def waited(job: Any) -> timedelta:
    span: timedelta = job.started_at - job.available_at
    return span


def ran(job: Any) -> timedelta:
    span: timedelta = job.completed_at - job.started_at
    return span


def spread_of(values: Sequence[timedelta]) -> Any:
    if not values:
        return Spread()
    seconds = [value.total_seconds() for value in values]
    return pytest.approx(list(np.percentile(seconds, [50, 95, 99])), abs=1e-5)


def expected(jobs: Sequence[Job], now: datetime) -> list[dict[str, Any]]:
    """Count and time jobs in the plainest way there is."""
    found = []
    for kind in KINDS:
        own = [job for job in jobs if (job.queue_name, job.job_type) == kind]
        ended = [job for job in own if job.completed_at and job.completed_at >= now - WINDOW]
        seen = [job for job in own if job.status in ACTIVE] + ended
        if not seen:
            continue
        ready = [now - job.available_at for job in own if job.status == JobStatus.QUEUED]
        begun = [job for job in ended if job.started_at]
        completed = sum(job.status == JobStatus.COMPLETED for job in ended)
        found.append(
            {
                "kind": kind,
                "counts": {
                    status: sum(job.status == status for job in seen) for status in JobStatus.values
                },
                "oldest": pytest.approx(max(ready).total_seconds(), abs=30) if ready else None,
                "wait": spread_of([max(waited(job), timedelta()) for job in begun]),
                "run": spread_of([ran(job) for job in begun]),
                "throughput": completed / WINDOW.total_seconds(),
            }
        )
    return found


def told(statistics: JobStatistics) -> dict[str, Any]:
    def in_seconds(spread: Spread) -> Any:
        return spread if spread == Spread() else [spread.p50, spread.p95, spread.p99]

    return {
        "kind": (statistics.queue_name, statistics.job_type),
        "counts": statistics.counts,
        "oldest": statistics.oldest_seconds,
        "wait": in_seconds(statistics.wait),
        "run": in_seconds(statistics.run),
        "throughput": statistics.throughput_per_second,
    }


# Against the oracle


@pytest.mark.parametrize(("count", "seed"), [(1, 1), (2, 2), (5, 3), (30, 4), (300, 5), (300, 6)])
def test_statistics_are_what_plain_python_counts_and_times(count: int, seed: int) -> None:
    jobs = some_jobs(count, seed=seed)

    statistics = Job.objects.statistics(window=WINDOW)

    assert [told(row) for row in statistics] == expected(jobs, timezone.now())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_statistics_of_some_jobs_are_those_of_these_alone(seed: int) -> None:
    jobs = some_jobs(200, seed=seed)
    own = jobs[::2]
    Job.objects.filter(pk__in=[job.pk for job in own]).update(workspace_id=(mine := uuid4()))

    statistics = Job.objects.in_workspace(mine).statistics(window=WINDOW)

    assert [told(row) for row in statistics] == expected(own, timezone.now())


# Facts


def test_statistics_of_nothing_are_empty() -> None:
    assert Job.objects.statistics() == []


def test_statistics_come_in_the_order_of_queues_and_types() -> None:
    for queue_name, job_type in reversed(KINDS):
        JobFactory.create(queue_name=queue_name, job_type=job_type)

    statistics = Job.objects.statistics()

    assert [(row.queue_name, row.job_type) for row in statistics] == KINDS


def test_counts_name_every_status() -> None:
    JobFactory.create()

    [row] = Job.objects.statistics()

    assert row.counts == dict.fromkeys(JobStatus.values, 0) | {"QUEUED": 1}


def test_statistics_ask_as_often_for_many_jobs_as_for_one() -> None:
    JobFactory.create()
    for_one = queries_of(Job.objects.statistics)
    some_jobs(200, seed=7)

    for_many = queries_of(Job.objects.statistics)

    assert len(for_many) == len(for_one) == 5


@pytest.mark.parametrize("status", TERMINAL)
def test_what_ended_before_the_window_is_not_there(status: JobStatus) -> None:
    before = timezone.now() - WINDOW - timedelta(seconds=1)
    JobFactory.create(**{status.lower(): True}, completed_at=before)

    assert Job.objects.statistics(window=WINDOW) == []


def test_what_ended_before_the_window_is_counted_in_a_longer_one() -> None:
    before = timezone.now() - WINDOW - timedelta(seconds=1)
    JobFactory.create(completed=True, completed_at=before, started_at=before)

    [row] = Job.objects.statistics(window=2 * WINDOW)

    assert row.counts["COMPLETED"] == 1
    assert row.throughput_per_second == pytest.approx(1 / 7_200)


def test_a_job_that_began_before_the_window_and_ended_in_it_is_timed_in_full() -> None:
    now = timezone.now()
    JobFactory.create(
        completed=True,
        available_at=now - timedelta(hours=5),
        started_at=now - timedelta(hours=3),
        completed_at=now - timedelta(minutes=1),
    )

    [row] = Job.objects.statistics(window=WINDOW)

    assert row.wait.p50 == pytest.approx(2 * 3_600)
    assert row.run.p50 == pytest.approx(3 * 3_600 - 60)


def test_a_job_that_never_began_took_no_time() -> None:
    JobFactory.create(cancelled=True)

    [row] = Job.objects.statistics()

    assert (row.counts["CANCELLED"], row.wait, row.run) == (1, Spread(), Spread())


def test_a_job_that_began_before_its_time_did_not_wait() -> None:
    now = timezone.now()
    JobFactory.create(
        completed=True, available_at=now, started_at=now - timedelta(seconds=1), completed_at=now
    )

    [row] = Job.objects.statistics()

    assert row.wait == Spread(0.0, 0.0, 0.0)


def test_percentiles_are_interpolated() -> None:
    now = timezone.now()
    for seconds in (10, 20):
        started_at = now - timedelta(seconds=seconds)
        JobFactory.create(completed=True, started_at=started_at, completed_at=now)

    [row] = Job.objects.statistics()

    assert [row.run.p50, row.run.p95, row.run.p99] == pytest.approx([15.0, 19.5, 19.9])


def test_only_ready_jobs_have_an_oldest() -> None:
    JobFactory.create(available_at=timezone.now() - timedelta(minutes=2))
    JobFactory.create(blocked=True, available_at=timezone.now() - timedelta(days=2))
    JobFactory.create(processing=True, available_at=timezone.now() - timedelta(days=3))

    [row] = Job.objects.statistics()

    assert row.oldest_seconds == pytest.approx(120, abs=30)


# Position


def claim_all(count: int) -> list[Job]:
    worker = WorkerFactory.create()
    return Job.objects.claim(queue_name="transcription", worker=worker, limit=count)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_position_is_the_place_in_what_is_sorted_by_deadline_and_id(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  nothing secret
    now = timezone.now()
    due_by = [now + timedelta(seconds=chance.randrange(8)) for _ in range(40)]
    jobs = [JobFactory.create(due_by=moment) for moment in due_by]
    JobFactory.create_batch(3, queue_name="chunks", due_by=now)
    JobFactory.create_batch(3, processing=True, due_by=now)
    JobFactory.create_batch(3, blocked=True, due_by=now)
    in_order = sorted(jobs, key=lambda job: (job.due_by, job.pk))

    positions = [Job.objects.position(job) for job in in_order]

    assert positions == list(range(1, 41))


def test_jobs_are_claimed_in_the_order_of_their_positions() -> None:
    jobs = [JobFactory.create() for _ in range(10)]
    positions = {job: Job.objects.position(job) for job in jobs}

    claimed = claim_all(10)

    assert [positions[job] for job in claimed] == list(range(1, 11))


def test_a_position_is_one_less_when_a_job_before_it_was_claimed() -> None:
    jobs = JobFactory.create_batch(3)
    last = max(jobs, key=lambda job: (job.due_by, job.pk))

    claim_all(1)

    assert Job.objects.position(last) == 2


def test_a_position_counts_the_whole_queue_and_not_the_rows_of_a_queryset() -> None:
    first, second = JobFactory.create_batch(2)

    assert Job.objects.filter(pk=second.pk).position(second) == 2
    assert Job.objects.none().position(first) == 1


@pytest.mark.parametrize("status", [status for status in JobStatus if status != JobStatus.QUEUED])
def test_what_does_not_wait_for_a_worker_has_no_position(status: JobStatus) -> None:
    job = JobFactory.create(**{status.lower(): True})

    assert Job.objects.position(job) is None
