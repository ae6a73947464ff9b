"""Who does the work."""

from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from jobs.managers.worker import WorkerManager


class Worker(models.Model):
    """One worker process. Its supervisor renews it, and with it the leases of what it runs.

    Registered before its process is forked; ``pid`` is None until then.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    supervisor_id = models.UUIDField()
    hostname = models.CharField(max_length=255)
    pid = models.PositiveIntegerField(null=True, blank=True)
    queues = ArrayField(models.CharField(max_length=50))
    started_at = models.DateTimeField(db_default=Now())
    heartbeat_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True, blank=True)

    objects = WorkerManager()

    class Meta:
        db_table = "workers"
        ordering = ["-started_at", "id"]
        indexes = [
            models.Index(
                "heartbeat_at", name="worker_running_idx", condition=Q(stopped_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.hostname}:{self.pid or self.id}"
