"""Requests that programs may send again without anything happening again."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from processing.managers.idempotency_key import IdempotencyKeyManager
from processing.models.workspace import Workspace


class IdempotencyKey(models.Model):
    """What was answered to a request that had a key.

    ``fingerprint`` is the SHA-256 of all that was asked, in hex. ``status_code`` is None while the
    first request with the key is under way; ``locked_until`` is when it is presumed dead then.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    headers = models.JSONField(default=dict, blank=True)
    body = models.JSONField(null=True, blank=True)
    locked_until = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = IdempotencyKeyManager()

    class Meta:
        db_table = "idempotency_keys"
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "user", "key"], name="idempotency_key_named_once"
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_age_idx")]

    def __str__(self) -> str:
        return self.key
