"""The sweep: what must happen even when every doorbell was lost and every holder died."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone

from jobs import schedules
from jobs.choices import JobStatus
from jobs.managers.work import POISON_CRASH_COUNT
from jobs.models import Job, Work, Worker
from jobs.schedules import Schedule
from jobs.services import sweeper
from jobs.services.sweeper import SweepReport
from processing.models import ChunkTask, ProcessingTask
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import ChunkTaskFactory
from tests.jobs.conftest import QUEUE, Register

pytestmark = pytest.mark.django_db

#: What makes a job one of the type that ``register`` registers.
PROBE = {"job_type": "PROBE", "queue_name": QUEUE}

#: Work that crashes once more is poison.
LAST_CHANCE = POISON_CRASH_COUNT - 1

Count = Callable[[str], int]


@pytest.fixture(autouse=True)
def _no_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "_schedules", {})
    monkeypatch.setattr(schedules, "_seen", {})


@pytest.fixture
def _another_leader() -> Iterator[None]:
    """Another session that holds the lock of the leader."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [sweeper.LEADER_LOCK])
    yield
    other.close()


def refuse(job: Job) -> None:
    raise KeyError("processing_id")


def lose_the_database(job: Job) -> None:
    raise OperationalError("the connection is lost")


def reason(work: Work) -> tuple[str, str]:
    """Return what became of ``work``, and why."""
    work.refresh_from_db()
    return work.status, work.error_code


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


def test_work_that_nobody_wants_any_more_is_given_up_in_every_queue() -> None:
    past = timezone.now() - timedelta(seconds=1)
    job = JobFactory.create(expires_at=past)
    due = JobFactory.create(due=True, expires_at=past)
    chunk = ChunkTaskFactory.create(expires_at=past)

    report = sweeper.sweep()

    assert report == SweepReport(expired=3)
    assert [reason(work) for work in (job, due, chunk)] == [(JobStatus.FAILED, "expired")] * 3
    assert ProcessingTask.objects.get().failed_chunks == 1


def test_work_that_may_still_begin_in_time_is_kept() -> None:
    job = JobFactory.create(expires_at=timezone.now() + timedelta(minutes=1))

    report = sweeper.sweep()

    assert report == SweepReport(rung=("transcription",))
    assert reason(job) == (JobStatus.QUEUED, "")


def test_poison_whose_end_fails_stays_and_all_other_work_is_rescued(
    register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    register(lambda job: None, settled=refuse)
    stuck = JobFactory.create(stalled=True, crash_count=LAST_CHANCE, **PROBE)
    poison = JobFactory.create(stalled=True, crash_count=LAST_CHANCE, job_type="RETIRED")
    stalled = JobFactory.create(stalled=True)
    chunk = ChunkTaskFactory.create(stalled=True)

    report = sweeper.sweep()

    assert report is not None
    assert (report.requeued, report.poisoned, report.stuck) == (2, 1, 1)
    assert reason(stuck) == (JobStatus.PROCESSING, "")
    assert reason(poison) == (JobStatus.FAILED, "poison")
    assert [reason(work)[0] for work in (stalled, chunk)] == [JobStatus.QUEUED] * 2
    assert f"job {stuck.pk}" in caplog.text


def test_poison_whose_end_failed_is_given_up_once_that_works(register: Register) -> None:
    register(lambda job: None, settled=refuse)
    stuck = JobFactory.create(stalled=True, crash_count=LAST_CHANCE, **PROBE)
    sweeper.sweep()
    register(lambda job: None)

    report = sweeper.sweep()

    assert report == SweepReport(poisoned=1)
    assert reason(stuck) == (JobStatus.FAILED, "poison")


def test_expired_work_whose_end_fails_stays_and_all_other_work_ends(
    register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    register(lambda job: None, settled=refuse)
    past = timezone.now() - timedelta(seconds=1)
    stuck = JobFactory.create(expires_at=past, **PROBE)
    expired = JobFactory.create(expires_at=past)
    due = JobFactory.create(due=True)

    report = sweeper.sweep()

    assert report is not None
    assert (report.expired, report.stuck, report.promoted) == (1, 1, 1)
    assert reason(stuck) == (JobStatus.QUEUED, "")
    assert reason(expired) == (JobStatus.FAILED, "expired")
    assert reason(due)[0] == JobStatus.QUEUED
    assert f"job {stuck.pk}" in caplog.text


def test_a_database_that_goes_away_fails_the_sweep(register: Register) -> None:
    register(lambda job: None, settled=lose_the_database)
    JobFactory.create(stalled=True, crash_count=LAST_CHANCE, **PROBE)

    with pytest.raises(OperationalError):
        sweeper.sweep()


def test_what_recurs_is_enqueued_and_rung_for(register: Register, waiting_rings: Count) -> None:
    register(lambda job: None)
    schedules.register_schedule(Schedule("probe", "* * * * *", "PROBE"))

    report = sweeper.sweep()

    assert report == SweepReport(scheduled=1, rung=(QUEUE,))
    assert Job.objects.get().job_type == "PROBE"
    assert waiting_rings(QUEUE) >= 1


def test_a_schedule_that_cannot_be_enqueued_stops_nothing_else(
    register: Register, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    register(lambda job: None)
    retired = Schedule("retired", "* * * * *", "RETIRED")
    monkeypatch.setattr(schedules, "_schedules", {"retired": retired})
    schedules.register_schedule(Schedule("probe", "* * * * *", "PROBE"))
    due = JobFactory.create(due=True)

    report = sweeper.sweep()

    assert report is not None
    assert (report.promoted, report.scheduled) == (1, 1)
    assert reason(due)[0] == JobStatus.QUEUED
    assert "schedule retired" in caplog.text


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
