"""Rows that a worker claims together: recorded together, failing alone, stuck behind nothing."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from redis import Redis

from jobs import handlers, queues
from jobs.choices import JobStatus
from jobs.exceptions import QuotaExceeded, TransientError
from jobs.handlers import JobHandler, job_source
from jobs.models import Job
from jobs.services import drain
from jobs.services.bulk import bulk_enqueue
from jobs.services.requests import JobRequest
from jobs.services.retry import RetryHandler
from jobs.services.runner import JobRunner
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.jobs.conftest import QUEUE, Register
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

Count = Callable[[str], int]

THREADS = 4


def enqueue(count: int) -> list[Job]:
    bulk_enqueue(JobRequest("PROBE", {"number": number}) for number in range(count))
    return list(Job.objects.order_by("due_by", "id"))


def enqueue_in_order(count: int) -> list[Job]:
    """Enqueue jobs that are due in the order of their numbers."""
    due_by = timezone.now()
    return [
        JobFactory.create(
            job_type="PROBE",
            queue_name=QUEUE,
            payload={"number": number},
            due_by=due_by + timedelta(seconds=number),
        )
        for number in range(count)
    ]


def make_runner() -> JobRunner:
    return JobRunner(worker=WorkerFactory.create())


def warmed_up(runner: JobRunner, *, limit: int = 50) -> JobRunner:
    """A runner that knows the queue's rows to be quick."""
    pace = runner.pace_of(QUEUE)
    pace.limit, pace.seconds_per_row = limit, 1e-4
    return runner


def statuses() -> set[str]:
    return set(Job.objects.values_list("status", flat=True))


@pytest.fixture
def register_threaded(register: Register) -> Register:
    """Register ``PROBE`` on a queue whose rows a worker does several at once."""

    def register_probe(run: Callable[[Job], None]) -> None:
        register(run)
        handlers.register_work(QUEUE, job_source(threads=THREADS))

    return register_probe


# One by one


def test_every_row_of_a_batch_is_run_once_and_completed(register: Register) -> None:
    ran: list[int] = []
    register(lambda job: ran.append(job.payload["number"]))
    enqueue(230)

    count = warmed_up(make_runner()).drain(QUEUE)

    assert count == 230
    assert sorted(ran) == list(range(230))
    assert statuses() == {JobStatus.COMPLETED}


def test_rows_are_run_in_the_order_of_their_deadlines(register: Register) -> None:
    ran: list[str] = []
    register(lambda job: ran.append(str(job.pk)))
    expected = [str(job.pk) for job in enqueue(60)]

    warmed_up(make_runner()).drain(QUEUE)

    assert ran == expected


def test_claiming_and_recording_a_batch_costs_the_same_however_large_it_is(
    register: Register,
) -> None:
    register(lambda job: None)
    runner = warmed_up(make_runner(), limit=100)
    costs = []

    for size in (10, 90):
        enqueue(size)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            runner.drain(QUEUE)
        costs.append(len(queries))

    assert costs[0] == costs[1]


def test_a_row_that_fails_in_a_batch_fails_alone(register: Register) -> None:
    def run(job: Job) -> None:
        if job.payload["number"] == 7:
            raise TransientError("seven is away")

    register(run)
    enqueue(20)

    warmed_up(make_runner()).drain(QUEUE)

    assert Job.objects.filter(status=JobStatus.COMPLETED).count() == 19
    assert Job.objects.get(status=JobStatus.SCHEDULED).payload == {"number": 7}


def test_a_row_of_a_batch_that_was_cancelled_meanwhile_is_refused_alone(
    register: Register,
) -> None:
    jobs: list[Job] = []

    def run(job: Job) -> None:
        if job.payload["number"] == 0:
            Job.objects.filter(pk=job.pk).cancel()

    register(run)
    jobs = enqueue(20)

    warmed_up(make_runner()).drain(QUEUE)

    cancelled = Job.objects.get(status=JobStatus.CANCELLED)
    assert cancelled.payload == {"number": 0}
    assert Job.objects.filter(status=JobStatus.COMPLETED).count() == len(jobs) - 1


def test_a_row_whose_end_has_consequences_is_recorded_with_them_at_once(
    register: Register,
) -> None:
    completed_when_run: list[int] = []

    def run(job: Job) -> None:
        completed_when_run.append(Job.objects.filter(status=JobStatus.COMPLETED).count())

    register(run, settled=lambda job: None)
    enqueue(3)

    warmed_up(make_runner()).drain(QUEUE)

    assert completed_when_run == [0, 1, 2]


def test_a_worker_that_is_told_to_stop_gives_back_what_it_has_not_begun(
    register: Register, waiting_rings: Count
) -> None:
    ran: list[Job] = []
    register(ran.append)
    enqueue(20)
    runner = warmed_up(make_runner())
    runner.is_stopping = lambda: len(ran) == 5

    runner.drain(QUEUE)

    assert Job.objects.filter(status=JobStatus.COMPLETED).count() == 5
    assert Job.objects.ready().filter(worker=None, crash_count=0).count() == 15
    assert waiting_rings(QUEUE) >= 1


def test_what_waits_behind_a_row_that_takes_long_is_given_to_others(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "OVERDUE_SECONDS", 0.1)
    register(
        lambda job: (
            None
            if job.payload["number"] != 1
            else wait_for(
                lambda: (
                    Job.objects.ready().count() == 8
                    and Job.objects.filter(status=JobStatus.COMPLETED).count() == 1
                )
            )
        )
    )
    enqueue_in_order(10)

    warmed_up(make_runner()).drain(QUEUE)

    assert statuses() == {JobStatus.COMPLETED}


def test_a_row_that_crashed_a_worker_is_run_alone(register: Register) -> None:
    held: list[int] = []
    register(lambda job: held.append(Job.objects.filter(status=JobStatus.PROCESSING).count()))
    jobs = enqueue_in_order(5)
    Job.objects.filter(pk=jobs[2].pk).update(crash_count=1)

    warmed_up(make_runner()).drain(QUEUE)

    assert held[:3] == [2, 2, 1]


def test_each_row_that_crashed_a_worker_wakes_another_for_the_next(
    register: Register, waiting_rings: Count, redis_connection: Redis
) -> None:
    rings: list[int] = []

    def run(job: Job) -> None:
        rings.append(waiting_rings(QUEUE))
        redis_connection.delete(queues.get_queue(QUEUE).key)

    register(run)
    enqueue_in_order(4)
    Job.objects.update(crash_count=1)

    warmed_up(make_runner()).drain(QUEUE)

    assert rings == [1, 1, 1, 0]


# In threads


def test_rows_of_a_threaded_queue_are_run_several_at_once(register_threaded: Register) -> None:
    together = threading.Barrier(THREADS, timeout=30)
    register_threaded(lambda job: together.wait() and None)
    enqueue(3 * THREADS)

    count = make_runner().drain(QUEUE)

    assert count == 3 * THREADS
    assert statuses() == {JobStatus.COMPLETED}


def test_no_more_rows_of_a_threaded_queue_are_run_at_once_than_it_has_threads(
    register_threaded: Register,
) -> None:
    lock, running, most = threading.Lock(), [0], [0]
    together = threading.Barrier(THREADS, timeout=30)

    def run(job: Job) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        together.wait()
        with lock:
            running[0] -= 1

    register_threaded(run)
    enqueue(10 * THREADS)

    warmed_up(make_runner()).drain(QUEUE)

    assert most == [THREADS]


@pytest.mark.parametrize("place", [0, 1, THREADS, 5 * THREADS])
def test_a_row_that_crashed_a_worker_is_run_beside_no_other_in_threads(
    register_threaded: Register, place: int
) -> None:
    held: dict[int, int] = {}

    def run(job: Job) -> None:
        number = job.payload["number"]
        held[number] = Job.objects.filter(status=JobStatus.PROCESSING).count()

    register_threaded(run)
    jobs = enqueue_in_order(10 * THREADS)
    Job.objects.filter(pk=jobs[place].pk).update(crash_count=1)

    warmed_up(make_runner()).drain(QUEUE)

    assert held[place] == 1
    assert max(held.values()) > 1
    assert statuses() == {JobStatus.COMPLETED}


def test_a_row_that_fails_in_a_thread_fails_alone(register_threaded: Register) -> None:
    def run(job: Job) -> None:
        if job.payload["number"] == 3:
            raise TransientError("three is away")

    register_threaded(run)
    enqueue(20)

    make_runner().drain(QUEUE)

    assert Job.objects.filter(status=JobStatus.COMPLETED).count() == 19
    assert Job.objects.get(status=JobStatus.SCHEDULED).payload == {"number": 3}


def test_of_rows_that_threads_did_together_one_that_cannot_be_settled_fails_alone(
    register_threaded: Register,
) -> None:
    def run(job: Job) -> None:
        together.wait()

    def settle(job: Job) -> None:
        if job.status == JobStatus.COMPLETED and job.payload["number"] == 3:
            raise RuntimeError("not this one")

    together = threading.Barrier(THREADS, timeout=30)
    register_threaded(run)
    handlers.register_job(JobHandler("PROBE", QUEUE, run, settled=settle))
    enqueue(2 * THREADS)

    make_runner().drain(QUEUE)

    assert Job.objects.filter(status=JobStatus.COMPLETED).count() == 2 * THREADS - 1
    assert Job.objects.get(status=JobStatus.SCHEDULED).payload == {"number": 3}


def test_threads_that_are_told_to_stop_finish_what_they_do_and_give_back_the_rest(
    register_threaded: Register,
) -> None:
    begun: list[Job] = []
    together = threading.Barrier(THREADS, timeout=30)

    def run(job: Job) -> None:
        begun.append(job)
        together.wait()

    register_threaded(run)
    enqueue(5 * THREADS)
    runner = warmed_up(make_runner())
    runner.is_stopping = lambda: len(begun) >= THREADS

    runner.drain(QUEUE)

    assert Job.objects.filter(status=JobStatus.COMPLETED).count() == THREADS
    assert Job.objects.ready().count() == 4 * THREADS


def test_work_that_becomes_ready_while_threads_are_idle_is_taken(
    register_threaded: Register,
) -> None:
    def run(job: Job) -> None:
        if job.payload["number"] == 0:
            JobFactory.create(job_type="PROBE", queue_name=QUEUE, payload={"number": 1})
            wait_for(lambda: Job.objects.filter(status=JobStatus.COMPLETED).exists())

    register_threaded(run)
    enqueue(1)

    count = make_runner().drain(QUEUE)

    assert count == 2
    assert statuses() == {JobStatus.COMPLETED}


# Time


@pytest.mark.parametrize(
    ("is_other_ready", "count"), [(False, 12), (True, THREADS)], ids=["nothing else", "another"]
)
def test_threads_go_on_after_their_slice_while_no_other_queue_wants_the_worker(
    register_threaded: Register,
    monkeypatch: pytest.MonkeyPatch,
    is_other_ready: bool,
    count: int,
) -> None:
    monkeypatch.setattr(drain, "SLICE_SECONDS", 0.0)
    together = threading.Barrier(THREADS, timeout=30)
    register_threaded(lambda job: together.wait() and None)
    enqueue(12)
    if is_other_ready:
        JobFactory.create(queue_name="transcription")
    worker = WorkerFactory.create(queues=[QUEUE, "transcription"])

    done = JobRunner(worker=worker).drain(QUEUE)

    assert done == count


def test_a_job_that_has_expired_when_it_is_claimed_is_not_run(register: Register) -> None:
    ran: list[Job] = []
    register(ran.append)
    job = JobFactory.create(
        job_type="PROBE", queue_name=QUEUE, expires_at=timezone.now() - timedelta(seconds=1)
    )

    make_runner().drain(QUEUE)

    job.refresh_from_db()
    assert ran == []
    assert (job.status, job.error_code) == (JobStatus.FAILED, "expired")


def test_a_job_that_would_expire_before_its_next_attempt_fails_with_its_own_reason(
    register: Register,
) -> None:
    def run(job: Job) -> None:
        raise TransientError("slow down", retry_after_seconds=90)

    register(run)
    job = JobFactory.create(
        job_type="PROBE", queue_name=QUEUE, expires_at=timezone.now() + timedelta(seconds=60)
    )

    make_runner().drain(QUEUE)

    job.refresh_from_db()
    assert (job.status, job.error_code) == (JobStatus.FAILED, "transient")
    assert job.error_message == "slow down (it expires before the next attempt in 90 s)"


def test_a_quota_that_is_used_up_is_waited_for_as_long_as_a_backoff_may_be(
    register: Register,
) -> None:
    def run(job: Job) -> None:
        raise QuotaExceeded("no more minutes today")

    register(run)
    job = JobFactory.create(job_type="PROBE", queue_name=QUEUE)
    before = timezone.now()

    make_runner().drain(QUEUE)

    job.refresh_from_db()
    waits = job.available_at - before
    cap = RetryHandler().cap_seconds
    assert (job.status, job.error_code) == (JobStatus.SCHEDULED, "quota")
    assert timedelta(seconds=cap - 1) < waits < timedelta(seconds=cap + 9)
