"""Documents: following transcripts, staying in the index, and going."""

from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from caching.invalidation import CacheInvalidator, tags_of
from jobs.choices import JobPriority, JobStatus
from jobs.models import Job
from jobs.services.enqueueing import enqueue_job
from processing.choices import INDEXING_JOB, DocumentKind
from processing.engines.base import AUTO
from processing.engines.languages import LANGUAGES
from processing.exceptions import BelongsToTranscript, UnsupportedLanguage
from processing.models import Document, Topic, Transcript
from processing.services.files import delete_file
from processing.webhooks.announcing import announce_document


@transaction.atomic
def follow_transcript(transcript: Transcript) -> Document:
    """Keep the document of a transcript that has been heard, for the first time or again.

    To be called in the transaction that stores what was heard. What people made of its title,
    language and topics stays.
    """
    document, is_new = Document.objects.get_or_create(
        transcript=transcript,
        defaults={
            "workspace_id": transcript.recording.workspace_id,
            "kind": DocumentKind.TRANSCRIPT,
            "title": transcript.recording.name,
            "language": _language_of(transcript),
        },
    )
    if not is_new and not document.language:
        Document.objects.filter(pk=document.pk).update(language=_language_of(transcript))
    request_indexing(document)
    document.refresh_from_db(fields=["status", "language", "updated_at"])
    return document


@transaction.atomic
def request_indexing(
    document: Document,
    *,
    priority: JobPriority = JobPriority.NORMAL,
    created_by: User | None = None,
) -> None:
    """Have the index follow what a document says now, in the transaction that changes that.

    An upload that nobody has read yet is indexed once it is.
    """
    # First: from here on nobody finishes it as it was.
    if not Document.objects.readable().restart(document.pk):
        return
    unique_key: str | None = f"index:{document.pk}"
    for key in (unique_key, None):
        job = enqueue_job(
            job_type=INDEXING_JOB,
            payload={"document_id": str(document.pk)},
            priority=priority,
            subject_id=document.pk,
            workspace_id=document.workspace_id,
            created_by=created_by,
            unique_key=key,
        )
        if job.status != JobStatus.PROCESSING:
            return  # one that is running may have read the document already


@transaction.atomic
def update_document(
    document: Document,
    *,
    title: str | None = None,
    language: str | None = None,
    topics: list[str] | None = None,
    by: User | None = None,
) -> None:
    """Change what people say of a document; the index follows its language.

    Raises ``UnsupportedLanguage`` or ``InvalidQuery``, and changes nothing then.
    """
    changes = {"title": title, "language": language}
    changed = {
        name: value
        for name, value in changes.items()
        if value is not None and value != getattr(document, name)
    }
    if topics is not None:
        Topic.objects.replace(document, topics)
    if not changed:
        return
    check_language(changed.get("language", ""))
    for name, value in changed.items():
        setattr(document, name, value)
    Document.objects.filter(pk=document.pk).update(**changed)
    if "language" in changed:
        request_indexing(document, created_by=by)


def check_language(language: str) -> None:
    """Raise ``UnsupportedLanguage`` for what is no language that documents can be in."""
    if language and language not in LANGUAGES:
        raise UnsupportedLanguage(
            f"{language!r} is no language we know; a code of ISO 639 such as 'en' is needed"
        )


@transaction.atomic
def delete_document(document: Document) -> None:
    """Forget an uploaded document with all that came of it; its file goes once the rows have.

    Raises ``BelongsToTranscript`` for a document that goes with its transcript only.
    """
    if document.kind == DocumentKind.TRANSCRIPT:
        raise BelongsToTranscript(
            "the document of a transcript is deleted with its recording, not by itself"
        )
    Job.objects.about(document.pk).active().cancel()
    Document.objects.hold([document.pk])
    file_name = document.file.name
    CacheInvalidator().erase(*tags_of(document=document.pk))
    document.delete()
    if file_name:
        transaction.on_commit(lambda: delete_file(file_name), robust=True)


def settle_job(job: Job) -> None:
    """Say on the document what its job of reading or indexing failed by."""
    if "document_id" not in job.payload:
        return  # a job that somebody made by hand
    pk = UUID(job.payload["document_id"])
    if job.status == JobStatus.FAILED:
        is_over = Document.objects.fail(pk, code=job.error_code, message=job.error_message)
    else:
        is_over = job.status == JobStatus.CANCELLED and Document.objects.fail(
            pk, code="cancelled", message="its reading was cancelled"
        )
    if is_over:
        announce_document(pk)


def reopen(job: Job) -> None:
    """Have a document that failed wait for its job, which is taken up again."""
    if "document_id" in job.payload:
        Document.objects.restart(UUID(job.payload["document_id"]))


def _language_of(transcript: Transcript) -> str:
    language = transcript.heard_language or transcript.language
    return "" if language == AUTO else language
