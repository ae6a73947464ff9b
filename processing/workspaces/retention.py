"""How long a workspace keeps what people gave it: recordings with all that came of them, and
uploaded documents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q, QuerySet

from jobs import handlers
from jobs.handlers import JobHandler, register_job
from jobs.schedules import Schedule, register_schedule
from jobs.services.retention import MAINTENANCE_QUEUE
from processing.knowledge.documents import delete_document
from processing.models import Document, ProcessingTask, Recording, Workspace
from processing.services.deletion import delete_recording
from processing.workspaces.audit import record_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from jobs.models import Job
    from processing.managers.document import DocumentQuerySet
    from processing.managers.recording import RecordingQuerySet

PURGE_JOB = "PURGE_RECORDINGS"

#: What is looked up at once, to be deleted one by one.
BATCH_SIZE = 100


def _nothing(count: int) -> None:
    """What follows from most batches."""


@dataclass(frozen=True)
class Expired:
    """What came in longer ago than it is kept, and is at rest: nobody works on it now."""

    recordings: RecordingQuerySet
    documents: DocumentQuerySet

    @classmethod
    def since(cls, older_than: timedelta, *, workspace: Workspace | None = None) -> Expired:
        """Find what is older than that, in one workspace or in all."""
        recordings = Recording.objects.older_than(older_than).at_rest()
        documents = Document.objects.uploaded().older_than(older_than).at_rest()
        if workspace is None:
            return cls(recordings, documents)
        return cls(recordings.in_workspace(workspace), documents.in_workspace(workspace))


def purge_recordings(
    *,
    older_than: timedelta,
    workspace: Workspace | None = None,
    batch_size: int = BATCH_SIZE,
    after_batch: Callable[[int], None] = _nothing,
) -> int:
    """Delete the recordings and uploaded documents that are older; return how many.

    Each is a transaction of its own. ``after_batch`` is told how many were deleted, and may
    raise to stop. What somebody begins to work on meanwhile is kept.
    """
    expired = Expired.since(older_than, workspace=workspace)
    total = 0
    for rows, delete in (
        (expired.recordings, _delete_recording),
        (expired.documents, _delete_document),
    ):
        for ids in _batches(rows, batch_size):
            count = sum(map(delete, ids))
            total += count
            after_batch(count)
    return total


def run_purge_job(job: Job) -> None:
    """Delete what each workspace does not want to keep; done again, it goes on."""
    for workspace in Workspace.objects.all():
        if workspace.retention_days is not None:
            span = timedelta(days=workspace.retention_days)
            count = purge_recordings(older_than=span, workspace=workspace)
            if count:
                record_event(
                    action="workspace.purge",
                    object_type="workspace",
                    object_id=workspace.slug,
                    workspace=workspace,
                    details={"deleted": count, "retention_days": workspace.retention_days},
                )


def register() -> None:
    """Have recordings purged every night."""
    register_job(
        JobHandler(PURGE_JOB, MAINTENANCE_QUEUE, run_purge_job, validate=handlers.no_payload)
    )
    register_schedule(Schedule("purge_recordings", "37 3 * * *", PURGE_JOB))


def _batches(rows: QuerySet[Any], size: int) -> Iterator[list[UUID]]:
    """Yield the ids of all rows, the oldest first; each once, whatever becomes of it."""
    rows = rows.order_by("created_at", "pk")
    batch = list(rows.values_list("created_at", "pk")[:size])
    while batch:
        yield [pk for _, pk in batch]
        at, last = batch[-1]
        following = rows.filter(Q(created_at__gt=at) | Q(created_at=at, pk__gt=last))
        batch = list(following.values_list("created_at", "pk")[:size])


@transaction.atomic
def _delete_recording(pk: UUID) -> bool:
    recording = Recording.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    if recording is None:
        return False
    if ProcessingTask.objects.of_recording(recording).active().exists():
        return False
    delete_recording(recording=recording)
    return True


@transaction.atomic
def _delete_document(pk: UUID) -> bool:
    rows = Document.objects.at_rest().without_content().select_for_update(skip_locked=True)
    document = rows.filter(pk=pk).first()
    if document is None:
        return False
    delete_document(document)
    return True
