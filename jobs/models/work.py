"""``Work``: a row that is claimed, leased and retried."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from jobs.choices import TERMINAL, WAITING, JobStatus
from jobs.identifiers import uuid7
from jobs.managers.work import DEFAULT_MAX_ATTEMPTS, WorkManager
from jobs.models.worker import Worker


class Work(models.Model):
    """Something one worker at a time does, and that must get done.

    The one machinery of all queues: subclasses inherit claim, lease, fence, retry and rescue.
    ``attempt`` counts the claims and is the fencing token: a result is accepted only from the
    claim that is current. ``due_by`` is the order of the queue. Work that has not begun by
    ``expires_at`` is given up. ``worker`` may name one whose row is forgotten by now: a claim
    has no time for a foreign key's check.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    queue_name = models.CharField(max_length=50)
    status = models.CharField(
        max_length=10,
        choices=JobStatus.choices,
        default=JobStatus.QUEUED,
        db_default=JobStatus.QUEUED,
        editable=False,
    )
    available_at = models.DateTimeField(db_default=Now())
    due_by = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0, db_default=0)
    max_attempts = models.PositiveIntegerField(
        default=DEFAULT_MAX_ATTEMPTS, db_default=DEFAULT_MAX_ATTEMPTS
    )
    crash_count = models.PositiveIntegerField(default=0, db_default=0)
    worker = models.ForeignKey(
        Worker,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=50, blank=True, db_default="")
    error_message = models.TextField(blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[WorkManager["Work"]] = WorkManager()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                name="%(class)s_status_known", condition=Q(status__in=JobStatus.values)
            ),
            models.CheckConstraint(
                name="%(class)s_completed_at_iff_terminal",
                condition=Q(status__in=TERMINAL, completed_at__isnull=False)
                | (~Q(status__in=TERMINAL) & Q(completed_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="%(class)s_lease_iff_processing",
                condition=Q(status=JobStatus.PROCESSING, lease_expires_at__isnull=False)
                | (~Q(status=JobStatus.PROCESSING) & Q(lease_expires_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="%(class)s_attempt_within_budget",
                condition=Q(attempt__lte=F("max_attempts")),
            ),
        ]
        indexes = [
            models.Index(
                "queue_name",
                "due_by",
                "id",
                name="%(class)s_ready_idx",
                condition=Q(status=JobStatus.QUEUED),
            ),
            models.Index(
                "available_at",
                name="%(class)s_scheduled_idx",
                condition=Q(status=JobStatus.SCHEDULED),
            ),
            models.Index(
                "lease_expires_at",
                name="%(class)s_leased_idx",
                condition=Q(status=JobStatus.PROCESSING),
            ),
            models.Index(
                "expires_at",
                name="%(class)s_expiring_idx",
                condition=Q(expires_at__isnull=False, status__in=WAITING),
            ),
        ]
