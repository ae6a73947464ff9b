"""How much of what it may have a workspace has had."""

from django.db import models
from django.db.models import Q

from processing.managers.usage import WorkspaceUsageManager
from processing.models.workspace import Workspace


class WorkspaceUsage(models.Model):
    """Seconds of audio that a workspace has had transcribed in a month (its first day, in UTC).

    Deleting recordings gives nothing back, and what the cache answers takes nothing.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, db_index=False, related_name="usage"
    )
    month = models.DateField()
    audio_seconds = models.FloatField(default=0.0)

    objects = WorkspaceUsageManager()

    class Meta:
        db_table = "workspace_usage"
        ordering = ["-month"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "month"], name="usage_one_per_month"),
            models.CheckConstraint(name="usage_not_negative", condition=Q(audio_seconds__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.audio_seconds:.0f} s in {self.month:%Y-%m}"
