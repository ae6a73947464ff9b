"""The repository of memberships."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

from processing.choices import Role
from processing.managers.workspace import DEFAULT_SLUG

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from processing.models import Membership, Workspace  # noqa: F401  named in a string


class MembershipQuerySet(models.QuerySet["Membership"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def of_user(self, user: User) -> Self:
        return self.filter(user=user)

    def named(self, slug: str) -> Self:
        """Those of the workspace of a slug."""
        return self.filter(workspace__slug=slug)

    def default_first(self) -> Self:
        """In the order of age, but for the default workspace's."""
        is_default = models.Q(workspace__slug=DEFAULT_SLUG)
        return self.annotate(is_default=is_default).order_by("-is_default", "created_at", "id")

    def active(self) -> Self:
        """Those of users who may log in."""
        return self.filter(user__is_active=True)

    def managers(self) -> Self:
        return self.filter(role=Role.MANAGER)


MembershipManager = models.Manager.from_queryset(MembershipQuerySet)
