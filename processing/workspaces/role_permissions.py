"""What their roles in workspaces let staff do in the admin, without a permission given by hand.

A permission that Django knows of, by a user's own or a group's, is good in each workspace that
they are a member of, whatever their role there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth.backends import BaseBackend, ModelBackend

from processing.choices import Role
from processing.models import Membership, Workspace

if TYPE_CHECKING:
    from uuid import UUID

    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

    from processing.managers.workspace import WorkspaceQuerySet

#: What is done with what a workspace has, and the least role that does it.
CONTENT: Final = {
    "view": Role.VIEWER,
    "add": Role.EDITOR,
    "change": Role.EDITOR,
    "delete": Role.MANAGER,
}

#: The same of what managers keep for themselves.
MANAGED: Final = dict.fromkeys(CONTENT, Role.MANAGER)

#: model -> verb -> role. What is not here is the installation's, and given by hand.
ROLES: Final[dict[str, dict[str, Role]]] = {
    **dict.fromkeys(
        (
            "recording",
            "transcript",
            "processingtask",
            "chunktask",
            "document",
            "topic",
            "summary",
            "translation",
            "question",
        ),
        CONTENT,
    ),
    **dict.fromkeys(("apikey", "webhook", "webhookdelivery"), MANAGED),
    "membership": MANAGED | {"view": Role.VIEWER},
    "workspace": {"view": Role.VIEWER, "change": Role.MANAGER},
    "auditevent": {"view": Role.MANAGER},
}

#: permission -> the least role that has it
ROLE_OF: Final = {
    f"processing.{verb}_{model}": role
    for model, verbs in ROLES.items()
    for verb, role in verbs.items()
}

_GIVEN = ModelBackend()


class RolePermissions(BaseBackend):
    """Gives staff what the highest of their roles has; in which workspace is for ``is_allowed``."""

    def get_user_permissions(
        self, user_obj: AbstractBaseUser | AnonymousUser, obj: Any = None
    ) -> set[str]:
        if obj is not None:
            return set()
        roles = _roles_of(user_obj).values()
        highest = max(roles, key=lambda role: role.rank, default=None)
        return {
            permission
            for permission, role in ROLE_OF.items()
            if highest is not None and highest.rank >= role.rank
        }

    def has_module_perms(self, user_obj: AbstractBaseUser | AnonymousUser, app_label: str) -> bool:
        permissions = self.get_user_permissions(user_obj)
        return any(each.startswith(f"{app_label}.") for each in permissions)


def is_allowed(user: User, permission: str, workspace_id: UUID) -> bool:
    """Say whether somebody may do that in a workspace, such as ``processing.change_document``."""
    if user.is_superuser:
        return True
    role, least = _roles_of(user).get(workspace_id), ROLE_OF.get(permission)
    if role is None:
        return False
    return (least is not None and role.rank >= least.rank) or _GIVEN.has_perm(user, permission)


def workspaces_allowing(user: User, *permissions: str) -> WorkspaceQuerySet:
    """Return the workspaces in which somebody may do one of these; without any, all of theirs."""
    if user.is_superuser:
        return Workspace.objects.all()
    own = Workspace.objects.of_user(user)
    if not permissions:
        return own
    allowing = [
        pk for pk in _roles_of(user) if any(is_allowed(user, each, pk) for each in permissions)
    ]
    return own.filter(pk__in=allowing)


def _roles_of(user: Any) -> dict[UUID, Role]:
    """Return the role of staff in each workspace; read once, as Django does with permissions."""
    if not (user.is_active and user.is_staff) or user.is_anonymous:
        return {}
    if not hasattr(user, "_workspace_roles"):
        rows = Membership.objects.of_user(user).values_list("workspace_id", "role")
        user._workspace_roles = {workspace_id: Role(role) for workspace_id, role in rows}
    roles: dict[UUID, Role] = user._workspace_roles
    return roles
