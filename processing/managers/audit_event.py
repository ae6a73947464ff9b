"""The repository of audit events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self
from uuid import UUID

from django.db import models

if TYPE_CHECKING:
    from processing.models import AuditEvent, Workspace  # noqa: F401  named in a string

#: What the API calls a model, where that is not its name.
API_NAMES: Final = {"apikey": "api-key", "cacheentry": "cache-entry"}


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def about(self, row: models.Model) -> Self:
        """What was done to a row: by its key, and by the name that the API has for it.

        Only keys that are unique among all rows of all kinds are enough by themselves.
        """
        is_key = models.Q(object_id=row.pk)
        name = str(row._meta.model_name)
        if not isinstance(row.pk, UUID):
            is_key &= models.Q(object_type__in=[name, API_NAMES.get(name, name)])
        if (slug := getattr(row, "slug", None)) is None:
            return self.filter(is_key)
        own = models.Q(object_id=slug, object_type=name)
        if (workspace_id := getattr(row, "workspace_id", None)) is not None:
            own &= models.Q(workspace_id=workspace_id)
        return self.filter(is_key | own)


AuditEventManager = models.Manager.from_queryset(AuditEventQuerySet)
