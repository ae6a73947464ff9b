"""The repository of audit events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from processing.models import AuditEvent, Workspace  # noqa: F401  named in a string


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)


AuditEventManager = models.Manager.from_queryset(AuditEventQuerySet)
