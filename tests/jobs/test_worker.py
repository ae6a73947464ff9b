"""Our rq worker: a ring makes it drain a queue, and nothing that Redis holds makes it do more."""

import pickle
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from rq.job import Job as RqJob
from rq.registry import StartedJobRegistry

from jobs import queues
from jobs.choices import JobStatus
from jobs.models import Job, Work
from jobs.services.runner import JobRunner
from jobs.worker import DoorbellWorker
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.jobs.conftest import QUEUE, Register

pytestmark = pytest.mark.django_db(transaction=True)

HERE = "tests.jobs.test_worker"


@pytest.fixture(autouse=True)
def _signal_handlers() -> Iterator[None]:
    """Ctrl-C belongs to pytest again when the worker has ended."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def crime() -> Iterator[Path]:
    """A file that exists once code of an intruder has run."""
    path = crime_scene()
    yield path
    path.unlink(missing_ok=True)


def crime_scene() -> Path:
    return Path(settings.MEDIA_ROOT) / "crime"


def commit_crime(*args: Any) -> None:
    """What an intruder would have our worker call: as a function or as a callback."""
    crime_scene().touch()


class Trap:
    """Commits the crime when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., None], tuple[()]]:
        return commit_crime, ()


def run_worker(*queue_names: str) -> bool:
    """Run a worker until no ring is left; return whether it heard any."""
    rq_queues = [queues.get_queue(name) for name in queue_names or (QUEUE,)]
    worker = DoorbellWorker(
        rq_queues,
        connection=rq_queues[0].connection,
        serializer=rq_queues[0].serializer,
        log_job_description=False,
        runner=JobRunner(worker=WorkerFactory.create()),
    )
    return bool(worker.work(burst=True, logging_level="ERROR"))


def make_job(**fields: Any) -> Job:
    job: Job = JobFactory.create(job_type="PROBE", queue_name=QUEUE, **fields)
    return job


def status_of(work: Work) -> str:
    return type(work).objects.get(pk=work.pk).status


# Rings


def test_one_ring_gets_all_ready_jobs_of_its_queue_done(register: Register) -> None:
    jobs = [make_job(), make_job()]
    register(lambda job: None)
    queues.ring(QUEUE)

    heard = run_worker()

    assert heard
    assert [status_of(job) for job in jobs] == [JobStatus.COMPLETED, JobStatus.COMPLETED]


def test_without_a_ring_nothing_is_claimed(register: Register) -> None:
    job = make_job()
    register(lambda job: None)

    heard = run_worker()

    assert not heard
    assert status_of(job) == JobStatus.QUEUED


def test_a_ring_too_many_costs_an_empty_claim(register: Register) -> None:
    job = make_job()
    register(lambda job: None)
    queues.ring(QUEUE, times=5)

    run_worker()

    assert status_of(job) == JobStatus.COMPLETED


def test_a_ring_of_one_queue_does_not_start_the_work_of_another(register: Register) -> None:
    other = JobFactory.create(queue_name="transcription")
    register(lambda job: None)
    queues.ring(QUEUE)

    run_worker(QUEUE, "transcription")

    assert status_of(other) == JobStatus.QUEUED


def test_an_answered_ring_leaves_nothing_in_redis(
    register: Register, redis_connection: redis.Redis
) -> None:
    make_job()
    register(lambda job: None)
    queues.ring(QUEUE, times=3)

    run_worker()

    assert not redis_connection.keys("rq:job*")
    assert not redis_connection.keys("rq:queue:*")


def test_a_job_that_fails_does_not_end_its_worker(register: Register) -> None:
    def run(job: Job) -> None:
        raise RuntimeError("broken")

    broken = make_job(max_attempts=1)
    register(run)
    queues.ring(QUEUE, times=2)

    heard = run_worker()

    assert heard
    assert status_of(broken) == JobStatus.FAILED


# What Redis may contain


def plant(**fields: str | bytes) -> RqJob:
    """Put an rq job on the queue that our worker listens to, as an intruder could."""
    job = RqJob.create(
        "os.system",
        args=[f"touch {crime_scene()}"],
        connection=queues.get_queue(QUEUE).connection,
        serializer=queues.get_queue(QUEUE).serializer,
    )
    job.save()
    if fields:
        job.connection.hset(job.key, items=[part for field in fields.items() for part in field])
    return job


def call_by_name(crime: Path) -> None:
    queues.get_queue(QUEUE).push_job_id(plant().id)


def call_back(crime: Path) -> None:
    names = ("success_callback_name", "failure_callback_name", "stopped_callback_name")
    job = plant(**dict.fromkeys(names, f"{HERE}.commit_crime"))
    queues.get_queue(QUEUE).push_job_id(job.id)


def unpickle(crime: Path) -> None:
    queues.get_queue(QUEUE).push_job_id(plant(data=pickle.dumps(Trap())).id)


def abandon(crime: Path) -> None:
    """Pretend that the job's worker died: rq's maintenance then calls its failure callback."""
    long_ago = time.time() - timedelta(hours=1).total_seconds()
    job = plant(status="started", failure_callback_name=f"{HERE}.commit_crime")
    registry = StartedJobRegistry(queue=queues.get_queue(QUEUE))
    registry.connection.zadd(registry.key, {f"{job.id}:execution": long_ago})


PLANS = [call_by_name, call_back, unpickle, abandon]


@pytest.mark.parametrize("plan", PLANS)
def test_nothing_that_redis_contains_makes_a_worker_run_it(
    register: Register, crime: Path, plan: Callable[[Path], None]
) -> None:
    register(lambda job: None)
    plan(crime)

    run_worker()

    assert not crime.exists()


@pytest.mark.parametrize("plan", [call_by_name, call_back])
def test_a_tampered_ring_is_still_a_ring(
    register: Register, crime: Path, plan: Callable[[Path], None]
) -> None:
    job = make_job()
    register(lambda job: None)
    plan(crime)

    run_worker()

    assert status_of(job) == JobStatus.COMPLETED


def test_the_crime_would_be_noticed(crime: Path) -> None:
    pickle.loads(pickle.dumps(Trap()))  # noqa: S301  the trap is ours

    assert crime.exists()
