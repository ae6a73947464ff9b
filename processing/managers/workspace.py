"""The repository of workspaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from processing.models import Workspace

DEFAULT_SLUG = "default"


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    def with_limit(self) -> Self:
        """Those that may have only so many chunks transcribed at once."""
        return self.filter(max_concurrent_chunks__isnull=False)

    def default(self) -> Workspace:
        """Return the workspace of whoever names none; made when first asked for."""
        workspace, _ = self.get_or_create(slug=DEFAULT_SLUG, defaults={"name": "Default"})
        return workspace


WorkspaceManager = models.Manager.from_queryset(WorkspaceQuerySet)
