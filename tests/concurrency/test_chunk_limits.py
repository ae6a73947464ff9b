"""Of an engine, a workspace and a run no more chunks are claimed at once than they may have."""

from functools import partial

import pytest
from pytest_django import Settings

from jobs.choices import JobStatus
from jobs.models import Worker
from processing.choices import CHUNK_QUEUE
from processing.models import ChunkTask
from tests.concurrency.threads import at_once
from tests.factories.jobs import WorkerFactory
from tests.factories.processing import ChunkTaskFactory, ProcessingTaskFactory, WorkspaceFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 6
CHUNKS = 12
LIMIT = 3


def claim(worker: Worker, limit: int = 1) -> list[ChunkTask]:
    return ChunkTask.objects.claim(queue_name=CHUNK_QUEUE, worker=worker, limit=limit)


def claim_at_once(limit: int = 1) -> int:
    """Have many workers claim at the same moment; return how many chunks they got."""
    workers = WorkerFactory.create_batch(THREADS)
    return sum(map(len, at_once([partial(claim, worker, limit) for worker in workers])))


def chunks_of_a_run(**run: object) -> list[ChunkTask]:
    processing = ProcessingTaskFactory.create(processing=True, **run)
    return ChunkTaskFactory.create_batch(CHUNKS, processing=processing)


@pytest.mark.parametrize("limit", [1, 4], ids=["row by row", "in batches"])
def test_no_more_chunks_of_a_run_are_claimed_than_it_may_have(limit: int) -> None:
    chunks_of_a_run(max_concurrent_chunks=LIMIT)

    assert claim_at_once(limit) == LIMIT
    assert claim_at_once(limit) == 0


def test_no_more_chunks_of_a_workspace_are_claimed_than_it_may_have() -> None:
    workspace = WorkspaceFactory.create(max_concurrent_chunks=LIMIT)
    for _ in range(2):
        chunks_of_a_run(transcript__recording__workspace=workspace)

    assert claim_at_once(4) == LIMIT


def test_no_more_chunks_of_an_engine_are_claimed_than_it_may_have(settings: Settings) -> None:
    settings.CONCURRENCY_LIMITS = {"scripted": LIMIT}
    for _ in range(2):
        chunks_of_a_run()

    assert claim_at_once(4) == LIMIT


def test_an_engine_that_has_enough_keeps_no_other_engine_waiting(settings: Settings) -> None:
    settings.CONCURRENCY_LIMITS = {"scripted": 1, "other": 5}
    chunks_of_a_run()
    chunks_of_a_run(transcript__engine="other")

    claimed = claim(WorkerFactory.create(), 2 * CHUNKS)

    assert sorted(chunk.engine for chunk in claimed) == ["other"] * 5 + ["scripted"]


def test_an_engine_with_room_for_all_costs_as_many_queries_however_many_are_claimed(
    settings: Settings,
) -> None:
    settings.CONCURRENCY_LIMITS = {"scripted": 100}
    chunks_of_a_run()
    worker = WorkerFactory.create()

    counts = [len(queries_of(partial(claim, worker, limit))) for limit in (2, CHUNKS - 2)]

    assert counts[0] == counts[1]


def test_each_end_makes_room_for_the_next() -> None:
    chunks_of_a_run(max_concurrent_chunks=LIMIT)
    worker = WorkerFactory.create()
    first, *_ = claim(worker, CHUNKS)

    ChunkTask.objects.fail(first, code="error", message="no use")

    assert len(claim(worker, CHUNKS)) == 1


def test_a_run_that_has_enough_keeps_nobody_else_waiting() -> None:
    chunks_of_a_run(max_concurrent_chunks=1)
    other = chunks_of_a_run()

    claimed = claim(WorkerFactory.create(), 2 * CHUNKS)

    assert len(claimed) == 1 + len(other)


def test_a_chunk_that_crashed_a_worker_is_claimed_alone_also_where_there_are_limits() -> None:
    chunks = chunks_of_a_run(max_concurrent_chunks=LIMIT)
    ChunkTask.objects.filter(pk=chunks[1].pk).update(crash_count=1)
    worker = WorkerFactory.create()

    claims = [[chunk.index for chunk in claim(worker, 2)] for _ in range(2)]

    assert claims == [[0, 2], [1]]


def test_without_limits_all_is_claimed_with_one_statement() -> None:
    chunks_of_a_run()

    assert len(claim(WorkerFactory.create(), CHUNKS)) == CHUNKS
    assert not ChunkTask.objects.exclude(status=JobStatus.PROCESSING).exists()
