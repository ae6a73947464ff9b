"""The repository of workspaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from processing.models import Workspace

DEFAULT_SLUG = "default"


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    def default(self) -> Workspace:
        """Return the workspace of whoever names none; made when first asked for."""
        workspace, _ = self.get_or_create(slug=DEFAULT_SLUG, defaults={"name": "Default"})
        return workspace


WorkspaceManager = models.Manager.from_queryset(WorkspaceQuerySet)
