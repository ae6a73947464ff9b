"""The repository of work: every query on it, and every change of its status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.conf import settings
from django.db import models, transaction
from django.db.models import F
from django.db.models.functions import Now

from jobs import handlers
from jobs import specifications as spec
from jobs.choices import TRANSITIONS, JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from jobs.models import Job, Work, Worker  # noqa: F401  named in string annotations

W = TypeVar("W", bound="Work", covariant=True)

#: Work that took its worker process down this often is FAILED instead of tried again.
POISON_CRASH_COUNT = 3

#: A worker that was not renewed for this long counts as gone, as its leases do.
WORKER_TIMEOUT = timedelta(seconds=settings.LEASE_SECONDS)

#: How long the row of a worker that has ended is kept.
WORKER_RETENTION = timedelta(days=1)


@dataclass(frozen=True)
class Rescue:
    """What a rescue did: ids that went back to their queue, and ids given up as poison."""

    requeued: tuple[UUID, ...] = ()
    poisoned: tuple[UUID, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.requeued or self.poisoned)


class WorkQuerySet(models.QuerySet[W]):
    """Claim, lease, fence, retry, rescue and order, written once for all that is ``Work``.

    Each transition is one guarded UPDATE: it holds only from the statuses that
    ``TRANSITIONS`` allows and, for a result, only for the attempt that is current.
    """

    def ready(self) -> Self:
        return self.filter(spec.is_ready())

    def due(self) -> Self:
        return self.filter(spec.is_due())

    def stalled(self) -> Self:
        return self.filter(spec.is_stalled())

    def active(self) -> Self:
        return self.filter(spec.is_active())

    def on_queue(self, queue_name: str) -> Self:
        return self.filter(queue_name=queue_name)

    def held_by(self, worker_ids: Iterable[UUID]) -> Self:
        return self.filter(status=JobStatus.PROCESSING, worker_id__in=list(worker_ids))

    def running_longer_than(self, span: timedelta) -> Self:
        return self.filter(status=JobStatus.PROCESSING, started_at__lt=Now() - span)

    def in_dispatch_order(self) -> Self:
        return self.order_by("due_by", "id")

    def time_until_due(self) -> timedelta | None:
        """How long until the earliest scheduled work becomes ready, by the database's clock.

        None when nothing is scheduled; negative when it is overdue.
        """
        scheduled = self.filter(status=JobStatus.SCHEDULED).order_by("available_at")
        waits = scheduled.annotate(wait=F("available_at") - Now()).values_list("wait", flat=True)
        return waits.first()

    def claim(self, *, queue_name: str, worker: Worker, limit: int = 1) -> list[W]:
        """Hand up to ``limit`` ready rows to one worker; no two callers get the same row."""
        with transaction.atomic(using=self.db):
            candidates = self.ready().on_queue(queue_name).in_dispatch_order()
            claimed = list(candidates.select_for_update(skip_locked=True)[:limit])
            if claimed:
                self._transition(
                    "claim",
                    [work.pk for work in claimed],
                    worker=worker,
                    started_at=Now(),
                    lease_expires_at=_lease_end(),
                    attempt=F("attempt") + 1,
                )
        for work in claimed:
            work.status = JobStatus.PROCESSING
            work.worker = worker
            work.attempt += 1
        return claimed

    def renew(self) -> int:
        """Extend the leases of the PROCESSING rows in this queryset; return how many."""
        with transaction.atomic(using=self.db):
            held = self.filter(status=JobStatus.PROCESSING)._locked(skip_locked=True)
            ids = [work.pk for work in held.only("pk")]
            return self._unfiltered().filter(pk__in=ids).update(lease_expires_at=_lease_end())

    def complete(self, work: Work, **results: Any) -> bool:
        """Store ``results`` with the status, once; False when ``work`` is no longer the claim."""
        return self._settle("complete", work, error_code="", error_message="", **results)

    def fail(self, work: Work, *, code: str, message: str) -> bool:
        """Give ``work`` up for good; False when it is no longer the claim."""
        return self._settle("fail", work, error_code=code, error_message=message)

    def retry(self, work: Work, *, delay_seconds: float, code: str, message: str) -> bool:
        """Schedule another attempt in ``delay_seconds``; False when no longer the claim."""
        changed = self._current(work)._transition(
            "retry",
            [work.pk],
            available_at=Now() + timedelta(seconds=delay_seconds),
            worker=None,
            lease_expires_at=None,
            error_code=code,
            error_message=message,
        )
        return changed == 1

    def promote(self) -> int:
        """Make scheduled work whose time has come ready; return how many rows."""
        with transaction.atomic(using=self.db):
            due = self.due()._locked(skip_locked=True).only("pk")
            return self._unfiltered()._transition("promote", [work.pk for work in due])

    def cancel(self) -> list[UUID]:
        """Cancel what is not over yet; a worker that runs it finds its result refused."""
        sources, target = TRANSITIONS["cancel"]
        with transaction.atomic(using=self.db):
            cancelled = list(self.filter(status__in=sources)._locked())
            ids = [work.pk for work in cancelled]
            self._unfiltered()._transition("cancel", ids, completed_at=Now(), lease_expires_at=None)
            for work in cancelled:
                work.status = target
                handlers.settle(work)
        return ids

    def rescue(self, *, crashed: bool = True) -> Rescue:
        """Requeue the PROCESSING rows in this queryset: their worker is gone.

        ``crashed`` says that it died, rather than gave its work back: work that has crashed
        ``POISON_CRASH_COUNT`` workers is FAILED with reason ``poison``. The attempt that was
        lost does not count against ``max_attempts``.
        """
        requeued: list[UUID] = []
        poisoned: list[UUID] = []
        with transaction.atomic(using=self.db):
            for work in self.filter(status=JobStatus.PROCESSING)._locked(skip_locked=True):
                crash_count = work.crash_count + crashed
                if crash_count >= POISON_CRASH_COUNT:
                    self._settle(
                        "fail",
                        work,
                        crash_count=crash_count,
                        error_code="poison",
                        error_message=f"took its worker process down {crash_count} times",
                    )
                    poisoned.append(work.pk)
                else:
                    requeued.append(work.pk)
            self._unfiltered()._transition(
                "rescue",
                requeued,
                crash_count=F("crash_count") + int(crashed),
                max_attempts=F("max_attempts") + 1,
                worker=None,
                started_at=None,
                lease_expires_at=None,
            )
        return Rescue(tuple(requeued), tuple(poisoned))

    def _settle(self, event: str, work: Work, **changes: Any) -> bool:
        """Give ``work`` its terminal status and do what follows from it, or neither."""
        with transaction.atomic(using=self.db):
            changes |= {"completed_at": Now(), "lease_expires_at": None}
            if self._current(work)._transition(event, [work.pk], **changes) != 1:
                return False
            work.refresh_from_db()
            handlers.settle(work)
        return True

    def _current(self, work: Work) -> Self:
        return self._unfiltered().filter(attempt=work.attempt)

    def _unfiltered(self) -> Self:
        return type(self)(self.model, using=self.db)

    def _locked(self, *, skip_locked: bool = False) -> Self:
        """Lock these rows until the transaction ends, or those that nobody else has locked.

        These alone, not what a model's default ordering joins to them, and in one order for
        all: so no two that lock many rows can end up waiting for each other.
        """
        return self.order_by("pk").select_for_update(of=("self",), skip_locked=skip_locked)

    def _transition(self, event: str, ids: list[UUID], **changes: Any) -> int:
        """Make the change ``event`` where it is allowed; return how many rows it changed."""
        sources, target = TRANSITIONS[event]
        rows = self.filter(pk__in=ids, status__in=sources)
        return rows.update(status=target, **changes)


class JobQuerySet(WorkQuerySet["Job"]):
    """The job repository."""

    def about(self, subject_id: UUID) -> Self:
        return self.filter(subject_id=subject_id)

    def carrying(self, **payload: Any) -> Self:
        """Jobs whose payload has these values."""
        return self.filter(payload__contains=payload)


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Who is there to do the work."""

    def live(self) -> Self:
        return self.filter(spec.has_heartbeat_within(WORKER_TIMEOUT))

    def gone(self) -> Self:
        return self.filter(stopped_at__isnull=True).exclude(
            spec.has_heartbeat_within(WORKER_TIMEOUT)
        )

    def with_liveness(self) -> Self:
        """Add ``is_live`` to each."""
        return self.annotate(is_live=spec.has_heartbeat_within(WORKER_TIMEOUT))

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


def _lease_end() -> Any:
    return Now() + timedelta(seconds=settings.LEASE_SECONDS)


WorkManager = models.Manager.from_queryset(WorkQuerySet)
JobManager = models.Manager.from_queryset(JobQuerySet)
WorkerManager = models.Manager.from_queryset(WorkerQuerySet)
