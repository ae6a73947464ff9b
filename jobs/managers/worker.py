"""Who is there to do the work."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce, Now

from jobs import handlers
from jobs import specifications as spec
from jobs.choices import JobStatus

if TYPE_CHECKING:
    from jobs.models import Worker  # noqa: F401  named in string annotations

#: A worker that was not renewed for this long counts as gone, as its leases do.
WORKER_TIMEOUT = timedelta(seconds=settings.LEASE_SECONDS)

#: How long the row of a worker that has ended is kept.
WORKER_RETENTION = timedelta(days=1)


class WorkerQuerySet(models.QuerySet["Worker"]):
    """The registry of workers: who serves which queues, and who is alive."""

    def live(self) -> Self:
        return self.filter(spec.has_heartbeat_within(WORKER_TIMEOUT))

    def gone(self) -> Self:
        return self.filter(stopped_at__isnull=True).exclude(
            spec.has_heartbeat_within(WORKER_TIMEOUT)
        )

    def with_liveness(self) -> Self:
        """Add ``is_live`` to each."""
        return self.annotate(is_live=spec.has_heartbeat_within(WORKER_TIMEOUT))

    def with_load(self) -> Self:
        """Add ``load`` to each: how many rows it holds, of every kind of work."""
        held = [
            Coalesce(
                Subquery(
                    model.objects.filter(status=JobStatus.PROCESSING, worker=OuterRef("pk"))
                    .order_by()
                    .values("worker")
                    .annotate(count=Count("pk"))
                    .values("count")
                ),
                0,
            )
            for model in handlers.work_models()
        ]
        return self.annotate(load=sum(held, start=Value(0)))

    def serving(self, queue_name: str) -> Self:
        return self.filter(queues__contains=[queue_name])

    def renew(self) -> int:
        """Record that these workers live, even if a sweep had given them up meanwhile."""
        return self.update(heartbeat_at=Now(), stopped_at=None)

    def forget(self) -> int:
        """Delete the workers that ended long ago; return how many."""
        count, _ = self.filter(stopped_at__lt=Now() - WORKER_RETENTION).delete()
        return count

    def stop(self) -> int:
        """Record that these workers have ended; return how many had not."""
        return self.filter(stopped_at__isnull=True).update(stopped_at=Now())


WorkerManager = models.Manager.from_queryset(WorkerQuerySet)
