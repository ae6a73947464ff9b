"""What a worker makes for somebody who waits for it: a summary, a translation, an answer."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from jobs.identifiers import uuid7
from processing.choices import TERMINAL_RESULT, ResultStatus
from processing.models.workspace import Workspace


class Result(models.Model):
    """How far it is, who made it and what went wrong; ``progress`` is 0 to 1 and never falls.

    ``engine`` is the name of who made it, empty before somebody has begun.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    status = models.CharField(
        max_length=10, choices=ResultStatus.choices, default=ResultStatus.PENDING, editable=False
    )
    progress = models.FloatField(default=0.0)
    engine = models.CharField(max_length=100, blank=True)
    error_code = models.CharField(max_length=50, blank=True)
    error_message = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                name="%(class)s_status_known", condition=Q(status__in=ResultStatus.values)
            ),
            models.CheckConstraint(
                name="%(class)s_completed_at_iff_terminal",
                condition=Q(status__in=TERMINAL_RESULT, completed_at__isnull=False)
                | (~Q(status__in=TERMINAL_RESULT) & Q(completed_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="%(class)s_progress_is_a_share",
                condition=Q(progress__gte=0, progress__lte=1),
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="%(class)s_list_idx")
        ]

    @property
    def is_active(self) -> bool:
        return self.status not in TERMINAL_RESULT
