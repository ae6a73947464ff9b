"""The repository of usage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import connections, models

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from processing.models import Workspace, WorkspaceUsage  # noqa: F401  named in a string

#: One statement, so that two who ask at once cannot both have the last of it: the second one
#: waits for the first to commit, and its condition is judged by what that has left.
_CHARGE = """
INSERT INTO workspace_usage AS usage (workspace_id, month, audio_seconds)
SELECT %(workspace)s::uuid, %(month)s::date, %(seconds)s::float8
WHERE %(limit)s::float8 IS NULL OR %(seconds)s <= %(limit)s
ON CONFLICT (workspace_id, month) DO UPDATE
SET audio_seconds = usage.audio_seconds + EXCLUDED.audio_seconds
WHERE %(limit)s::float8 IS NULL OR usage.audio_seconds + EXCLUDED.audio_seconds <= %(limit)s
"""


class WorkspaceUsageQuerySet(models.QuerySet["WorkspaceUsage"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def charge(
        self, workspace_id: UUID, month: date, *, seconds: float, limit_seconds: float | None
    ) -> bool:
        """Count audio as used in a month; False, and nothing is, where it would pass the limit."""
        parameters: dict[str, Any] = {
            "workspace": workspace_id,
            "month": month,
            "seconds": seconds,
            "limit": limit_seconds,
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_CHARGE, parameters)
            return bool(cursor.rowcount)

    def audio_seconds(self, workspace: Workspace, month: date) -> float:
        """Return what a workspace has used in a month."""
        rows = self.in_workspace(workspace).filter(month=month)
        return rows.values_list("audio_seconds", flat=True).first() or 0.0


WorkspaceUsageManager = models.Manager.from_queryset(WorkspaceUsageQuerySet)
