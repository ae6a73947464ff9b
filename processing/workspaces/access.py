"""Who may do what in which workspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processing.choices import Role, Scope
from processing.models import Membership, Workspace

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from processing.models import ApiKey


@dataclass(frozen=True)
class Access:
    """A workspace, and what somebody may do in it."""

    workspace: Workspace
    role: Role

    def allows(self, role: Role) -> bool:
        """Say whether what needs ``role`` may be done."""
        return self.role.rank >= role.rank


def access_of_user(user: User, slug: str = "") -> Access | None:
    """Return what a user may do in the workspace of that slug; None when it is not theirs.

    Without a slug it is the default workspace for who is a member of it, or a superuser, and
    else the one that they have been a member of for longest. Superusers manage all workspaces.
    """
    if user.is_superuser:
        if not slug:
            return Access(Workspace.objects.default(), Role.MANAGER)
        workspace = Workspace.objects.named(slug)
        return Access(workspace, Role.MANAGER) if workspace else None
    memberships = Membership.objects.of_user(user).select_related("workspace")
    membership = memberships.named(slug).first() if slug else memberships.default_first().first()
    return Access(membership.workspace, Role(membership.role)) if membership else None


def access_of_key(key: ApiKey) -> Access | None:
    """Return what a key may do: what both its scopes and its owner's role allow.

    None when its owner is no member any more.
    """
    allowed = max((Scope(scope).role for scope in key.scopes), key=lambda role: role.rank)
    if key.user.is_superuser:
        return Access(key.workspace, allowed)
    if key.owner_role is None:
        return None
    return Access(key.workspace, min(allowed, Role(key.owner_role), key=lambda role: role.rank))
