"""Addresses that are told what happens in a workspace, and what was told to them."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from jobs.identifiers import uuid7
from jobs.models import Work
from processing.choices import WebhookEvent
from processing.managers.webhook import WebhookDeliveryManager, WebhookManager
from processing.models.workspace import Workspace


class Webhook(models.Model):
    """An address, and the events it is told.

    Its secret is in no row: it follows from the installation's ``SECRET_KEY``, from ``id`` and
    from ``secret_version``. Nothing is sent while it is paused: by people, or by itself after
    ``failure_count`` deliveries in a row were given up, as ``pause_reason`` says.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, db_index=False, related_name="webhooks"
    )
    url = models.URLField(max_length=2000)
    events = ArrayField(models.CharField(max_length=30, choices=WebhookEvent.choices))
    description = models.CharField(max_length=255, blank=True)
    secret_version = models.PositiveIntegerField(default=1)
    secret_changed_at = models.DateTimeField(db_default=Now(), editable=False)
    failure_count = models.PositiveIntegerField(default=0, editable=False)
    paused_at = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=255, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = WebhookManager()

    class Meta:
        db_table = "webhooks"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(name="webhook_has_events", condition=Q(events__len__gt=0)),
        ]
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="webhook_list_idx")
        ]

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(Work):
    """One event told to one address; tried until the address says it has it, or given up.

    ``message_id`` names the event to the receiver: a delivery that is sent again has the same.
    ``response_status`` and ``response_excerpt`` are of the last answer, None and empty where there
    was none.
    """

    webhook = models.ForeignKey(
        Webhook, on_delete=models.CASCADE, db_index=False, related_name="deliveries"
    )
    event = models.CharField(max_length=30, choices=WebhookEvent.choices)
    message_id = models.UUIDField(default=uuid7)
    payload = models.JSONField(default=dict)
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    response_excerpt = models.CharField(max_length=500, blank=True, default="")
    response_seconds = models.FloatField(null=True, blank=True)

    objects: ClassVar[WebhookDeliveryManager["WebhookDelivery"]] = WebhookDeliveryManager()

    class Meta(Work.Meta):
        db_table = "webhook_deliveries"
        verbose_name_plural = "webhook deliveries"
        ordering = ["-created_at", "-id"]
        indexes = [
            *Work.Meta.indexes,
            models.Index(fields=["webhook", "-created_at", "-id"], name="webhookdelivery_list_idx"),
            models.Index(
                "completed_at",
                name="webhookdelivery_over_idx",
                condition=Q(completed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook_id}"
