"""Who changed what, and when."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from jobs.identifiers import uuid7
from processing.managers.audit_event import AuditEventManager
from processing.models.workspace import Workspace


class AuditEvent(models.Model):
    """One change that somebody asked for; never changed and outlives what it is about.

    ``actor_name`` and ``api_key_id`` say who it was when user and key are gone. ``action`` is a
    noun and a verb (``recording.create``), ``object_id`` the identifier of what was changed.
    ``details`` has what helps to understand it, and nothing that is secret.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(
        Workspace,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_index=False,
        related_name="audit_events",
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    actor_name = models.CharField(max_length=150, blank=True)
    api_key_id = models.CharField(max_length=16, blank=True)
    action = models.CharField(max_length=100)
    object_type = models.CharField(max_length=50)
    object_id = models.CharField(max_length=100, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    details = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AuditEventManager()

    class Meta:
        db_table = "audit_events"
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="audit_event_list_idx"),
            models.Index(fields=["object_id", "-created_at"], name="audit_event_object_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name or 'somebody'}: {self.action} {self.object_id}"
