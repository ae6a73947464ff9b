"""Ends and beginnings at the same moment: one merge, one run, one file."""

from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from pytest_django import Settings

from jobs.models import Job, Work
from processing.choices import MERGE_JOB, TRANSCRIPTION_JOB, ProcessingStatus
from processing.models import ChunkTask, ProcessingTask, Recording, Transcript, Workspace
from processing.services.inputs.ingestion import store_recording
from processing.services.orchestrator import cancel_processing
from processing.services.planner import plan
from processing.services.requesting import request_transcript
from tests.concurrency.threads import at_once
from tests.factories.jobs import JobFactory
from tests.factories.processing import (
    CHUNK_SAMPLES,
    ChunkTaskFactory,
    ProcessingTaskFactory,
    RecordingFactory,
    WorkspaceFactory,
)
from tests.processing import media

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 8


def claimed_chunks(count: int) -> list[ChunkTask]:
    """Return chunks of one run, all being transcribed and none settled."""
    processing = ProcessingTaskFactory.create(
        processing=True, total_chunks=count, total_samples=count * CHUNK_SAMPLES
    )
    return [
        ChunkTaskFactory.create(processing=processing, claimed=True, audio="") for _ in range(count)
    ]


def fail(work: Work) -> bool:
    return type(work).objects.fail(work, code="error", message="no use")


def test_chunks_that_complete_at_once_elect_one_merger() -> None:
    chunks = claimed_chunks(THREADS)

    accepted = at_once([partial(ChunkTask.objects.complete, chunk, result=[]) for chunk in chunks])

    processing = ProcessingTask.objects.get()
    assert all(accepted)
    assert (processing.status, processing.completed_chunks) == (ProcessingStatus.MERGING, THREADS)
    assert processing.done_samples == processing.total_samples
    assert Job.objects.filter(job_type=MERGE_JOB).count() == 1


def test_chunks_that_complete_and_fail_at_once_elect_one_merger() -> None:
    good, bad = (chunks := claimed_chunks(THREADS))[::2], chunks[1::2]

    at_once(
        [partial(ChunkTask.objects.complete, chunk, result=[]) for chunk in good]
        + [partial(fail, chunk) for chunk in bad]
    )

    processing = ProcessingTask.objects.get()
    assert (processing.completed_chunks, processing.failed_chunks) == (len(good), len(bad))
    assert Job.objects.filter(job_type=MERGE_JOB).count() == 1


@pytest.mark.parametrize("attempt", range(6))
def test_the_last_chunk_and_the_end_of_cutting_elect_one_merger(attempt: int) -> None:
    run = ProcessingTaskFactory.create(splitting=True, chunk_seconds=10.0)
    chunk = ChunkTaskFactory.create(
        processing=run, claimed=True, core_end_sample=2 * CHUNK_SAMPLES, audio=""
    )
    planner = JobFactory.create(processing=True, payload={"processing_id": str(run.pk)})

    at_once([lambda: plan(planner), lambda: ChunkTask.objects.complete(chunk, result=[]) and None])

    run.refresh_from_db()
    assert (run.status, run.total_chunks) == (ProcessingStatus.MERGING, 1)
    assert Job.objects.filter(job_type=MERGE_JOB).count() == 1


def test_completing_and_cancelling_at_once_end_in_a_consistent_run() -> None:
    chunks = claimed_chunks(4)
    run = chunks[0].processing

    completing = [partial(ChunkTask.objects.complete, chunk, result=[]) for chunk in chunks]

    at_once([partial(cancel_processing, run), *completing])

    run.refresh_from_db()
    assert run.status == ProcessingStatus.CANCELLED
    assert not ChunkTask.objects.active().exists()
    assert not Job.objects.active().exists()


def test_equal_requests_at_once_share_one_transcript_and_one_run() -> None:
    recording = RecordingFactory.create()

    requests = at_once(
        [lambda: request_transcript(recording=recording, engine="scripted") for _ in range(THREADS)]
    )

    assert {request.transcript for request in requests} == {Transcript.objects.get()}
    assert {request.processing for request in requests} == {ProcessingTask.objects.get()}
    assert [request.is_started for request in requests].count(True) == 1
    assert Job.objects.get().job_type == TRANSCRIPTION_JOB


def test_equal_requests_for_a_gap_at_once_start_one_run() -> None:
    processing = ProcessingTaskFactory.create(
        partial=True, transcript__recording__workspace=WorkspaceFactory.create()
    )
    recording = processing.transcript.recording
    first = request_transcript(recording=recording, engine="scripted")
    ProcessingTask.objects.fail(first.processing.pk, code="error", message="")

    requests = at_once(
        [lambda: request_transcript(recording=recording, engine="scripted") for _ in range(THREADS)]
    )

    assert len({request.processing for request in requests}) == 1
    assert ProcessingTask.objects.for_transcript(first.transcript).active().count() == 1


def test_the_same_file_stored_at_once_is_one_recording_and_one_file(
    tmp_path: Path, settings: Settings
) -> None:
    settings.MEDIA_ROOT = tmp_path
    workspace = Workspace.objects.default()
    content = media.wav()

    stored = at_once(
        [
            lambda: store_recording(source=BytesIO(content), name="a.wav", workspace=workspace)
            for _ in range(THREADS)
        ]
    )

    recording = Recording.objects.get()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {found for found, _ in stored} == {recording}
    assert [is_new for _, is_new in stored].count(True) == 1
    assert files == [Path(recording.file.path)]


def test_a_first_request_for_the_default_workspace_at_once_makes_one() -> None:
    workspaces = at_once([lambda: Workspace.objects.default() for _ in range(THREADS)])

    assert set(workspaces) == {Workspace.objects.get()}
