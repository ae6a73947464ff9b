"""Documents that people upload: from the file to the text."""

import errno
import hashlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage

from jobs.models import Job
from processing.choices import (
    DOCUMENT_QUEUE,
    DOCUMENT_UPLOAD_JOB,
    INDEXING_JOB,
    INDEXING_QUEUE,
    DocumentStatus,
)
from processing.exceptions import (
    DocumentTooLarge,
    StorageFull,
    UnreadableDocument,
    UnsupportedLanguage,
)
from processing.knowledge.content import Section, sections_of, text_of
from processing.knowledge.uploading import extract, submit_document
from processing.models import Document, Workspace
from tests.factories.processing import WorkspaceFactory
from tests.knowledge.files import encrypted_pdf_bytes, pdf_bytes
from tests.processing.runs import drain

pytestmark = pytest.mark.django_db

StoredFiles = Callable[[], set[Path]]

TEXT = b"The river rises in the hills.\n\nIt meets the sea in the west.\n"


def submit(content: bytes = TEXT, name: str = "river.txt", **kw: Any) -> tuple[Document, bool]:
    fields: dict[str, Any] = {"workspace": Workspace.objects.default(), "language": "en"}
    return submit_document(source=BytesIO(content), name=name, **(fields | kw))


def job_of(document: Document) -> Job:
    return Job.objects.about(document.pk).get(job_type=DOCUMENT_UPLOAD_JOB)


def read(content: bytes, name: str = "river.txt", **kw: Any) -> Document:
    """Submit a document and have it read, but not indexed."""
    document, _ = submit(content, name, **kw)
    extract(job_of(document))
    document.refresh_from_db()
    return document


def worked_off(content: bytes) -> Document:
    """Submit a document and let a worker do all that follows."""
    document, _ = submit(content)
    drain(DOCUMENT_QUEUE)
    drain(INDEXING_QUEUE)
    document.refresh_from_db()
    return document


class FullStorage(FileSystemStorage):
    def _save(self, name: str, content: Any) -> str:
        raise OSError(errno.ENOSPC, "no space left on device")


def test_upload_is_stored_and_its_reading_asked_for() -> None:
    document, is_new = submit(name="notes/The river\n.txt")

    assert is_new
    assert (document.title, document.status) == ("The river", DocumentStatus.PENDING)
    assert document.sha256 == hashlib.sha256(TEXT).hexdigest()
    assert document.size_bytes == len(TEXT)
    assert Path(document.file.path).read_bytes() == TEXT
    assert Job.objects.about(document.pk).get().job_type == "DOCUMENT_UPLOAD"


def test_same_content_again_answers_the_document_that_exists(stored_files: StoredFiles) -> None:
    first, _ = submit(title="One")
    files = stored_files()

    again, is_new = submit(title="Two")

    assert (again.pk, again.title, is_new) == (first.pk, "One", False)
    assert stored_files() == files
    assert Job.objects.count() == 1


def test_same_content_in_another_workspace_is_another_document() -> None:
    first, _ = submit()

    second, is_new = submit(workspace=WorkspaceFactory.create())

    assert is_new
    assert second.pk != first.pk


@pytest.mark.parametrize(
    ("content", "fields", "error", "reason"),
    [
        pytest.param(b"", {}, UnreadableDocument, "empty", id="empty"),
        pytest.param(b"{\\rtf1}", {}, UnreadableDocument, "RTF", id="of a type nobody reads"),
        pytest.param(b"x" * 101, {}, DocumentTooLarge, "MAX_DOCUMENT_BYTES", id="too large"),
        pytest.param(b"x", {"language": "tlh"}, UnsupportedLanguage, "tlh", id="language"),
    ],
)
def test_what_is_refused_leaves_nothing(
    content: bytes,
    fields: dict[str, str],
    error: type[Exception],
    reason: str,
    settings: Any,
    stored_files: StoredFiles,
) -> None:
    settings.MAX_DOCUMENT_BYTES = 100
    files = stored_files()

    with pytest.raises(error, match=reason):
        submit(content, **fields)

    assert not Document.objects.exists()
    assert stored_files() == files


def test_full_disk_keeps_nothing(settings: Any) -> None:
    backend = f"{FullStorage.__module__}.{FullStorage.__qualname__}"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": backend}}

    with pytest.raises(StorageFull):
        submit()

    assert not Document.objects.exists()
    assert not Job.objects.exists()


def test_upload_is_read_and_then_to_be_indexed() -> None:
    document = read(pdf_bytes(["A page."]), name="page.txt")

    assert (document.text, document.media_type) == ("A page.", "application/pdf")
    assert document.status == DocumentStatus.PENDING
    assert Job.objects.about(document.pk).filter(job_type=INDEXING_JOB).count() == 1


@pytest.mark.django_db(transaction=True)
def test_upload_is_found_in_the_end() -> None:
    document = worked_off(TEXT)

    assert document.status == DocumentStatus.READY
    assert document.passages.filter(text__contains="river").exists()


@pytest.mark.django_db(transaction=True)
def test_upload_that_cannot_be_read_has_failed_and_says_why() -> None:
    document = worked_off(encrypted_pdf_bytes())

    assert (document.status, document.error_code) == (
        DocumentStatus.FAILED,
        "unreadable_document",
    )
    assert "encrypted" in document.error_message
    assert job_of(document).attempt == 1


@pytest.mark.django_db(transaction=True)
def test_upload_that_failed_is_read_again_when_it_comes_again(settings: Any) -> None:
    settings.MAX_DOCUMENT_CHARACTERS = 5
    failed = worked_off(TEXT)
    settings.MAX_DOCUMENT_CHARACTERS = 500

    again = worked_off(TEXT)

    assert failed.status == DocumentStatus.FAILED
    assert (again.pk, again.status, again.error_code) == (failed.pk, DocumentStatus.READY, "")


def test_subtitles_say_when_each_section_was_said() -> None:
    document = read(
        b"WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>Yes.\n\n00:03.000 --> 00:04.000\nNo."
    )

    assert list(sections_of(document)) == [
        Section("Yes.", 1.0, 2.0, "Ann"),
        Section("No.", 3.0, 4.0, ""),
    ]
    assert text_of(document) == document.text == "Yes.\n\nNo."


def test_paragraphs_are_sections_without_times() -> None:
    document = read(TEXT)

    assert list(sections_of(document)) == [
        Section("The river rises in the hills."),
        Section("It meets the sea in the west."),
    ]


def test_file_that_is_gone_is_no_document() -> None:
    document, _ = submit()
    Path(document.file.path).unlink()

    with pytest.raises(UnreadableDocument, match="gone"):
        extract(job_of(document))


def test_job_that_runs_again_changes_nothing() -> None:
    document = read(TEXT)
    Document.objects.update(text="corrected")

    extract(job_of(document))

    document.refresh_from_db()
    assert document.text == "corrected"
    assert Job.objects.about(document.pk).filter(job_type=INDEXING_JOB).count() == 1


def test_language_that_people_give_meanwhile_stays() -> None:
    document, _ = submit(language="")
    Document.objects.update(language="fr")

    extract(job_of(document))

    document.refresh_from_db()
    assert (document.language, document.text != "") == ("fr", True)


def test_reading_of_a_deleted_document_is_over() -> None:
    document, _ = submit()
    job = Job.objects.about(document.pk).get()
    document.delete()

    extract(job)

    assert Job.objects.count() == 1
