"""What staff can have done to many recordings, transcripts, runs and documents."""

from collections import Counter
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.template.defaultfilters import filesizeformat

from jobs.bulk_actions import Asked, BulkActionKind, Outcome, each, register_bulk_action
from processing.exceptions import ProcessingError
from processing.knowledge.documents import delete_document, request_indexing
from processing.knowledge.summarizing.summaries import request_summary
from processing.models import Document, ProcessingTask, Recording, Transcript
from processing.services.deletion import delete_recording
from processing.services.orchestrator import cancel_processings
from processing.services.requesting import retry_gaps

NOTHING_GOES_ON = "nothing is being done for it"


def _delete_recordings(rows: QuerySet[Recording], asked: Asked) -> Outcome:
    return each(rows, lambda recording: delete_recording(recording=recording), ProcessingError)


def _with_recordings(rows: QuerySet[Recording]) -> list[str]:
    """Say what goes with recordings."""
    keys = rows.order_by().values("pk")
    chosen = Recording.objects.filter(pk__in=keys)
    size = chosen.aggregate(size=Sum("size_bytes", default=0))["size"]
    made = Transcript.objects.filter(recording__in=keys).aggregate(
        transcripts=Count("pk", distinct=True), documents=Count("document", distinct=True)
    )
    return [
        f"{made['transcripts']:,} transcripts with their runs, and what is being done for them",
        f"{made['documents']:,} documents with their summaries, translations and index",
        f"Files of {filesizeformat(size)}",
    ]


def _retry_gaps(rows: QuerySet[Transcript], asked: Asked) -> Outcome:
    return each(rows, lambda one: retry_gaps(one, created_by=asked.by), ProcessingError)


def _cancel_runs(rows: QuerySet[ProcessingTask], asked: Asked) -> Outcome:
    statuses = {run.pk: run.status for run in rows}
    cancelled = cancel_processings(rows)
    over = Counter(f"the run is {statuses[pk]}" for pk in statuses.keys() - cancelled)
    return Outcome(len(cancelled), over)


def _cancel_transcripts(rows: QuerySet[Transcript], asked: Asked) -> Outcome:
    count = len(cancel_processings(ProcessingTask.objects.active().filter(transcript__in=rows)))
    idle = rows.count() - count
    return Outcome(count, Counter({NOTHING_GOES_ON: idle} if idle else {}))


def _delete_documents(rows: QuerySet[Document], asked: Asked) -> Outcome:
    return each(rows, delete_document, ProcessingError)


def _with_documents(rows: QuerySet[Document]) -> list[str]:
    """Say what goes with documents, and which stay."""
    spoken = rows.order_by().filter(transcript__isnull=False).count()
    lines = ["Their files, summaries, translations, topics and what the index has of them"]
    if spoken:
        lines.append(f"{spoken:,} are of transcripts and stay: they go with their recordings")
    return lines


def _index_documents(rows: QuerySet[Document], asked: Asked) -> Outcome:
    return each(rows, lambda one: request_indexing(one, created_by=asked.by), ProcessingError)


def _summarise_documents(rows: QuerySet[Document], asked: Asked) -> Outcome:
    def summarise(document: Document) -> Any:
        return request_summary(document=document, created_by=asked.by)

    return each(rows, summarise, ProcessingError)


DELETE_RECORDINGS = BulkActionKind(
    "recordings.delete_selected",
    Recording,
    _delete_recordings,
    "Delete recordings",
    "Deleted {}.",
    is_destructive=True,
    consequences=_with_recordings,
    batch_size=10,
)
RETRY_GAPS = BulkActionKind(
    "transcripts.retry",
    Transcript,
    _retry_gaps,
    "Hear the gaps of transcripts again",
    "The gaps of {} are being heard again.",
    batch_size=20,
)
CANCEL_TRANSCRIPTS = BulkActionKind(
    "transcripts.cancel",
    Transcript,
    _cancel_transcripts,
    "Cancel the runs of transcripts",
    "Cancelled {}.",
    is_destructive=True,
    batch_size=20,
)
CANCEL_RUNS = BulkActionKind(
    "runs.cancel",
    ProcessingTask,
    _cancel_runs,
    "Cancel runs",
    "Cancelled {}.",
    is_destructive=True,
    batch_size=20,
)
DELETE_DOCUMENTS = BulkActionKind(
    "documents.delete_selected",
    Document,
    _delete_documents,
    "Delete documents",
    "Deleted {}.",
    is_destructive=True,
    consequences=_with_documents,
    batch_size=20,
)
INDEX_DOCUMENTS = BulkActionKind(
    "documents.index_again",
    Document,
    _index_documents,
    "Index documents again",
    "{} are being indexed.",
    batch_size=50,
)
SUMMARISE_DOCUMENTS = BulkActionKind(
    "documents.summarise",
    Document,
    _summarise_documents,
    "Summarise documents",
    "{} are being summarised.",
    batch_size=50,
)


def register() -> None:
    """Make these bulk actions known."""
    for kind in (
        DELETE_RECORDINGS,
        RETRY_GAPS,
        CANCEL_TRANSCRIPTS,
        CANCEL_RUNS,
        DELETE_DOCUMENTS,
        INDEX_DOCUMENTS,
        SUMMARISE_DOCUMENTS,
    ):
        register_bulk_action(kind)
