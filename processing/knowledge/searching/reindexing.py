"""Finding the documents that the index does not say right, and having them indexed."""

from collections.abc import Iterable
from uuid import UUID

from jobs.choices import JobPriority
from jobs.services.bulk import bulk_enqueue
from jobs.services.requests import JobRequest
from processing.choices import INDEXING_JOB, DocumentStatus
from processing.knowledge.documents import follow_transcript
from processing.managers.document import DocumentQuerySet
from processing.managers.transcript import TranscriptQuerySet
from processing.models import Document, Transcript


def indexable() -> DocumentQuerySet:
    """Return the documents that can be read, each with what the index is made of."""
    documents: DocumentQuerySet = Document.objects.exclude(status=DocumentStatus.FAILED)
    return documents.select_related("transcript").defer(
        "transcript__text", "transcript__gaps", "transcript__seams"
    )


def follow_older(transcripts: TranscriptQuerySet) -> int:
    """Make documents of transcripts that have none, and have them indexed; return how many."""
    older = list(transcripts.without_document().values_list("pk", flat=True))
    for pk in older:
        follow_transcript(Transcript.objects.with_runs().without_content().get(pk=pk))
    return len(older)


def enqueue_indexing(documents: Iterable[Document]) -> list[UUID]:
    """Have workers index documents, after everything that somebody waits for; return the jobs."""
    requests = [
        JobRequest(
            INDEXING_JOB,
            {"document_id": str(document.pk)},
            priority=JobPriority.LOW,
            subject_id=document.pk,
            workspace_id=document.workspace_id,
            unique_key=f"index:{document.pk}",
        )
        for document in documents
    ]
    return [pk for pk in bulk_enqueue(requests).ids if pk is not None]
