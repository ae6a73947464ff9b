"""Members of a workspace: let in, given another role, and shown out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import transaction

from processing.choices import Role
from processing.exceptions import AlreadyMember, LastManager, UnknownUser
from processing.models import ApiKey, Membership, Workspace

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def add_member(*, workspace: Workspace, user: User, role: Role = Role.VIEWER) -> Membership:
    """Let somebody in; raise ``AlreadyMember`` for who is."""
    membership, is_new = Membership.objects.get_or_create(
        workspace=workspace, user=user, defaults={"role": role}
    )
    if not is_new:
        raise AlreadyMember(f"{user.get_username()} is a member already: {membership.role}")
    return membership


@transaction.atomic
def change_role(membership: Membership, role: Role) -> None:
    """Give a member another role; raise ``LastManager`` when nobody else manages then."""
    if role != Role.MANAGER:
        _refuse_without(membership)
    Membership.objects.filter(pk=membership.pk).update(role=role)
    membership.role = role


@transaction.atomic
def remove_member(membership: Membership) -> None:
    """Show a member out, and revoke the keys that they have there: back again, they make others.

    Raises ``LastManager`` when nobody else manages then.
    """
    _refuse_without(membership)
    revoke_keys(membership)
    membership.delete()


def revoke_keys(membership: Membership) -> int:
    """Revoke the keys that a member has in the workspace; return how many."""
    return ApiKey.objects.in_workspace(membership.workspace).of_user(membership.user).revoke()


def user_named(username: str) -> User:
    """Return who logs in by that name; raise ``UnknownUser``."""
    user = get_user_model().objects.filter(username=username, is_active=True).first()
    if user is None:
        raise UnknownUser(f"there is no user {username!r}")
    return user


def _refuse_without(membership: Membership) -> None:
    """Raise ``LastManager`` for the only one; who else would leave waits for the transaction."""
    Workspace.objects.locked(membership.workspace_id)
    managers = Membership.objects.in_workspace(membership.workspace).managers().active()
    others = managers.exclude(pk=membership.pk)
    if managers.filter(pk=membership.pk).exists() and not others.exists():
        raise LastManager("nobody else manages the workspace; make another member manager first")
