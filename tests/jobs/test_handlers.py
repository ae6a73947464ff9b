"""The registry: the only way in which code is chosen."""

import pytest

from jobs import handlers
from jobs.exceptions import NotRequeueable, PermanentError, UnknownJobType
from jobs.handlers import JobHandler, WorkSource
from jobs.models import Job
from processing.models import ChunkTask, WebhookDelivery
from tests.factories.jobs import JobFactory
from tests.jobs.conftest import QUEUE, Register


def test_a_registered_type_has_its_handler_and_its_queue_holds_jobs(register: Register) -> None:
    register(lambda job: None)

    assert handlers.handler_of("PROBE").queue_name == QUEUE
    assert handlers.source_of(QUEUE).model is Job


def test_an_unknown_type_is_refused_with_the_types_that_are_known() -> None:
    with pytest.raises(UnknownJobType, match=r"'os\.system'; known: .*MERGE.*TRANSCRIPTION"):
        handlers.handler_of("os.system")


def test_an_unknown_type_will_not_be_known_at_the_next_attempt() -> None:
    assert issubclass(UnknownJobType, PermanentError)


def test_a_queue_that_nobody_registered_is_a_bug() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        handlers.source_of("nowhere")


def test_queues_are_looked_at_in_the_order_of_their_registration(register: Register) -> None:
    register(lambda job: None)
    before = handlers.queue_names()

    handlers.register_work("last", handlers.source_of(QUEUE))

    assert handlers.queue_names() == (*before, "last")


def test_each_kind_of_row_is_named_once(register: Register) -> None:
    register(lambda job: None)

    assert handlers.work_models() == (Job, ChunkTask, WebhookDelivery)


def test_only_the_queue_of_chunks_is_heavy() -> None:
    heavy = [name for name in handlers.queue_names() if handlers.source_of(name).is_heavy]

    assert heavy == ["chunks"]


def test_registering_a_queue_again_replaces_what_it_holds(register: Register) -> None:
    register(lambda job: None)
    source = WorkSource(ChunkTask, lambda chunk: {})

    handlers.register_work(QUEUE, source)

    assert handlers.source_of(QUEUE) is source


@pytest.mark.django_db
def test_a_type_that_is_no_longer_registered_can_still_be_cancelled() -> None:
    job = JobFactory.create(job_type="RETIRED")

    cancelled = Job.objects.filter(pk=job.pk).cancel()

    assert cancelled == [job.pk]


@pytest.mark.django_db
def test_a_job_on_a_queue_that_is_no_longer_registered_is_not_taken_back() -> None:
    job = JobFactory.create(failed=True, queue_name="retired")

    with pytest.raises(NotRequeueable, match="'retired'"):
        Job.objects.requeue(job)


def test_the_types_that_can_be_done_are_known_by_name(register: Register) -> None:
    register(lambda job: None)

    assert "PROBE" in handlers.job_types()
    assert list(handlers.job_types()) == sorted(handlers.job_types())


def test_another_type_on_a_queue_leaves_what_the_queue_is(register: Register) -> None:
    register(lambda job: None)
    source = handlers.job_source(threads=4)
    handlers.register_work(QUEUE, source)

    handlers.register_job(JobHandler("OTHER", QUEUE, lambda job: None))

    assert handlers.source_of(QUEUE) is source


def test_nothing_follows_from_the_end_of_a_job_whose_handler_names_nothing(
    register: Register,
) -> None:
    register(lambda job: None)

    assert handlers.is_followed(JobFactory.build(probe=True)) is False


def test_something_follows_from_the_end_of_a_job_whose_handler_names_it(
    register: Register,
) -> None:
    register(lambda job: None, settled=lambda job: job.refresh_from_db())

    assert handlers.is_followed(JobFactory.build(probe=True)) is True


def test_nothing_follows_from_the_end_of_a_job_that_nobody_can_do() -> None:
    assert handlers.is_followed(JobFactory.build(job_type="RETIRED")) is False


def test_something_follows_from_the_end_of_a_chunk() -> None:
    assert handlers.is_followed(ChunkTask(queue_name="chunks")) is True


def test_nothing_follows_from_the_end_of_work_whose_queue_names_nothing(
    register: Register,
) -> None:
    register(lambda job: None)
    handlers.register_work(QUEUE, WorkSource(ChunkTask, lambda chunk: {}))

    assert handlers.is_followed(ChunkTask(queue_name=QUEUE)) is False
