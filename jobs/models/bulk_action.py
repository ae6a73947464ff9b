"""One thing that is done to many rows, by a job."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from jobs.choices import ACTIVE, TERMINAL, JobStatus
from jobs.identifiers import uuid7
from jobs.managers.bulk_action import BulkActionItemManager, BulkActionManager


class BulkAction(models.Model):
    """What was asked for, how far it is, and what became of it.

    ``action`` names a registered ``BulkActionKind``, ``options`` what it needs to know, and
    ``description`` says both to people. ``refusals`` has, by reason, how many rows it was not
    done to. ``status`` is that of the job that does it, which is forgotten before this is:
    ``job_id`` may name no row.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    action = models.CharField(max_length=100)
    options = models.JSONField(default=dict, blank=True)
    description = models.CharField(max_length=200)
    status = models.CharField(
        max_length=10, choices=JobStatus.choices, default=JobStatus.QUEUED, editable=False
    )
    error_message = models.TextField(blank=True, db_default="")
    total_count = models.PositiveIntegerField(default=0)
    done_count = models.PositiveIntegerField(default=0)
    refused_count = models.PositiveIntegerField(default=0)
    refusals = models.JSONField(default=dict, blank=True)
    workspace_id = models.UUIDField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    job_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[BulkActionManager[BulkAction]] = BulkActionManager()

    class Meta:
        db_table = "bulk_actions"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                name="bulk_action_status_known", condition=Q(status__in=JobStatus.values)
            ),
            models.CheckConstraint(
                name="bulk_action_finished_at_iff_terminal",
                condition=Q(status__in=TERMINAL, finished_at__isnull=False)
                | (~Q(status__in=TERMINAL) & Q(finished_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="bulk_action_settled_within_total",
                condition=Q(total_count__gte=F("done_count") + F("refused_count")),
            ),
        ]
        indexes = [models.Index("created_at", "id", name="bulk_action_list_idx")]

    def __str__(self) -> str:
        return self.description

    @property
    def settled_count(self) -> int:
        """How many rows it was done to or refused for."""
        return self.done_count + self.refused_count

    @property
    def is_over(self) -> bool:
        return self.status not in ACTIVE


class BulkActionItem(models.Model):
    """A row that was selected and that a bulk action has not come to yet.

    Millions are written at once: their foreign key, which only one statement sets, has no check.
    """

    bulk_action = models.ForeignKey(
        BulkAction,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="items",
    )
    object_id = models.TextField()

    objects: ClassVar[BulkActionItemManager[BulkActionItem]] = BulkActionItemManager()

    class Meta:
        db_table = "bulk_action_items"
        indexes = [models.Index("bulk_action", "id", name="bulk_action_item_order_idx")]

    def __str__(self) -> str:
        return self.object_id
