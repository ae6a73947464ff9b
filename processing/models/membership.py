"""Who belongs to a workspace, and what they may do in it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from processing.choices import Role
from processing.managers.membership import MembershipManager
from processing.models.workspace import Workspace


class Membership(models.Model):
    """A user's role in a workspace; one for each workspace that somebody is a member of."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, db_index=False, related_name="memberships"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = MembershipManager()

    class Meta:
        db_table = "memberships"
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="membership_one_per_user"),
            models.CheckConstraint(name="membership_role_known", condition=Q(role__in=Role.values)),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace}"
