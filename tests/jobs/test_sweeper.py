"""The sweep: what must happen even when every doorbell was lost and every holder died."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from jobs.choices import JobStatus
from jobs.managers import POISON_CRASH_COUNT
from jobs.models import Job, Worker
from jobs.services import sweeper
from jobs.services.sweeper import SweepReport
from processing.models import ChunkTask, ProcessingTask
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import ChunkTaskFactory

pytestmark = pytest.mark.django_db

Count = Callable[[str], int]


@pytest.fixture
def _another_leader() -> Iterator[None]:
    """Another session that holds the lock of the leader."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [sweeper.LEADER_LOCK])
    yield
    other.close()


def test_a_sweep_with_nothing_to_do_does_nothing() -> None:
    WorkerFactory.create()
    JobFactory.create(scheduled=True)
    JobFactory.create(processing=True)

    assert sweeper.sweep() == SweepReport()


def test_work_that_is_due_becomes_ready_and_is_rung_for(waiting_rings: Count) -> None:
    job, chunk = JobFactory.create(due=True), ChunkTaskFactory.create(due=True)

    report = sweeper.sweep()

    assert report == SweepReport(promoted=2, rung=("transcription", "chunks"))
    assert Job.objects.get(pk=job.pk).status == JobStatus.QUEUED
    assert ChunkTask.objects.get(pk=chunk.pk).status == JobStatus.QUEUED
    assert (waiting_rings("transcription"), waiting_rings("chunks")) == (1, 1)


def test_work_whose_lease_ran_out_goes_back_to_its_queue_and_is_rung_for(
    waiting_rings: Count,
) -> None:
    chunk = ChunkTaskFactory.create(stalled=True)

    report = sweeper.sweep()

    chunk.refresh_from_db()
    assert report == SweepReport(requeued=1, workers_lost=1, rung=("chunks",))
    assert (chunk.status, chunk.worker, chunk.crash_count) == (JobStatus.QUEUED, None, 1)
    assert waiting_rings("chunks") == 1


def test_work_that_keeps_crashing_its_workers_is_given_up() -> None:
    chunk = ChunkTaskFactory.create(stalled=True, crash_count=POISON_CRASH_COUNT - 1)

    report = sweeper.sweep()

    chunk.refresh_from_db()
    assert report == SweepReport(poisoned=1, workers_lost=1)
    assert (chunk.status, chunk.error_code) == (JobStatus.FAILED, "poison")
    assert ProcessingTask.objects.get().failed_chunks == 1


def test_poison_of_a_type_that_is_no_longer_registered_does_not_stop_the_sweep() -> None:
    JobFactory.create(stalled=True, crash_count=POISON_CRASH_COUNT - 1, job_type="RETIRED")

    report = sweeper.sweep()

    assert report == SweepReport(poisoned=1, workers_lost=1)


def test_a_worker_that_fell_silent_is_marked_as_gone() -> None:
    gone = WorkerFactory.create(gone=True)
    live = WorkerFactory.create()

    report = sweeper.sweep()

    assert report == SweepReport(workers_lost=1)
    assert Worker.objects.get(pk=gone.pk).stopped_at is not None
    assert Worker.objects.get(pk=live.pk).stopped_at is None


def test_a_worker_is_lost_once() -> None:
    WorkerFactory.create(gone=True)
    sweeper.sweep()

    assert sweeper.sweep() == SweepReport()


def test_ready_rows_that_redis_never_heard_of_are_rung_for(waiting_rings: Count) -> None:
    JobFactory.create_batch(3)

    report = sweeper.sweep()

    assert report == SweepReport(rung=("transcription",))
    assert waiting_rings("transcription") == 3
    assert waiting_rings("chunks") == 0


def test_one_sweep_wakes_only_so_many_workers_of_a_queue(waiting_rings: Count) -> None:
    JobFactory.create_batch(sweeper.RINGS_PER_QUEUE + 5)

    sweeper.sweep()

    assert waiting_rings("transcription") == sweeper.RINGS_PER_QUEUE


@pytest.mark.usefixtures("_another_leader")
def test_a_second_sweeper_leaves_the_work_to_the_first(waiting_rings: Count) -> None:
    job = JobFactory.create(due=True)

    report = sweeper.sweep()

    job.refresh_from_db()
    assert report is None
    assert job.status == JobStatus.SCHEDULED
    assert waiting_rings("transcription") == 0


def test_the_next_sweep_is_an_interval_away_when_nothing_is_scheduled() -> None:
    JobFactory.create()

    assert sweeper.seconds_until_next_sweep() == settings.SWEEP_SECONDS


def test_the_next_sweep_is_when_the_first_scheduled_work_of_any_kind_is_due() -> None:
    JobFactory.create(scheduled=True)
    ChunkTaskFactory.create(scheduled=True, available_at=timezone.now() + timedelta(seconds=2))

    assert 0.5 < sweeper.seconds_until_next_sweep() <= 2.0


def test_work_scheduled_for_later_does_not_put_the_next_sweep_off() -> None:
    JobFactory.create(scheduled=True, available_at=timezone.now() + timedelta(hours=1))

    assert sweeper.seconds_until_next_sweep() == settings.SWEEP_SECONDS


def test_work_that_is_overdue_is_swept_for_soon_but_not_in_a_busy_loop() -> None:
    JobFactory.create(due=True)

    assert sweeper.seconds_until_next_sweep() == pytest.approx(0.05)
