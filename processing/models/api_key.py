"""What programs say who they are by."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.functional import cached_property

from processing.choices import Scope
from processing.managers.api_key import ApiKeyManager
from processing.models.membership import Membership
from processing.models.workspace import Workspace


class ApiKey(models.Model):
    """``lh_<id>_<secret>``, of which the secret is shown once and never stored.

    It acts for ``user`` in ``workspace``, within its ``scopes`` and the role of the user there.
    ``secret_hash`` is the SHA-256 of the secret in hex: 256 random bits need no slow hash.
    ``last_used_at`` is right to a minute.
    """

    id = models.CharField(primary_key=True, max_length=16, editable=False)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, db_index=False, related_name="api_keys"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys"
    )
    name = models.CharField(max_length=100)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices))
    secret_hash = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyManager()

    class Meta:
        db_table = "api_keys"
        verbose_name = "API key"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(name="api_key_has_scopes", condition=Q(scopes__len__gt=0)),
        ]
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="api_key_list_idx")
        ]

    def __str__(self) -> str:
        return f"{self.name} (lh_{self.id})"

    @cached_property
    def owner_role(self) -> str | None:
        """The role of its user in its workspace; None when they are no member any more."""
        memberships = Membership.objects.in_workspace(self.workspace).of_user(self.user)
        return memberships.values_list("role", flat=True).first()
