"""What a worker does on a ring, and how it judges what a handler raised."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import handlers
from jobs.choices import JobStatus
from jobs.exceptions import PermanentError, Postponed, TransientError
from jobs.handlers import WorkSource
from jobs.models import Job
from jobs.services import drain as drain_module
from jobs.services.retry import RetryHandler
from jobs.services.runner import JobRunner
from processing.choices import CHUNK_QUEUE
from processing.engines.base import Segment, Speech, Word
from processing.models import ChunkTask, ProcessingTask
from processing.services.hearing import stored
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import ChunkTaskFactory, ProcessingTaskFactory
from tests.jobs.conftest import QUEUE, Register

#: A runner looks after its connection between jobs, which it can only outside of a transaction.
pytestmark = pytest.mark.django_db(transaction=True)

Count = Callable[[str], int]


class NoMoreMinutes(PermanentError):
    code = "quota"


def make_job(**fields: object) -> Job:
    job: Job = JobFactory.create(job_type="PROBE", queue_name=QUEUE, **fields)
    return job


def drain(queue_name: str = QUEUE) -> int:
    return JobRunner(worker=WorkerFactory.create()).drain(queue_name)


def raising(error: Exception) -> Callable[[Job], None]:
    def run(job: Job) -> None:
        raise error

    return run


# Outcomes


def test_a_job_whose_handler_returns_is_completed(register: Register) -> None:
    job = make_job()
    done: list[Job] = []
    register(done.append)

    count = drain()

    job.refresh_from_db()
    assert (count, done) == (1, [job])
    assert (job.status, job.attempt, job.error_code) == (JobStatus.COMPLETED, 1, "")


def test_what_follows_from_an_end_is_done_with_it(register: Register) -> None:
    make_job()
    seen: list[str] = []
    register(lambda job: None, settled=lambda job: seen.append(job.status))

    drain()

    assert seen == [JobStatus.COMPLETED]


def test_an_end_whose_consequences_fail_did_not_happen(register: Register) -> None:
    job = make_job()
    register(lambda job: None, settled=raising(LookupError("no such row")))

    drain()

    job.refresh_from_db()
    assert (job.status, job.error_message) == (JobStatus.SCHEDULED, "LookupError: no such row")


def test_a_transient_error_reschedules_the_job_for_retry_after(register: Register) -> None:
    job = make_job()
    register(raising(TransientError("slow down", retry_after_seconds=90)))
    before = timezone.now()

    drain()

    job.refresh_from_db()
    assert (job.status, job.error_code, job.error_message) == (
        JobStatus.SCHEDULED,
        "transient",
        "slow down",
    )
    assert timedelta(seconds=89) < job.available_at - before < timedelta(seconds=99)


def test_a_transient_error_without_retry_after_backs_off(register: Register) -> None:
    job = make_job(attempt=1)
    register(raising(TransientError("away")))
    retry_handler = RetryHandler(base_seconds=1_000_000.0, cap_seconds=1_000_000.0)
    before = timezone.now()

    JobRunner(worker=WorkerFactory.create(), retry_handler=retry_handler).drain(QUEUE)

    job.refresh_from_db()
    assert job.status == JobStatus.SCHEDULED
    assert job.available_at > before + timedelta(seconds=1)


def test_what_could_not_begin_is_tried_again_and_has_as_many_attempts_as_before(
    register: Register,
) -> None:
    job = make_job(max_attempts=1)
    register(raising(Postponed("the limit is used up", seconds=90)))
    before = timezone.now()

    drain()

    job.refresh_from_db()
    assert (job.status, job.attempt, job.max_attempts) == (JobStatus.SCHEDULED, 1, 2)
    assert (job.error_code, job.error_message) == ("postponed", "the limit is used up")
    assert timedelta(seconds=89) < job.available_at - before < timedelta(seconds=99)


@pytest.mark.parametrize(
    "waits",
    [
        pytest.param({"created_at": timedelta(hours=-25)}, id="longer than a day"),
        pytest.param({"expires_at": timedelta(seconds=60)}, id="until it expires"),
    ],
)
def test_what_can_never_begin_fails_for_the_reason_that_it_was_postponed_for(
    register: Register, waits: dict[str, timedelta]
) -> None:
    job = make_job()
    Job.objects.update(**{name: timezone.now() + span for name, span in waits.items()})
    register(raising(Postponed("the limit is used up", seconds=90)))

    drain()

    job.refresh_from_db()
    assert (job.status, job.error_code) == (JobStatus.FAILED, "postponed")


def test_a_permanent_error_fails_the_job_at_once_with_its_code(register: Register) -> None:
    job = make_job()
    register(raising(NoMoreMinutes("the month is used up")))

    drain()

    job.refresh_from_db()
    assert (job.status, job.attempt) == (JobStatus.FAILED, 1)
    assert (job.error_code, job.error_message) == ("quota", "the month is used up")


def test_an_unknown_error_is_tried_again_until_the_attempts_are_used_up(
    register: Register,
) -> None:
    job, attempts = make_job(max_attempts=3), []

    def run(job: Job) -> None:
        attempts.append(job.attempt)
        raise RuntimeError("who knows")

    register(run)

    drain()
    Job.objects.update(available_at=timezone.now())
    Job.objects.promote()
    drain()
    Job.objects.update(available_at=timezone.now())
    Job.objects.promote()
    drain()

    job.refresh_from_db()
    assert attempts == [1, 2, 3]
    assert (job.status, job.error_code) == (JobStatus.FAILED, "error")
    assert job.error_message == "RuntimeError: who knows"


def test_a_transient_error_of_the_last_attempt_fails_the_job_with_its_code(
    register: Register,
) -> None:
    job = make_job(max_attempts=1)
    register(raising(TransientError("still away", retry_after_seconds=1)))

    drain()

    job.refresh_from_db()
    assert (job.status, job.error_code) == (JobStatus.FAILED, "transient")


def test_the_reason_of_an_earlier_attempt_is_not_kept_by_a_success(register: Register) -> None:
    job = make_job(attempt=1, error_code="transient", error_message="away")
    register(lambda job: None)

    drain()

    job.refresh_from_db()
    assert job.status == JobStatus.COMPLETED
    assert (job.error_code, job.error_message) == ("", "")


def test_a_job_of_a_type_that_is_no_longer_registered_fails_and_says_so(
    register: Register,
) -> None:
    register(lambda job: None)
    job = make_job()
    Job.objects.update(job_type="RETIRED")

    count = drain()

    job.refresh_from_db()
    assert count == 1
    assert (job.status, job.error_code) == (JobStatus.FAILED, "unknown_job_type")


def test_an_error_that_no_database_can_store_is_stored_without_what_it_cannot(
    register: Register,
) -> None:
    job = make_job(max_attempts=1)
    register(raising(RuntimeError("bad\x00byte")))

    drain()

    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert job.error_message.startswith("RuntimeError: bad")


def test_the_result_of_a_job_that_was_cancelled_meanwhile_is_refused(
    register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    job = make_job()
    register(lambda job: Job.objects.filter(pk=job.pk).cancel() and None)

    count = drain()

    job.refresh_from_db()
    assert (count, job.status) == (1, JobStatus.CANCELLED)
    assert "came too late and was refused" in caplog.text


def test_the_failure_of_a_job_that_was_cancelled_meanwhile_is_refused(
    register: Register,
) -> None:
    job = make_job()

    def run(job: Job) -> None:
        Job.objects.filter(pk=job.pk).cancel()
        raise NoMoreMinutes("too late")

    register(run)

    drain()

    job.refresh_from_db()
    assert (job.status, job.error_code) == (JobStatus.CANCELLED, "")


def test_the_result_of_a_chunk_is_stored_and_counted() -> None:
    processing = ProcessingTaskFactory.create(processing=True)
    chunk = ChunkTaskFactory.create(processing=processing)
    heard = stored(Speech((Segment((Word("heard", 0.0, 0.5, 0.9),)),), "en"))
    ChunkTaskFactory.create(
        processing=processing, completed=True, cache_key=chunk.cache_key, result=heard
    )

    drain(CHUNK_QUEUE)

    chunk.refresh_from_db()
    assert (chunk.status, chunk.result, chunk.is_reused) == (JobStatus.COMPLETED, heard, True)
    assert ProcessingTask.objects.get().completed_chunks == 2


def test_a_chunk_of_a_run_that_is_over_fails_without_being_heard() -> None:
    chunk = ChunkTaskFactory.create(processing=ProcessingTaskFactory.create(cancelled=True))

    drain(CHUNK_QUEUE)

    assert ChunkTask.objects.get().status == JobStatus.FAILED
    assert ChunkTask.objects.get().error_message == "its processing is CANCELLED"
    assert chunk.processing.completed_chunks == 0


# Slices, rings, stopping


def test_a_drain_runs_all_that_is_ready_in_the_order_of_deadlines(register: Register) -> None:
    now = timezone.now()
    late = make_job(due_by=now + timedelta(hours=1))
    soon = make_job(due_by=now)
    done: list[Job] = []
    register(done.append)

    count = drain()

    assert (count, done) == (2, [soon, late])


def test_a_drain_leaves_other_queues_alone(register: Register) -> None:
    other = JobFactory.create(queue_name="transcription")
    register(lambda job: None)

    count = drain()

    other.refresh_from_db()
    assert (count, other.status) == (0, JobStatus.QUEUED)


def test_what_a_handler_enqueues_on_the_same_queue_is_done_in_the_same_drain(
    register: Register,
) -> None:
    make_job()
    register(lambda job: Job.objects.count() < 3 and make_job() and None)

    assert drain() == 3


def test_a_worker_wakes_another_for_each_job_it_leaves_ready(
    register: Register, waiting_rings: Count
) -> None:
    make_job()
    make_job()
    rings_seen: list[int] = []
    register(lambda job: rings_seen.append(waiting_rings(QUEUE)))

    drain()

    assert rings_seen == [1, 1]


def test_the_last_ready_job_wakes_nobody(register: Register, waiting_rings: Count) -> None:
    make_job()
    register(lambda job: None)

    drain()

    assert waiting_rings(QUEUE) == 0


def test_a_slice_that_is_over_leaves_the_rest_and_rings_for_it(
    register: Register, waiting_rings: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain_module, "SLICE_SECONDS", 0.0)
    make_job()
    make_job()
    make_job()
    register(lambda job: None)

    count = drain()

    assert count == 1
    assert Job.objects.ready().count() == 2
    assert waiting_rings(QUEUE) == 2


def test_a_slice_does_at_least_one_job(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain_module, "SLICE_SECONDS", -1.0)
    make_job()
    register(lambda job: None)

    assert drain() == 1


def test_a_worker_that_is_stopping_claims_nothing(register: Register) -> None:
    job = make_job()
    register(lambda job: None)

    count = JobRunner(worker=WorkerFactory.create(), is_stopping=lambda: True).drain(QUEUE)

    job.refresh_from_db()
    assert (count, job.status, job.attempt) == (0, JobStatus.QUEUED, 0)


def test_a_worker_that_is_told_to_stop_finishes_the_job_it_has(register: Register) -> None:
    make_job()
    make_job()
    done: list[Job] = []
    register(done.append)

    count = JobRunner(worker=WorkerFactory.create(), is_stopping=lambda: bool(done)).drain(QUEUE)

    assert count == 1
    assert sorted(Job.objects.values_list("status", flat=True)) == [
        JobStatus.COMPLETED,
        JobStatus.QUEUED,
    ]


def test_one_broken_job_does_not_keep_a_worker_from_the_next(register: Register) -> None:
    now = timezone.now()
    make_job(due_by=now, payload={"broken": True})
    sound = make_job(due_by=now + timedelta(seconds=1), payload={"broken": False})

    def run(job: Job) -> None:
        if job.payload["broken"]:
            raise RuntimeError

    register(run)

    count = drain()

    sound.refresh_from_db()
    assert (count, sound.status) == (2, JobStatus.COMPLETED)


def test_a_result_that_no_database_can_store_fails_the_job_and_not_the_worker(
    register: Register,
) -> None:
    register(lambda job: None)
    bad = {"payload": {"bytes": "bad\x00byte"}}
    handlers.register_work(QUEUE, WorkSource(Job, lambda job: bad))
    job = make_job(max_attempts=1)

    drain()

    job.refresh_from_db()
    assert (job.status, job.error_code) == (JobStatus.FAILED, "error")
