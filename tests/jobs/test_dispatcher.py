"""Which worker a job would go to."""

from collections import Counter
from typing import Any

import pytest

from jobs import handlers
from jobs.exceptions import NoCapableWorker, UnknownJobType
from jobs.handlers import JobHandler
from jobs.models import Job, Worker
from jobs.services.dispatcher import Dispatch, JobDispatcher
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import ChunkTaskFactory
from tests.jobs.conftest import QUEUE, Register
from tests.queries import queries_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _probe(register: Register) -> None:
    register(lambda job: None)
    handlers.register_job(JobHandler("OTHER", "transcription", lambda job: None))


def capable(*, load: int = 0, **options: Any) -> Worker:
    """Make a live worker of ``QUEUE`` that holds as many rows."""
    worker = WorkerFactory.create(queues=[QUEUE], **options)
    JobFactory.create_batch(load, processing=True, worker=worker)
    return worker


def jobs(count: int, **options: Any) -> list[Job]:
    return JobFactory.create_batch(count, probe=True, **options)


def dispatch_batch(batch: list[Job], *, max_per_worker: int) -> Dispatch:
    return JobDispatcher().dispatch_batch(batch, max_per_worker=max_per_worker)


def counts(dispatch: Dispatch) -> Counter[Worker]:
    return Counter(worker for _, worker in dispatch.placed)


# One job


def test_a_job_goes_to_the_worker_that_holds_least() -> None:
    capable(load=2)
    least = capable(load=1)
    capable(load=3)

    [job] = jobs(1)

    assert JobDispatcher().dispatch(job) == least


def test_chunks_are_a_load_too() -> None:
    busy, idle = capable(load=0), capable(load=1)
    for _ in range(2):
        ChunkTaskFactory.create(claimed=True, worker=busy)

    [job] = jobs(1)

    assert JobDispatcher().dispatch(job) == idle


def test_a_job_goes_to_nobody_who_does_not_serve_its_queue() -> None:
    WorkerFactory.create(queues=["transcription", "chunks"])
    able = capable(load=5)

    [job] = jobs(1)

    assert JobDispatcher().dispatch(job) == able


@pytest.mark.parametrize("end", ["gone", "stopped"])
def test_a_job_goes_to_nobody_who_is_not_live(end: str) -> None:
    capable(**{end: True})
    live = capable(load=5)

    [job] = jobs(1)

    assert JobDispatcher().dispatch(job) == live


def test_of_equals_the_same_is_chosen_each_time() -> None:
    workers = [capable() for _ in range(5)]

    chosen = {JobDispatcher().dispatch(job) for job in jobs(3)}

    assert chosen == {min(workers, key=lambda worker: worker.pk)}


def test_a_job_without_a_live_worker_for_its_queue_is_named() -> None:
    capable(gone=True)
    WorkerFactory.create(queues=["transcription"])

    [job] = jobs(1)

    with pytest.raises(NoCapableWorker, match=QUEUE):
        JobDispatcher().dispatch(job)


def test_a_type_that_nobody_can_do_is_visible_at_once() -> None:
    capable()
    retired = JobFactory.create(job_type="RETIRED", queue_name=QUEUE)

    with pytest.raises(UnknownJobType, match="RETIRED"):
        JobDispatcher().dispatch(retired)


def test_asking_where_a_job_would_go_changes_nothing() -> None:
    capable(load=1)
    [job] = jobs(1)
    before = [*Job.objects.values(), *Worker.objects.values()]

    JobDispatcher().dispatch(job)
    dispatch_batch([job], max_per_worker=1)

    assert [*Job.objects.values(), *Worker.objects.values()] == before


# Many jobs


def test_many_jobs_are_spread_evenly_over_equal_workers() -> None:
    workers = [capable() for _ in range(3)]

    dispatch = dispatch_batch(jobs(9), max_per_worker=9)

    assert counts(dispatch) == dict.fromkeys(workers, 3)


def test_who_does_most_is_given_least() -> None:
    busy, idle = capable(load=4), capable()

    dispatch = dispatch_batch(jobs(6), max_per_worker=9)

    assert counts(dispatch) == {idle: 5, busy: 1}


def test_nobody_is_given_more_than_may_be_and_the_rest_comes_back() -> None:
    workers = [capable() for _ in range(2)]
    batch = jobs(7)

    dispatch = dispatch_batch(batch, max_per_worker=3)

    assert counts(dispatch) == dict.fromkeys(workers, 3)
    assert [job for job, _ in dispatch.placed] == batch[:6]
    assert dispatch.unplaced == batch[6:]


def test_what_a_worker_runs_already_is_not_among_what_it_may_be_given() -> None:
    worker = capable(load=5)

    dispatch = dispatch_batch(jobs(3), max_per_worker=2)

    assert counts(dispatch) == {worker: 2}


def test_who_may_be_given_nothing_is_given_nothing() -> None:
    capable()
    batch = jobs(2)

    assert dispatch_batch(batch, max_per_worker=0) == Dispatch([], batch)


def test_jobs_of_a_queue_that_nobody_serves_come_back_and_the_others_are_placed() -> None:
    worker = capable()
    other = JobFactory.create(job_type="OTHER", queue_name="transcription")
    [job] = jobs(1)

    dispatch = dispatch_batch([other, job], max_per_worker=5)

    assert dispatch == Dispatch([(job, worker)], [other])


def test_a_type_that_nobody_can_do_comes_back_and_the_others_are_placed() -> None:
    worker = capable()
    retired = JobFactory.create(job_type="RETIRED", queue_name=QUEUE)
    [job] = jobs(1)

    dispatch = dispatch_batch([retired, job], max_per_worker=5)

    assert dispatch == Dispatch([(job, worker)], [retired])


def test_a_worker_of_two_queues_is_given_no_more_than_one_of_one() -> None:
    both = WorkerFactory.create(queues=[QUEUE, "transcription"])
    mixed = [*jobs(2), *JobFactory.create_batch(2, job_type="OTHER", queue_name="transcription")]

    dispatch = dispatch_batch(mixed, max_per_worker=3)

    assert counts(dispatch) == {both: 3}
    assert dispatch.unplaced == mixed[3:]


def test_without_workers_all_come_back() -> None:
    batch = jobs(3)

    assert dispatch_batch(batch, max_per_worker=5) == Dispatch([], batch)


def test_no_jobs_are_dispatched_to_nobody() -> None:
    capable()

    assert dispatch_batch([], max_per_worker=5) == Dispatch([], [])


# Again and again


@pytest.mark.parametrize("sizes", [(4, 4), (6, 2), (1, 7), (9, 9, 9)], ids=str)
def test_a_batch_is_placed_as_if_it_were_the_first(sizes: tuple[int, ...]) -> None:
    for load in (0, 1, 2):
        capable(load=load)
    batches = [jobs(size) for size in sizes]
    dispatcher = JobDispatcher()

    again = [dispatcher.dispatch_batch(batch, max_per_worker=3) for batch in batches]

    afresh = [dispatch_batch(batch, max_per_worker=3) for batch in batches]
    assert again == afresh


def test_what_workers_can_do_is_the_same_after_many_batches() -> None:
    worker = capable()
    dispatcher = JobDispatcher()
    before = Worker.objects.values().get()

    for size in (3, 1, 5):
        dispatcher.dispatch_batch(jobs(size), max_per_worker=2)

    assert Worker.objects.values().get() == before
    assert [dispatcher.dispatch(job) for job in jobs(3)] == [worker] * 3
    assert worker.queues == [QUEUE]


def test_a_batch_of_any_size_asks_the_database_once() -> None:
    for _ in range(5):
        capable(load=1)
    batch = jobs(50)

    assert len(queries_of(lambda: dispatch_batch(batch, max_per_worker=20))) == 1
