"""Staff see in the admin what belongs to the workspaces that they are members of, and do there
what their role lets them."""

from __future__ import annotations

from functools import wraps
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.http import Http404

from jobs.lists import LargeListAdmin
from jobs.presentation import NOTHING, link_to
from processing.workspaces.access import access_of_user
from processing.workspaces.role_permissions import is_allowed, workspaces_allowing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from django.contrib.auth.models import User
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

    from processing.managers.workspace import WorkspaceQuerySet
    from processing.models import Workspace


def workspaces_of(request: HttpRequest, *permissions: str) -> WorkspaceQuerySet:
    """Return the workspaces that somebody works in: of a superuser, all.

    With permissions it is those in which their role, or a permission by hand, gives one of them.
    """
    return workspaces_allowing(cast("User", request.user), *permissions)


def workspace_of(request: HttpRequest, *permissions: str) -> Workspace:
    """Return the workspace of who names none, where they may do that.

    Raises ``PermissionDenied`` for who may do it in none.
    """
    access = access_of_user(cast("User", request.user))
    own = workspaces_of(request, *permissions)
    if access is not None and (not permissions or own.filter(pk=access.workspace.pk).exists()):
        return access.workspace
    workspace = own.first()
    if workspace is None:
        raise PermissionDenied("You are a member of no workspace where you may do this.")
    return workspace


class JudgedByRole(BaseModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """Rows that somebody may do something to where their role in the rows' workspace lets them."""

    #: The way from a row to its workspace.
    workspace_path = "workspace"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_view_permission(request, obj)
        return may and self.is_allowed(request, obj, "view", "change")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and self.is_allowed(request, obj, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_delete_permission(request, obj)
        return may and self.is_allowed(request, obj, "delete")

    def permission_to(self, verb: str) -> str:
        """Return the permission for ``view``, ``add``, ``change`` or ``delete``."""
        return f"{self.opts.app_label}.{get_permission_codename(verb, self.opts)}"

    def is_allowed(self, request: HttpRequest, row: Any, *verbs: str) -> bool:
        """Say whether somebody may do one of these to a row; to some row, where it is None."""
        user = cast("User", request.user)
        return row is None or any(
            is_allowed(user, self.permission_to(verb), self.workspace_id_of(row)) for verb in verbs
        )

    def workspace_id_of(self, row: Any) -> UUID:
        workspace_id: UUID = attrgetter(f"{self.workspace_path}_id".replace("__", "."))(row)
        return workspace_id


class OfWorkspaces(JudgedByRole, LargeListAdmin):
    """Rows of workspaces; first among the bases of each such page.

    ``indexed_in_workspace`` are the fields by which an index has the rows of one workspace in
    the order of the list, and ``indexed_in_all`` those by which one has the rows of all so.
    Where ``is_listed_by_workspace``, one has all rows of one so.
    """

    indexed_in_workspace: Sequence[str] = ()
    indexed_in_all: Sequence[str] = ()
    is_listed_by_workspace = False

    def rows(self) -> QuerySet[Any]:
        """Return all rows, with what the pages show of them."""
        raise NotImplementedError

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self._narrowed(request, self.rows(), "view", "change")

    def get_ordering(self, request: HttpRequest) -> Any:
        if self.is_listed_by_workspace and is_of_one_workspace(request):
            return self.opts.ordering
        return super().get_ordering(request)

    def indexed_fields(self, request: HttpRequest) -> Sequence[str]:
        return self.indexed_in_workspace if is_of_one_workspace(request) else self.indexed_in_all

    def of_workspaces(self, rows: QuerySet[Any], workspace_ids: list[UUID]) -> QuerySet[Any]:
        """Return the ``rows`` of these workspaces."""
        return rows.filter(**{f"{self.workspace_path}__in": workspace_ids})

    @admin.display(description="workspace")
    def workspace_link(self, row: Any) -> SafeString | str:
        workspace = attrgetter(self.workspace_path.replace("__", "."))(row)
        return link_to(workspace) if workspace else NOTHING

    def row_for(self, request: HttpRequest, object_id: Any, verb: str = "change") -> Any:
        """Return the row that somebody is to do something to, at an address of its own.

        Raises ``PermissionDenied`` for who may not, and ``Http404`` where they see no such row.
        """
        verbs = ("view", "change") if verb == "view" else (verb,)
        if not any(request.user.has_perm(self.permission_to(each)) for each in verbs):
            raise PermissionDenied
        row = self.get_queryset(request).filter(pk=object_id).first()
        if row is None:
            raise Http404
        if not self.is_allowed(request, row, *verbs):
            raise PermissionDenied
        return row

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return the actions, each for the rows where somebody's role lets them do it."""
        actions: dict[str, Any] = super().get_actions(request)
        return {name: (self._within_roles(act), *rest) for name, (act, *rest) in actions.items()}

    def _within_roles(self, act: Callable[..., Any]) -> Callable[..., Any]:
        needed = getattr(act, "allowed_permissions", ())
        verb = next((each for each in needed if each in ("view", "delete")), "change")

        @wraps(act)
        def act_within(
            model_admin: OfWorkspaces, request: HttpRequest, queryset: QuerySet[Any]
        ) -> Any:
            within = model_admin._narrowed(request, queryset, verb)
            count = 0 if within is queryset else queryset.count() - within.count()
            if count:
                reason = f"Left out {count}: your role in their workspace does not allow this."
                model_admin.message_user(request, reason, messages.WARNING)
            return act(model_admin, request, within)

        return act_within

    def _narrowed(self, request: HttpRequest, rows: QuerySet[Any], *verbs: str) -> QuerySet[Any]:
        """Return the rows of the workspaces where somebody may do one of ``verbs``."""
        if cast("User", request.user).is_superuser:
            return rows
        allowing = workspaces_of(request, *(self.permission_to(verb) for verb in verbs))
        own = list(allowing.values_list("pk", flat=True))  # so the planner knows how many rows
        return self.of_workspaces(rows, own)


#: The most workspaces that a list offers to be narrowed to; an address may name any.
SHOWN_WORKSPACES = 50


class WorkspaceFilter(admin.SimpleListFilter):
    """By workspace, of those that somebody works in; first among the filters of a list."""

    title = "workspace"
    parameter_name = "workspace"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.model_admin = model_admin
        shown = workspaces_of(request).values_list("slug", "name")[:SHOWN_WORKSPACES]
        return list(shown)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        named = workspaces_of(request).filter(slug=self.value()).values_list("pk", flat=True)
        return self.model_admin.of_workspaces(queryset, list(named))


def is_of_one_workspace(request: HttpRequest) -> bool:
    """Whether a list has the rows of one workspace only: it was chosen, or there is no other."""
    if WorkspaceFilter.parameter_name in request.GET:
        return True
    user = cast("User", request.user)
    return not user.is_superuser and not workspaces_of(request)[1:].exists()
