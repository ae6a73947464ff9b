"""What somebody's workspaces have had this month of what they may have, and what came in last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import reverse

from processing.models import Document, Workspace, WorkspaceUsage
from processing.workspaces.quotas import current_month

if TYPE_CHECKING:
    from datetime import datetime

    from monitoring.board.viewer import Viewer

#: So many workspaces and documents are shown.
SHOWN = 6

#: From this share of a quota on it is told of.
NEARLY = 0.9


@dataclass(frozen=True)
class UsageFacts:
    """Minutes of audio of this month; ``share`` of the quota, None where there is no quota."""

    workspace: Workspace
    address: str
    minutes: float
    limit_minutes: int | None

    @property
    def share(self) -> float | None:
        if self.limit_minutes is None:
            return None
        return min(self.minutes / self.limit_minutes, 1.0) if self.limit_minutes else 1.0

    @property
    def is_nearly_used_up(self) -> bool:
        return self.share is not None and self.share >= NEARLY


@dataclass(frozen=True)
class DocumentFacts:
    """A document that came in lately."""

    title: str
    address: str
    status: str
    created_at: datetime


def usage_facts(viewer: Viewer) -> list[UsageFacts]:
    """Describe the first workspaces that the viewer is a member of, with two queries at most."""
    shown = viewer.own_workspaces[:SHOWN]
    used = WorkspaceUsage.objects.filter(workspace__in=shown, month=current_month())
    seconds = dict(used.values_list("workspace", "audio_seconds")) if shown else {}
    return [
        UsageFacts(
            workspace=workspace,
            address=reverse("admin:processing_workspace_change", args=[workspace.pk]),
            minutes=seconds.get(workspace.pk, 0.0) / 60,
            limit_minutes=workspace.max_audio_minutes_per_month,
        )
        for workspace in shown
    ]


def latest_documents(viewer: Viewer) -> list[DocumentFacts]:
    """Return the documents that came into the viewer's workspaces last, with two queries."""
    newest = Document.objects.without_content().order_by("-created_at", "-id")
    rows = newest.filter(pk__in=viewer.first_of_each_workspace(newest, limit=SHOWN))
    return [
        DocumentFacts(
            title=document.title,
            address=reverse("admin:processing_document_change", args=[document.pk]),
            status=document.status,
            created_at=document.created_at,
        )
        for document in rows[:SHOWN]
    ]
