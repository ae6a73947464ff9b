"""Who looks at the Board, and what of it is theirs to see."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef

from processing.models import Workspace
from processing.workspaces.role_permissions import is_allowed, workspaces_allowing

if TYPE_CHECKING:
    from uuid import UUID

    from django.contrib.auth.models import User
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from processing.managers.workspace import WorkspaceQuerySet

#: Who may see the jobs of all workspaces runs the installation, and sees how that is doing too.
OPERATING = "jobs.view_job"


@dataclass(frozen=True)
class Viewer:
    """Somebody of staff: what is of their workspaces is theirs, and of an operator also how the
    installation is doing."""

    request: HttpRequest

    @cached_property
    def user(self) -> User:
        return cast("User", self.request.user)

    @cached_property
    def is_operator(self) -> bool:
        return self.user.has_perm(OPERATING)

    @cached_property
    def own_workspaces(self) -> list[Workspace]:
        """Those that they are a member of; a superuser who is one of none has none."""
        return list(Workspace.objects.of_user(self.user))

    def is_member_of(self, workspace_id: UUID | None) -> bool:
        return any(workspace.pk == workspace_id for workspace in self.own_workspaces)

    def may(self, permission: str, workspace_id: UUID | None) -> bool:
        """Whether they may do something such as ``processing.change_document`` in a workspace."""
        if workspace_id is None:
            return self.user.is_superuser
        return is_allowed(self.user, permission, workspace_id)

    def own(self, rows: QuerySet[Any], *permissions: str, path: str = "workspace") -> QuerySet[Any]:
        """Return those of ``rows`` that are of their workspaces; ``path`` leads from one to it.

        With permissions it is those of workspaces where they have one of these.
        """
        if self.user.is_superuser:
            return rows
        return rows.filter(**{f"{path}__in": self._workspaces(*permissions).values("pk")})

    def first_of_each_workspace(self, *queries: QuerySet[Any], limit: int) -> list[UUID]:
        """Return the ids of the first rows of ``queries`` in each of their workspaces.

        By one query, which reads indexes that begin with the workspace: how many rows there are
        beyond those does not matter.
        """
        arrays = {
            f"found_{number}": ArraySubquery(
                rows.filter(workspace_id=OuterRef("pk")).values("pk")[:limit]
            )
            for number, rows in enumerate(queries)
        }
        found = self._workspaces().order_by().annotate(**arrays).values_list(*arrays)
        return [pk for columns in found for ids in columns for pk in ids]

    def _workspaces(self, *permissions: str) -> WorkspaceQuerySet:
        return workspaces_allowing(self.user, *permissions)
