"""Forgetting a recording, whatever was being done for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from jobs.choices import JobStatus
from jobs.models import Job
from processing.models import ChunkTask, Recording
from processing.services.deletion import delete_recording
from processing.services.requesting import request_transcript
from tests.factories.jobs import WorkerFactory
from tests.factories.processing import (
    ChunkTaskFactory,
    ProcessingTaskFactory,
    RecordingFactory,
)

pytestmark = pytest.mark.django_db

StoredFiles = Callable[[], set[Path]]


def test_recording_goes_with_its_chunks_and_all_files(
    stored_files: StoredFiles, django_capture_on_commit_callbacks: Any
) -> None:
    files = stored_files()
    run = ProcessingTaskFactory.create(processing=True)
    ChunkTaskFactory.create(processing=run, claimed=True)
    ChunkTaskFactory.create(processing=run)

    with django_capture_on_commit_callbacks(execute=True):
        delete_recording(recording=run.transcript.recording)

    assert not Recording.objects.exists()
    assert not ChunkTask.objects.exists()
    assert stored_files() == files


def test_jobs_of_the_recording_are_cancelled() -> None:
    recording = RecordingFactory.create()
    request_transcript(recording=recording, engine="scripted")

    delete_recording(recording=recording)

    assert Job.objects.get().status == JobStatus.CANCELLED


def test_result_of_a_chunk_that_is_gone_is_refused() -> None:
    chunk = ChunkTaskFactory.create()
    claimed = ChunkTask.objects.claim(queue_name=chunk.queue_name, worker=WorkerFactory.create())[0]

    delete_recording(recording=chunk.processing.transcript.recording)

    assert ChunkTask.objects.complete(claimed, result=[]) is False


def test_files_stay_when_the_deletion_is_taken_back(stored_files: StoredFiles) -> None:
    recording = ChunkTaskFactory.create().processing.transcript.recording
    files = stored_files()

    with transaction.atomic():
        delete_recording(recording=recording)
        transaction.set_rollback(True)

    assert stored_files() == files
    assert Recording.objects.count() == 1
