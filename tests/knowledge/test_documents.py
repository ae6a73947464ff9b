"""Documents: following transcripts, being changed, and going."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import transaction

from jobs.choices import JobStatus
from jobs.models import Job
from processing.choices import INDEXING_QUEUE, DocumentKind, DocumentStatus
from processing.exceptions import BelongsToTranscript, InvalidQuery, UnsupportedLanguage
from processing.knowledge.documents import (
    delete_document,
    follow_transcript,
    reopen,
    request_indexing,
    settle_job,
    update_document,
)
from processing.models import Document
from tests.factories.jobs import WorkerFactory
from tests.factories.knowledge import DocumentFactory, DocumentTopicFactory
from tests.factories.processing import RecordingFactory, TranscriptFactory

pytestmark = pytest.mark.django_db


def test_finished_transcript_becomes_a_document_that_is_to_be_indexed() -> None:
    recording = RecordingFactory.create(name="board.wav")
    transcript = TranscriptFactory.create(completed=True, recording=recording, language="auto")
    transcript.heard_language = "de"

    document = follow_transcript(transcript)

    assert (document.title, document.language, document.kind, document.status) == (
        "board.wav",
        "de",
        DocumentKind.TRANSCRIPT,
        DocumentStatus.PENDING,
    )
    assert document.workspace == recording.workspace
    job = Job.objects.about(document.pk).get()
    assert (job.job_type, job.payload) == ("INDEXING", {"document_id": str(document.pk)})


def test_language_that_nobody_heard_is_left_open() -> None:
    transcript = TranscriptFactory.create(completed=True, language="auto")

    assert follow_transcript(transcript).language == ""


def test_later_run_is_followed_by_the_same_document_as_people_made_it() -> None:
    transcript = TranscriptFactory.create(completed=True)
    first = DocumentFactory.create(transcript=transcript, title="Board", language="fr")

    again = follow_transcript(transcript)

    again.refresh_from_db()
    assert again.pk == first.pk
    assert (again.title, again.language, again.status) == ("Board", "fr", DocumentStatus.PENDING)


def test_following_is_undone_with_the_transaction_of_its_caller() -> None:
    transcript = TranscriptFactory.create(completed=True)

    with transaction.atomic():
        follow_transcript(transcript)
        transaction.set_rollback(True)

    assert not Document.objects.exists()
    assert not Job.objects.exists()


def test_upload_that_nobody_has_read_is_not_indexed() -> None:
    document = DocumentFactory.create(upload=True)

    update_document(document, language="de")

    assert not Job.objects.exists()


def test_document_that_waits_to_be_indexed_is_not_queued_twice() -> None:
    document = DocumentFactory.create()

    request_indexing(document)
    request_indexing(document)

    assert Job.objects.about(document.pk).count() == 1


def test_change_while_the_index_reads_the_document_has_a_job_of_its_own() -> None:
    document = DocumentFactory.create()
    request_indexing(document)
    Job.objects.claim(queue_name=INDEXING_QUEUE, worker=WorkerFactory.create())

    request_indexing(document)

    assert Job.objects.about(document.pk).filter(status=JobStatus.QUEUED).count() == 1


def test_document_that_was_changed_since_it_was_read_is_not_finished() -> None:
    document = DocumentFactory.create(pending=True)
    stale = Document.objects.get(pk=document.pk)
    request_indexing(document)

    assert Document.objects.finish(stale, content_key="k") is False

    document.refresh_from_db()
    assert (document.status, document.content_key) == (DocumentStatus.PENDING, "")


def test_finished_document_is_ready() -> None:
    document = DocumentFactory.create(pending=True)
    document.refresh_from_db()

    assert Document.objects.finish(document, content_key="k") is True

    document.refresh_from_db()
    assert (document.status, document.content_key) == (DocumentStatus.READY, "k")


def job_about(document: Document, **fields: str) -> Job:
    request_indexing(document)
    job = Job.objects.about(document.pk).get()
    for name, value in fields.items():
        setattr(job, name, value)
    return job


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(JobStatus.FAILED, "no_room", id="failed"),
        pytest.param(JobStatus.CANCELLED, "cancelled", id="cancelled"),
    ],
)
def test_job_that_ends_without_success_fails_its_document(status: str, code: str) -> None:
    document = DocumentFactory.create(pending=True)

    settle_job(job_about(document, status=status, error_code="no_room", error_message="why"))

    document.refresh_from_db()
    assert (document.status, document.error_code) == (DocumentStatus.FAILED, code)


def test_job_that_completed_leaves_its_document_as_it_is() -> None:
    document = DocumentFactory.create(pending=True)

    settle_job(job_about(document, status=JobStatus.COMPLETED))

    document.refresh_from_db()
    assert document.status == DocumentStatus.PENDING


def test_job_that_fails_late_does_not_take_a_ready_document_away() -> None:
    document = DocumentFactory.create()
    job = job_about(document, status=JobStatus.FAILED, error_code="x")
    Document.objects.update(status=DocumentStatus.READY)

    settle_job(job)

    document.refresh_from_db()
    assert document.status == DocumentStatus.READY


def test_job_that_is_taken_up_again_finds_its_document_pending() -> None:
    document = DocumentFactory.create()
    job = job_about(document)
    Document.objects.update(status=DocumentStatus.FAILED, error_code="x")

    reopen(job)

    document.refresh_from_db()
    assert (document.status, document.error_code) == (DocumentStatus.PENDING, "")


def test_new_language_is_indexed_anew() -> None:
    document = DocumentFactory.create(language="en")

    update_document(document, language="de")

    document.refresh_from_db()
    assert (document.language, document.status) == ("de", DocumentStatus.PENDING)
    assert Job.objects.about(document.pk).count() == 1


def test_new_title_needs_no_indexing() -> None:
    document = DocumentFactory.create()

    update_document(document, title="Minutes", language=document.language)

    document.refresh_from_db()
    assert (document.title, document.status) == ("Minutes", DocumentStatus.READY)
    assert not Job.objects.exists()


def test_change_with_an_unknown_language_changes_nothing() -> None:
    document = DocumentFactory.create(title="Minutes")

    with pytest.raises(UnsupportedLanguage, match="'klingon'"):
        update_document(document, title="x", language="klingon", topics=["a"])

    document.refresh_from_db()
    assert document.title == "Minutes"
    assert not document.topics.exists()


def test_change_with_an_impossible_topic_changes_nothing() -> None:
    document = DocumentTopicFactory.create().document

    with pytest.raises(InvalidQuery, match="needs a letter"):
        update_document(document, title="x", topics=["a", "!?"])

    document.refresh_from_db()
    assert document.title != "x"
    assert document.topics.count() == 1


def test_deleted_document_takes_its_work_and_its_file_along(
    stored_files: Callable[[], set[Path]],
    django_capture_on_commit_callbacks: Callable[..., object],
) -> None:
    before = stored_files()
    document = DocumentFactory.create(upload=True, text="read")
    request_indexing(document)
    pk = document.pk

    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]
        delete_document(document)

    assert not Document.objects.exists()
    assert Job.objects.about(pk).get().status == JobStatus.CANCELLED
    assert stored_files() == before


def test_document_of_a_transcript_is_not_deleted_by_itself() -> None:
    document = DocumentFactory.create(spoken=True)

    with pytest.raises(BelongsToTranscript, match="with its recording"):
        delete_document(document)

    assert Document.objects.exists()


def test_document_goes_with_its_transcript() -> None:
    transcript = TranscriptFactory.create(completed=True)
    DocumentFactory.create(transcript=transcript)

    transcript.recording.delete()

    assert not Document.objects.exists()
