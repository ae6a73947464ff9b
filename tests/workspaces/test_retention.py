"""What a workspace does not keep any longer goes, and nothing else."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from jobs import schedules
from jobs.models import Job
from processing.models import AuditEvent, Document, Recording, Transcript
from processing.services.requesting import request_transcript
from processing.workspaces.retention import PURGE_JOB, Expired, purge_recordings, run_purge_job
from tests.concurrency.threads import at_once
from tests.factories.knowledge import DocumentFactory
from tests.factories.processing import RecordingFactory, TranscriptFactory, WorkspaceFactory

pytestmark = pytest.mark.django_db

StoredFiles = Callable[[], set[Path]]

MONTH = timedelta(days=30)


def days_ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def old_recording(days: float = 31, **recording: Any) -> Recording:
    return RecordingFactory.create(created_at=days_ago(days), **recording)


def test_what_is_older_goes_with_its_transcripts_and_files(
    stored_files: StoredFiles, django_capture_on_commit_callbacks: Any
) -> None:
    files = stored_files()
    old = old_recording()
    TranscriptFactory.create(recording=old, completed=True)
    upload = DocumentFactory.create(upload=True, status="READY", created_at=days_ago(31))
    young = old_recording(29)

    with django_capture_on_commit_callbacks(execute=True):
        count = purge_recordings(older_than=MONTH)

    assert count == 2
    assert Recording.objects.get() == young
    assert not Transcript.objects.exists()
    assert not Document.objects.filter(pk=upload.pk).exists()
    assert stored_files() - files == {Path(young.file.path)}


@pytest.mark.parametrize("trait", ["", "splitting", "processing", "merging"])
def test_what_is_transcribed_now_is_kept(trait: str) -> None:
    TranscriptFactory.create(recording=old_recording(), **({trait: True} if trait else {}))

    assert purge_recordings(older_than=MONTH) == 0
    assert Recording.objects.count() == 1


def test_document_that_is_read_now_is_kept() -> None:
    DocumentFactory.create(upload=True, created_at=days_ago(31))

    assert purge_recordings(older_than=MONTH) == 0


def test_document_of_a_transcript_is_kept_as_long_as_its_recording() -> None:
    DocumentFactory.create(spoken=True, created_at=days_ago(31))

    assert purge_recordings(older_than=MONTH) == 0


def test_other_workspaces_keep_theirs() -> None:
    old_recording()
    workspace = WorkspaceFactory.create()
    old_recording(workspace=workspace)
    DocumentFactory.create(created_at=days_ago(31))

    assert purge_recordings(older_than=MONTH, workspace=workspace) == 1
    assert (Recording.objects.count(), Document.objects.count()) == (1, 1)


def test_batches_are_told_of_and_leave_nothing_out() -> None:
    at = days_ago(40)
    for _ in range(5):
        RecordingFactory.create(created_at=at)
    TranscriptFactory.create(recording=old_recording(50))
    told: list[int] = []

    count = purge_recordings(older_than=MONTH, batch_size=2, after_batch=told.append)

    assert (count, told) == (5, [2, 2, 1])


def test_whoever_stops_between_batches_leaves_the_rest() -> None:
    for _ in range(3):
        old_recording()

    def stop(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        purge_recordings(older_than=MONTH, batch_size=1, after_batch=stop)

    assert Recording.objects.count() == 2


def test_each_workspace_keeps_what_it_wants_to() -> None:
    for days in (None, 10, 60):
        old_recording(workspace=WorkspaceFactory.create(retention_days=days))

    run_purge_job(Job())

    kept = Recording.objects.values_list("workspace__retention_days", flat=True)
    event = AuditEvent.objects.get()
    assert set(kept) == {None, 60}
    assert (event.action, event.actor) == ("workspace.purge", None)
    assert event.details == {"deleted": 1, "retention_days": 10}


def test_every_night_has_its_purge() -> None:
    assert schedules._schedules["purge_recordings"].job_type == PURGE_JOB


def test_what_is_at_rest_is_counted_without_being_deleted() -> None:
    old_recording()
    DocumentFactory.create(created_at=days_ago(31))

    expired = Expired.since(MONTH)

    assert (expired.recordings.count(), expired.documents.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_two_who_purge_at_once_delete_each_recording_once() -> None:
    for _ in range(4):
        old_recording()

    assert sum(at_once([partial(purge_recordings, older_than=MONTH)] * 2)) == 4
    assert not Recording.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_recording_that_is_asked_for_meanwhile_is_kept() -> None:
    recording = old_recording()

    def purge() -> int:
        return purge_recordings(older_than=MONTH)

    with transaction.atomic():
        request_transcript(recording=recording, engine="scripted")
        [count] = at_once([purge])

    assert count == 0
    assert Recording.objects.filter(pk=recording.pk).exists()
    assert purge() == 0
