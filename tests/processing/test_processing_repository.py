"""The queries of the run repository, and its changes of many rows at once."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from jobs.managers.job import Spread
from jobs.models import Job
from processing.choices import TERMINAL, ProcessingStatus
from processing.models import ChunkTask, ProcessingTask
from processing.services.orchestrator import cancel_processings
from tests.factories.jobs import JobFactory
from tests.factories.processing import (
    CHUNK_SAMPLES,
    ChunkTaskFactory,
    ProcessingTaskFactory,
    TranscriptFactory,
)
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

Runs = ProcessingTask.objects


def ago(**span: float) -> Any:
    return timezone.now() - timedelta(**span)


def plan_of(rows: Any) -> str:
    return str(rows.explain())


# Queries


def test_active_runs_are_those_that_are_not_over() -> None:
    active = [ProcessingTaskFactory.create(**{name: True}) for name in ("splitting", "merging")]
    ProcessingTaskFactory.create(completed=True)
    ProcessingTaskFactory.create(cancelled=True)

    assert set(Runs.active()) == set(active)


def test_failed_chunks_of_a_run_are_its_own() -> None:
    failed = ChunkTaskFactory.create(failed=True)
    ChunkTaskFactory.create(processing=failed.processing, completed=True)
    ChunkTaskFactory.create(failed=True)

    assert list(ChunkTask.objects.of(failed.processing.pk).failed()) == [failed]


OLD = {"created_at": ago(hours=1), "started_at": ago(hours=1)}


@pytest.mark.parametrize(
    "trait", ["splitting", "processing", "merging"], ids=["cutting", "hearing", "joining"]
)
def test_a_run_of_which_nothing_moves_is_stalled(trait: str) -> None:
    run = ProcessingTaskFactory.create(**{trait: True}, **OLD)
    ChunkTaskFactory.create(processing=run, created_at=ago(hours=1))

    assert list(Runs.stalled()) == [run]
    assert not Runs.stalled(timedelta(hours=2)).exists()


def test_a_run_that_nobody_has_begun_is_stalled() -> None:
    run = ProcessingTaskFactory.create(created_at=ago(hours=1))

    assert list(Runs.stalled()) == [run]


@pytest.mark.parametrize(
    "chunk",
    [
        {"claimed": True, **OLD},
        {"completed": True, **OLD},
        {},
    ],
    ids=["somebody is at it", "a chunk was settled", "a chunk was cut"],
)
def test_a_run_that_moves_is_not_stalled(chunk: dict[str, Any]) -> None:
    run = ProcessingTaskFactory.create(processing=True, **OLD)
    ChunkTaskFactory.create(processing=run, **chunk)

    assert not Runs.stalled().exists()


def test_a_run_that_is_over_is_not_stalled() -> None:
    ProcessingTaskFactory.create(failed=True, **OLD)

    assert not Runs.stalled().exists()


# Many at once


def test_many_runs_are_cancelled_with_their_jobs_and_chunks(
    django_capture_on_commit_callbacks: Any,
) -> None:
    runs = [ProcessingTaskFactory.create(processing=True) for _ in range(3)]
    over = ProcessingTaskFactory.create(completed=True)
    chunks = [ChunkTaskFactory.create(processing=run) for run in runs]
    jobs = [
        JobFactory.create(payload={"processing_id": str(run.pk)}, subject_id=run.transcript.pk)
        for run in runs
    ]

    with django_capture_on_commit_callbacks(execute=True):
        cancelled = cancel_processings([*runs[:2], over])

    assert set(cancelled) == {run.pk for run in runs[:2]}
    assert Runs.get(pk=over.pk).status == ProcessingStatus.COMPLETED
    assert list(Runs.active()) == runs[2:]
    assert set(ChunkTask.objects.active()) == {chunks[2]}
    assert set(Job.objects.active()) == {jobs[2]}


def test_cancelling_many_runs_takes_as_many_statements_as_one() -> None:
    runs = [ProcessingTaskFactory.create(processing=True) for _ in range(5)]

    one = queries_of(lambda: Runs.filter(pk=runs[0].pk).cancel_all())
    many = queries_of(lambda: Runs.all().cancel_all())

    assert len(many) == len(one)
    assert not Runs.active().exists()


def test_nothing_to_cancel_is_no_error() -> None:
    assert cancel_processings([]) == []


def test_counters_that_are_wrong_are_counted_anew() -> None:
    run = ProcessingTaskFactory.create(processing=True)
    ChunkTaskFactory.create(processing=run, completed=True)
    ChunkTaskFactory.create(processing=run, failed=True)
    untouched = ProcessingTaskFactory.create(processing=True)
    over = ProcessingTaskFactory.create(partial=True)
    Runs.filter(pk=run.pk).update(completed_chunks=0, failed_chunks=0, done_samples=7)

    count = Runs.recount()

    run.refresh_from_db()
    untouched.refresh_from_db()
    assert count == 2
    assert (run.completed_chunks, run.failed_chunks) == (1, 1)
    assert run.done_samples == 2 * CHUNK_SAMPLES
    assert (untouched.completed_chunks, untouched.done_samples) == (0, 0)
    assert Runs.get(pk=over.pk).completed_chunks == over.completed_chunks


# Figures


def test_statistics_count_what_is_active_and_what_ended_within_the_window() -> None:
    ProcessingTaskFactory.create(splitting=True, created_at=ago(days=9))
    ProcessingTaskFactory.create(failed=True)
    ProcessingTaskFactory.create(failed=True, completed_at=ago(days=9))

    counts = Runs.statistics().counts

    assert counts == dict.fromkeys(ProcessingStatus.values, 0) | {"SPLITTING": 1, "FAILED": 1}


def test_statistics_say_how_long_transcripts_took() -> None:
    now = timezone.now()
    for seconds in (10, 20, 60):
        ProcessingTaskFactory.create(
            completed=True, started_at=now - timedelta(seconds=seconds), completed_at=now
        )
    ProcessingTaskFactory.create(failed=True, started_at=ago(minutes=30), completed_at=now)

    figures = Runs.statistics(window=timedelta(seconds=100))

    assert figures.mean_seconds == pytest.approx(30.0)
    assert figures.duration.p50 == pytest.approx(20.0)
    assert figures.duration.p95 == pytest.approx(56.0)
    assert (figures.audio_seconds, figures.throughput) == (6.0, 0.06)


def test_statistics_of_nothing_are_empty() -> None:
    figures = Runs.statistics()

    assert set(figures.counts.values()) == {0}
    assert (figures.mean_seconds, figures.duration, figures.throughput) == (None, Spread(), 0.0)


def test_statistics_cost_two_queries() -> None:
    ProcessingTaskFactory.create(completed=True)

    assert len(queries_of(Runs.statistics)) == 2


# What a table of many runs costs


@pytest.fixture
def many_runs() -> None:
    """5,000 runs that are over, 10 of each transcript."""
    transcripts = [TranscriptFactory.create(run=None)]
    transcripts += [
        TranscriptFactory.create(run=None, recording=transcripts[0].recording) for _ in range(499)
    ]
    Runs.bulk_create(
        ProcessingTask(
            transcript=transcripts[n % 500],
            status=TERMINAL[n % len(TERMINAL)],
            started_at=ago(minutes=n),
            completed_at=ago(minutes=n),
        )
        for n in range(5_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE processing_tasks")


@pytest.mark.usefixtures("many_runs")
def test_lists_of_runs_are_read_from_an_index() -> None:
    transcript = TranscriptFactory.create()

    assert "processing_active_idx" in plan_of(Runs.active())
    assert "processing_active_idx" in plan_of(Runs.stalled())
    assert "Seq Scan" not in plan_of(Runs.for_transcript(transcript))
    assert "processing_list_idx" in plan_of(Runs.all()[:50])
