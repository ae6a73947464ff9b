"""Documents that people upload: stored while hashed, and read by a worker."""

from pathlib import PurePath
from typing import IO
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from jobs.choices import JobPriority
from jobs.models import Job
from jobs.services.enqueueing import enqueue_job
from processing.choices import DOCUMENT_UPLOAD_JOB, DocumentKind, DocumentStatus
from processing.exceptions import DocumentTooLarge, UnreadableDocument
from processing.extraction.kinds import packed_type
from processing.extraction.reading import extracted
from processing.knowledge.documents import check_language, request_indexing
from processing.models import Document, Workspace
from processing.services.files import delete_file, stored_file
from processing.services.inputs.ingestion import hash_file
from processing.workspaces.quotas import charge_storage, refuse_over_storage


def submit_document(
    *,
    source: IO[bytes],
    name: str,
    workspace: Workspace,
    title: str = "",
    language: str = "",
    sha256: str | None = None,
    created_by: User | None = None,
) -> tuple[Document, bool]:
    """Store a seekable file as a document of ``workspace``; return it and whether it is new.

    The same content is stored once: a second time returns the document that exists, under its
    first title; one that could not be read is read again. ``sha256`` spares reading the file
    when the caller hashed it already. Raises ``UnreadableDocument``, ``DocumentTooLarge``,
    ``UnsupportedLanguage``, ``StorageFull`` or ``QuotaReached``, and keeps nothing then.
    """
    size_bytes = _measured(source)
    check_language(language)
    packed_type(source)
    sha256 = sha256 or hash_file(source)
    uploads = Document.objects.in_workspace(workspace).uploaded()
    known = uploads.filter(sha256=sha256).first()
    if known is not None:
        _read_again(known, name=name, created_by=created_by)
        return known, False
    refuse_over_storage(workspace, size_bytes)
    with stored_file(source, f"documents/{uuid4()}") as stored_name, transaction.atomic():
        document, is_new = Document.objects.get_or_create(
            workspace=workspace,
            sha256=sha256,
            kind=DocumentKind.UPLOAD,
            defaults={
                "title": _shown(title) or _shown(PurePath(name).stem) or "document",
                "language": language,
                "file": stored_name,
                "size_bytes": size_bytes,
                "created_by": created_by,
            },
        )
        if is_new:
            charge_storage(workspace, size_bytes)
            _request_reading(document, name=name, created_by=created_by)
        else:  # the same file arrived twice at once, and the other one was first
            delete_file(stored_name)
    return document, is_new


def extract(job: Job) -> None:
    """Read what is in the file of a document, and have it indexed.

    Idempotent: a document that was read is not read again, only indexed.
    """
    document = Document.objects.uploaded().filter(pk=job.payload["document_id"]).first()
    if document is None or document.status != DocumentStatus.PENDING:
        return
    if document.text:
        request_indexing(document, priority=JobPriority(job.priority))
        return
    try:
        with document.file.open("rb") as file:
            found = extracted(file, name=job.payload["name"], language=document.language)
    except FileNotFoundError as error:
        raise UnreadableDocument("its file is gone") from error
    with transaction.atomic():
        Document.objects.filter(pk=document.pk, language="").update(language=found.language)
        if Document.objects.store_text(
            document, text=found.text, sections=found.sections, media_type=found.media_type
        ):
            request_indexing(document, priority=JobPriority(job.priority))


@transaction.atomic
def _read_again(document: Document, *, name: str, created_by: User | None) -> None:
    """Give a document that could not be read another chance; the limits may have changed."""
    failed = Document.objects.select_for_update().filter(status=DocumentStatus.FAILED)
    if failed.filter(pk=document.pk).exists():
        Document.objects.restart(document.pk)
        _request_reading(document, name=name, created_by=created_by)
        document.refresh_from_db(fields=["status", "error_code", "error_message", "updated_at"])


def _request_reading(document: Document, *, name: str, created_by: User | None) -> None:
    enqueue_job(
        job_type=DOCUMENT_UPLOAD_JOB,
        payload={"document_id": str(document.pk), "name": _shown(name)},
        subject_id=document.pk,
        workspace_id=document.workspace_id,
        created_by=created_by,
        unique_key=f"extract:{document.pk}",
    )


def _measured(source: IO[bytes]) -> int:
    size_bytes = source.seek(0, 2)
    source.seek(0)
    if size_bytes == 0:
        raise UnreadableDocument("the file is empty")
    refuse_over_limit(size_bytes)
    return size_bytes


def refuse_over_limit(size_bytes: int) -> None:
    """Raise ``DocumentTooLarge`` for a file that has this many bytes, or more, when it is."""
    if size_bytes > settings.MAX_DOCUMENT_BYTES:
        raise DocumentTooLarge(
            f"{size_bytes:,} bytes or more; the limit is {settings.MAX_DOCUMENT_BYTES:,} bytes "
            "(MAX_DOCUMENT_BYTES)"
        )


def _shown(name: str) -> str:
    """Return a name as one line that fits its column."""
    return "".join(c if c.isprintable() else " " for c in name).strip()[:255]
