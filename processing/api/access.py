"""The workspace of a request, and who may do what in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.http import Http404
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.views import APIView

from processing.choices import Role
from processing.exceptions import NoWorkspace
from processing.models import ApiKey, Workspace
from processing.workspaces.access import Access, access_of_key, access_of_user
from processing.workspaces.row_security import confine

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.request import Request

    from processing.api.representation import Expansion

#: Where people who are in several workspaces name the one they mean; a key is of one.
WORKSPACE_HEADER = "Longhand-Workspace"


def access_of(request: Request) -> Access:
    """Return the workspace of a request and what may be done in it.

    Raises ``NoWorkspace`` for who is in none, and ``Http404`` for one that is not theirs.
    """
    known: Access | None = getattr(request, "_access", None)
    if known is None:
        known = request._access = _found(request)  # type: ignore[attr-defined]
        request._request.access = known  # type: ignore[attr-defined]  # for the audit event
        confine(request, known.workspace)
    return known


def _found(request: Request) -> Access:
    slug = request.headers.get(WORKSPACE_HEADER, "")
    if isinstance(request.auth, ApiKey):
        access = access_of_key(request.auth)
        if access is not None and slug not in ("", access.workspace.slug):
            raise Http404
    else:
        access = access_of_user(cast("User", request.user), slug)
        if access is None and slug:
            raise Http404
    if access is None:
        raise NoWorkspace("you are a member of no workspace; ask a manager of one to add you")
    return access


class WorkspacePermission(BasePermission):
    """Members read, editors write; a view says in ``roles`` which actions need more, or less."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            return False
        default = Role.VIEWER if request.method in SAFE_METHODS else Role.EDITOR
        return access_of(request).allows(view.roles.get(view.action, default))


class OfWorkspace(APIView):
    """A view of what belongs to a workspace: first among the bases of each such view."""

    permission_classes = [WorkspacePermission]
    #: The role that an action needs, where it is not the one that all of its kind need.
    roles: dict[str, Role] = {}
    #: What ``expand=`` can put into its items.
    expansions: dict[str, Expansion] = {}

    @property
    def workspace(self) -> Workspace:
        if getattr(self, "swagger_fake_view", False):  # a schema is made, of nobody's rows
            return Workspace()
        return access_of(self.request).workspace


def is_operators(request: Request) -> bool:
    """Whether it is one of who runs the installation, and by a login, not by a key."""
    return not isinstance(request.auth, ApiKey) and bool(request.user.is_staff)


def user_of(request: Request) -> User | None:
    return request.user if request.user.is_authenticated else None
