"""Staff see in the admin what belongs to the workspaces that they are members of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied

from processing.models import Workspace
from processing.workspaces.access import access_of_user

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from processing.managers.workspace import WorkspaceQuerySet


def workspaces_of(request: HttpRequest) -> WorkspaceQuerySet:
    """Return the workspaces that somebody works in: of a superuser, all."""
    user = cast("User", request.user)
    return Workspace.objects.all() if user.is_superuser else Workspace.objects.of_user(user)


def workspace_of(request: HttpRequest) -> Workspace:
    """Return the workspace of who names none; ``PermissionDenied`` for who is in none."""
    access = access_of_user(cast("User", request.user))
    if access is None:
        raise PermissionDenied("You are a member of no workspace.")
    return access.workspace


class OfWorkspaces(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """Rows of workspaces; first among the bases of each such page."""

    #: The way from a row to its workspace.
    workspace_path = "workspace"

    def rows(self) -> QuerySet[Any]:
        """Return all rows, with what the pages show of them."""
        raise NotImplementedError

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = self.rows()
        if cast("User", request.user).is_superuser:
            return rows
        own = workspaces_of(request).values("pk")
        return rows.filter(**{f"{self.workspace_path}__in": own})


class WorkspaceFilter(admin.SimpleListFilter):
    """By workspace, of those that somebody works in."""

    title = "workspace"
    parameter_name = "workspace"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(workspace.slug, workspace.name) for workspace in workspaces_of(request)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(workspace__slug=self.value()) if self.value() else queryset
