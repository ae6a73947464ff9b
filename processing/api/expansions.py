"""What ``expand=`` puts into transcripts and documents, to spare programs a request for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processing.api.document_serializers import DocumentSerializer
from processing.api.representation import Expansion
from processing.api.serializers import RecordingSerializer, TranscriptSerializer
from processing.api.summaries import SummaryDetailSerializer
from processing.models import Document, Recording, Summary, Transcript

if TYPE_CHECKING:
    from processing.managers.document import DocumentQuerySet
    from processing.managers.recording import RecordingQuerySet
    from processing.managers.result import ResultQuerySet
    from processing.managers.transcript import TranscriptQuerySet
    from processing.models import Workspace


def _recordings(workspace: Workspace) -> RecordingQuerySet:
    return Recording.objects.in_workspace(workspace).with_transcripts()


def _transcripts(workspace: Workspace) -> TranscriptQuerySet:
    return Transcript.objects.in_workspace(workspace).with_runs().without_content()


def _documents(workspace: Workspace) -> DocumentQuerySet:
    return Document.objects.in_workspace(workspace).with_topics().without_content()


def _latest_summaries(workspace: Workspace) -> ResultQuerySet[Summary]:
    summaries = Summary.objects.in_workspace(workspace).select_related("document")
    latest_first = summaries.order_by("document_id", "-created_at", "-id")
    return latest_first.distinct("document_id").defer("document__text", "document__sections")


OF_TRANSCRIPT = {
    "recording": Expansion(_recordings, RecordingSerializer, key="recording"),
    "document": Expansion(_documents, DocumentSerializer, column="transcript_id"),
}
OF_DOCUMENT = {
    "transcript": Expansion(_transcripts, TranscriptSerializer, key="transcript"),
    "summary": Expansion(_latest_summaries, SummaryDetailSerializer, column="document_id"),
}
