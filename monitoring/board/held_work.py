"""What workers are at just now, of every kind of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from jobs import handlers
from jobs import specifications as spec
from jobs.choices import JobStatus
from jobs.models import Job
from processing.admin.presentation import shown_name
from processing.models import ChunkTask, WebhookDelivery

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from jobs.models import Work

#: More of one kind are not looked at: nobody reads so many, and few installations have them.
LIMIT = 500

_OF_ALL = ("queue_name", "worker_id", "started_at", "lease_expires_at")

#: What else is read of a kind of work, to say what it is; each of these has a page in the admin.
_COLUMNS: dict[type[Work], tuple[str, ...]] = {
    Job: ("job_type",),
    ChunkTask: (
        "index",
        "processing_id",
        "processing__transcript__workspace_id",
        "processing__transcript__recording__name",
    ),
    WebhookDelivery: ("event", "webhook__workspace_id"),
}
_RELATED: dict[type[Work], tuple[str, ...]] = {
    ChunkTask: ("processing__transcript__recording",),
    WebhookDelivery: ("webhook",),
}


@dataclass(frozen=True)
class HeldWork:
    """Work under a lease: who has it since when, and for the eye ``title`` and where it is shown.

    ``workspace_id`` is whose it is; None for jobs, which are the installation's. ``address`` is
    empty for a kind of work that has no page.
    """

    queue_name: str
    worker_id: UUID | None
    started_at: datetime | None
    lease_expires_at: datetime
    title: str
    detail: str
    address: str
    workspace_id: UUID | None


def held_work() -> list[HeldWork]:
    """Return what is under a lease, at most ``LIMIT`` of each kind, with one query for each."""
    return [_held(work) for model in handlers.work_models() for work in _rows(model)]


def _rows(model: type[Work]) -> list[Any]:
    rows = model.objects.matching(spec.has_status(JobStatus.PROCESSING)).order_by()
    if model in _RELATED:
        rows = rows.select_related(*_RELATED[model])
    return list(rows.only(*_OF_ALL, *_COLUMNS.get(model, ()))[:LIMIT])


def _held(work: Any) -> HeldWork:
    title, detail, workspace_id = type(work)._meta.verbose_name.capitalize(), "", None
    if isinstance(work, Job):
        title = work.job_type
    elif isinstance(work, ChunkTask):
        transcript = work.processing.transcript
        title, detail = f"chunk {work.index}", shown_name(transcript.recording)
        workspace_id = transcript.workspace_id
    elif isinstance(work, WebhookDelivery):
        title, workspace_id = work.event, work.webhook.workspace_id
    meta = work._meta
    return HeldWork(
        queue_name=work.queue_name,
        worker_id=work.worker_id,
        started_at=work.started_at,
        lease_expires_at=work.lease_expires_at,
        title=title,
        detail=detail,
        address=reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[work.pk])
        if type(work) in _COLUMNS
        else "",
        workspace_id=workspace_id,
    )
