"""Claims at the same moment: each row to one worker."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.db import connection, models

from jobs.choices import JobStatus
from jobs.managers.work import POISON_CRASH_COUNT
from jobs.models import Job, Work, Worker
from processing.models import ChunkTask, ProcessingTask
from tests.concurrency.threads import at_once
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import CHUNK_SAMPLES, ChunkTaskFactory, ProcessingTaskFactory

pytestmark = pytest.mark.django_db(transaction=True)

ROWS, THREADS = 50, 8


def claim_all(model: Any, queue_name: str, worker: Worker, *, limit: int) -> list[Work]:
    """Claim until nothing is left, as a worker does."""
    claimed: list[Work] = []
    while batch := model.objects.claim(queue_name=queue_name, worker=worker, limit=limit):
        claimed += batch
    return claimed


def is_cancelled(job: Job) -> bool:
    """Cancel a job and say whether it was not over."""
    return bool(Job.objects.filter(pk=job.pk).cancel())


@pytest.mark.parametrize("limit", [1, 3])
def test_many_workers_claim_every_job_exactly_once(limit: int) -> None:
    jobs = JobFactory.create_batch(ROWS)
    workers = WorkerFactory.create_batch(THREADS)

    claims = at_once(
        [partial(claim_all, Job, "transcription", worker, limit=limit) for worker in workers]
    )

    counts = Counter(job.pk for claimed in claims for job in claimed)
    assert counts == Counter(job.pk for job in jobs)
    assert set(Job.objects.values_list("status", "attempt")) == {(JobStatus.PROCESSING, 1)}


@pytest.mark.parametrize("limit", [7, 50])
def test_batches_that_are_claimed_at_once_never_overlap(limit: int) -> None:
    JobFactory.create_batch(100)
    workers = WorkerFactory.create_batch(THREADS)

    batches = at_once(
        [
            partial(Job.objects.claim, queue_name="transcription", worker=worker, limit=limit)
            for worker in workers
        ]
    )

    counts = Counter(job.pk for batch in batches for job in batch)
    assert set(counts.values()) == {1}
    assert Job.objects.held_by([worker.pk for worker in workers]).count() == len(counts)


def test_every_suspect_is_claimed_exactly_once_and_alone() -> None:
    JobFactory.create_batch(20)
    suspects = JobFactory.create_batch(10, crash_count=1)
    workers = WorkerFactory.create_batch(THREADS)
    batches: list[list[Work]] = []

    def claim_all_in_batches(worker: Worker) -> None:
        while batch := Job.objects.claim(queue_name="transcription", worker=worker, limit=5):
            batches.append(list(batch))

    at_once([partial(claim_all_in_batches, worker) for worker in workers])

    alone = [batch[0].pk for batch in batches if len(batch) == 1]
    assert Counter(job.pk for batch in batches for job in batch).total() == 30
    assert {suspect.pk for suspect in suspects} <= set(alone)


def test_a_worker_that_got_a_row_is_the_one_in_the_row() -> None:
    JobFactory.create_batch(ROWS)
    workers = WorkerFactory.create_batch(THREADS)

    claims = at_once(
        [partial(claim_all, Job, "transcription", worker, limit=2) for worker in workers]
    )

    got = {
        job.pk: worker.pk
        for worker, claimed in zip(workers, claims, strict=True)
        for job in claimed
    }
    assert dict(Job.objects.values_list("pk", "worker")) == got


def test_many_workers_claim_every_chunk_exactly_once() -> None:
    processing = ProcessingTaskFactory.create(processing=True, total_chunks=20)
    chunks = [ChunkTaskFactory.create(processing=processing, audio="") for _ in range(20)]
    workers = WorkerFactory.create_batch(4)

    claims = at_once(
        [partial(claim_all, ChunkTask, "chunks", worker, limit=1) for worker in workers]
    )

    counts = Counter(chunk.pk for claimed in claims for chunk in claimed)
    assert counts == Counter(chunk.pk for chunk in chunks)


def test_one_of_many_results_of_one_claim_is_accepted() -> None:
    chunk = ChunkTaskFactory.create(claimed=True)

    accepted = at_once([lambda: ChunkTask.objects.complete(chunk, result=[]) for _ in range(6)])

    assert sorted(accepted) == [False] * 5 + [True]
    assert ProcessingTask.objects.get().completed_chunks == 1


def test_a_result_and_a_cancellation_do_not_both_win() -> None:
    jobs = [JobFactory.create(processing=True) for _ in range(10)]

    outcomes = [
        at_once(
            [
                partial(Job.objects.complete, job),
                partial(is_cancelled, job),
            ]
        )
        for job in jobs
    ]

    won = {True: JobStatus.COMPLETED, False: JobStatus.CANCELLED}
    assert [sum(outcome) for outcome in outcomes] == [1] * 10
    assert [Job.objects.get(pk=job.pk).status for job in jobs] == [
        won[completed] for completed, _ in outcomes
    ]


def test_stalled_work_is_rescued_once_however_many_look() -> None:
    JobFactory.create_batch(10, stalled=True)

    rescues = at_once([lambda: Job.objects.stalled().rescue() for _ in range(4)])

    rescued = Counter(pk for rescue in rescues for pk in rescue.requeued)
    assert rescued == Counter(Job.objects.values_list("pk", flat=True))
    assert set(Job.objects.values_list("crash_count", "max_attempts")) == {(1, 4)}


def test_poison_is_counted_once_however_many_look() -> None:
    processing = ProcessingTaskFactory.create(processing=True)
    ChunkTaskFactory.create(processing=processing, stalled=True, crash_count=POISON_CRASH_COUNT - 1)

    at_once([lambda: ChunkTask.objects.stalled().rescue() for _ in range(4)])

    assert ProcessingTask.objects.get().failed_chunks == 1


# Locks


@contextmanager
def locked_elsewhere(row: models.Model) -> Iterator[None]:
    """Have another session hold a row; whoever waits for it here fails."""
    other = connection.copy()
    table = row._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '500ms'")
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT 1 FROM {table} WHERE id = %s FOR UPDATE", [row.pk])  # noqa: S608
    yield
    other.close()
    connection.close()


def test_lost_chunks_are_rescued_while_another_chunk_of_their_run_is_being_counted() -> None:
    chunk = ChunkTaskFactory.create(stalled=True)

    with locked_elsewhere(chunk.processing):
        rescue = ChunkTask.objects.stalled().rescue()

    assert rescue.requeued == (chunk.pk,)


def test_chunks_are_cancelled_while_another_chunk_of_their_run_is_being_counted() -> None:
    chunk = ChunkTaskFactory.create(claimed=True)

    with locked_elsewhere(chunk.processing):
        cancelled = ChunkTask.objects.of(chunk.processing_id).cancel()

    assert cancelled == [chunk.pk]


def test_renewing_waits_for_nobody() -> None:
    worker = WorkerFactory.create()
    busy, idle = JobFactory.create_batch(2, processing=True, worker=worker)

    with locked_elsewhere(busy):
        renewed = Job.objects.held_by([worker.pk]).renew()

    leases = Job.objects.filter(lease_expires_at__gt=idle.lease_expires_at)
    assert renewed == 1
    assert list(leases) == [idle]


def test_promoting_waits_for_nobody() -> None:
    busy, idle = JobFactory.create_batch(2, due=True)

    with locked_elsewhere(busy):
        promoted = Job.objects.promote()

    assert promoted == 1
    assert list(Job.objects.ready()) == [idle]


def test_rescuing_waits_for_nobody() -> None:
    busy, idle = JobFactory.create_batch(2, stalled=True)

    with locked_elsewhere(busy):
        rescue = Job.objects.stalled().rescue()

    assert rescue.requeued == (idle.pk,)


def test_claiming_waits_for_nobody() -> None:
    busy, idle = JobFactory.create_batch(2)

    with locked_elsewhere(busy):
        claimed = Job.objects.claim(queue_name="transcription", worker=WorkerFactory.create())

    assert claimed == [idle]
    assert busy in Job.objects.ready()


def test_results_and_a_cancellation_of_their_run_do_not_block_each_other() -> None:
    processing = ProcessingTaskFactory.create(
        processing=True, total_chunks=30, total_samples=30 * CHUNK_SAMPLES
    )
    chunks = [
        ChunkTaskFactory.create(processing=processing, claimed=True, audio="") for _ in range(30)
    ]

    def complete(part: int) -> None:
        for chunk in chunks[part::4]:
            ChunkTask.objects.complete(chunk, result=[])

    def cancel() -> None:
        ChunkTask.objects.of(processing.pk).cancel()

    def renew() -> None:
        ChunkTask.objects.of(processing.pk).renew()

    calls: list[Callable[[], None]] = [partial(complete, part) for part in range(4)]
    at_once([*calls, cancel, cancel, renew, renew])

    assert not ChunkTask.objects.active().exists()
