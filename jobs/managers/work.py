"""The repository of all work: every query on it, and every change of its status."""

from __future__ import annotations

from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.conf import settings
from django.db import connections, models, transaction
from django.db.models import F
from django.db.models.functions import Now

from jobs import handlers
from jobs import specifications as spec
from jobs.choices import TRANSITIONS, JobStatus
from jobs.managers import statements
from jobs.managers.rescue import Rescue

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from uuid import UUID

    from jobs.models import Work, Worker

W = TypeVar("W", bound="Work", covariant=True)

LEASE = timedelta(seconds=settings.LEASE_SECONDS)

#: Work that took its worker process down this often is FAILED instead of tried again.
POISON_CRASH_COUNT = 3

#: How often work may be tried, when nobody says otherwise.
DEFAULT_MAX_ATTEMPTS = 3

#: The most rows that one sweep promotes, or gives up as expired.
MAX_ROWS_AT_ONCE = 10_000

#: The reason of work that was not done before its ``expires_at``.
EXPIRED = "expired"


class WorkQuerySet(models.QuerySet[W]):
    """Claim, lease, fence, retry, rescue and order, written once for all that is ``Work``.

    Each transition is one guarded UPDATE: it holds only from the statuses that
    ``TRANSITIONS`` allows and, for a result, only for the attempt that is current.
    """

    def ready(self) -> Self:
        return self.filter(spec.is_ready())

    def matching(self, condition: models.Q) -> Self:
        """Rows that meet a condition built from ``jobs.specifications``."""
        return self.filter(condition)

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
        """Hand up to ``limit`` ready rows to one worker; no two callers get the same row.

        Work that has taken a worker down before is handed out alone, so that it takes no
        other work down with it again.
        """
        candidates = self.ready().on_queue(queue_name).in_dispatch_order()
        candidates = candidates.only("pk", "due_by", "crash_count").select_for_update(
            skip_locked=True, of=("self",)
        )
        with transaction.atomic(using=self.db, savepoint=False):
            compiler = candidates[:limit].query.get_compiler(using=self.db)
            query, parameters = compiler.as_sql()
            statement = statements.claim(self.model, query)
            now = [*parameters, worker.pk, LEASE.total_seconds()]
            claimed = list(self.raw(statement, now, using=self.db))
        for work in claimed:
            work.worker = worker
        return sorted(claimed, key=attrgetter("place"))

    def renew(self) -> int:
        """Extend the leases of the PROCESSING rows in this queryset; return how many."""
        with transaction.atomic(using=self.db):
            held = self.filter(status=JobStatus.PROCESSING)._locked(skip_locked=True)
            ids = [work.pk for work in held.only("pk")]
            return self._unfiltered().filter(pk__in=ids).update(lease_expires_at=Now() + LEASE)

    def complete(self, work: Work, **results: Any) -> bool:
        """Store ``results`` with the status, once; False when ``work`` is no longer the claim."""
        vars(work).update(results)
        return bool(self.complete_all([work], results))

    def complete_all(self, works: Sequence[Work], results: Collection[str] = ()) -> list[Work]:
        """Complete work at once, with its attributes ``results``; return what was accepted."""
        connection = connections[self.db]
        fields = [field for field in self.model._meta.concrete_fields if field.name in results]
        works = sorted(works, key=lambda work: (work.created_at, work.pk))  # as _locked does
        columns: list[Any] = [[work.pk for work in works], [work.attempt for work in works]]
        for field in fields:
            values = (getattr(work, field.attname) for work in works)
            columns.append([field.get_db_prep_save(value, connection) for value in values])
        with transaction.atomic(using=self.db, savepoint=False):
            with connection.cursor() as cursor:
                cursor.execute(statements.complete_all(self.model, fields), columns)
                ends = {(pk, attempt): end for pk, attempt, end in cursor.fetchall()}
            claims = {(work.pk, work.attempt): work for work in works}
            accepted = [claims[claim] for claim in claims if claim in ends]
            for work in accepted:
                work.status, work.lease_expires_at = JobStatus.COMPLETED, None
                work.completed_at = ends[work.pk, work.attempt]
            self._follow(accepted)
        return accepted

    def fail(self, work: Work, *, code: str, message: str, **changes: Any) -> bool:
        """Give ``work`` up for good; False when it is no longer the claim."""
        changes |= {"error_code": code, "error_message": message}
        with transaction.atomic(using=self.db):
            if self._current(work)._transition("fail", [work.pk], **_ended(**changes)) != 1:
                return False
            vars(work).update(changes)
            work.refresh_from_db(fields=["status", "completed_at", "lease_expires_at"])
            self._follow([work])
        return True

    def retry(self, work: Work, *, delay_seconds: float, code: str, message: str) -> bool:
        """Schedule another attempt in ``delay_seconds``; False when no longer the claim."""
        return self._reschedule(work, delay_seconds, code, message)

    def postpone(self, work: Work, *, delay_seconds: float, code: str, message: str) -> bool:
        """As ``retry``, for what could not begin: the attempt does not count."""
        max_attempts = F("max_attempts") + 1
        return self._reschedule(work, delay_seconds, code, message, max_attempts=max_attempts)

    def promote(self) -> int:
        """Make scheduled work whose time has come ready; return how many rows.

        At most ``MAX_ROWS_AT_ONCE``, the longest due first: the rest is left for the next call.
        """
        with transaction.atomic(using=self.db):
            ids = self.due()._first_unlocked("available_at")
            return self._unfiltered()._transition("promote", ids)

    def cancel(self, **reason: str) -> list[UUID]:
        """Cancel what is not over yet; a worker that runs it finds its result refused.

        ``reason`` may name an ``error_code`` and an ``error_message``.
        """
        with transaction.atomic(using=self.db):
            wanted = self.filter(status__in=TRANSITIONS["cancel"][0])._locked().only("pk")
            return self._end("cancel", [work.pk for work in wanted], **reason)

    def expire(self) -> list[UUID]:
        """Give up what has not begun by the time after which nobody wants it; return ids.

        At most ``MAX_ROWS_AT_ONCE``: the rest is left for the next call.
        """
        with transaction.atomic(using=self.db):
            ids = self.filter(spec.is_expired())._first_unlocked("expires_at")
            return self._end(
                "expire", ids, error_code=EXPIRED, error_message="not done before it expired"
            )

    def requeue(self, work: Work) -> bool:
        """Have work that failed or was cancelled done after all; False when it is neither.

        It gets ``DEFAULT_MAX_ATTEMPTS`` more attempts and loses what it expired by. Raises
        what its handler's ``requeued`` raises when it cannot be done again.
        """
        with transaction.atomic(using=self.db):
            changed = self._unfiltered()._transition(
                "requeue",
                [work.pk],
                available_at=Now(),
                expires_at=None,
                max_attempts=F("attempt") + DEFAULT_MAX_ATTEMPTS,
                crash_count=0,
                worker=None,
                started_at=None,
                completed_at=None,
                error_code="",
                error_message="",
            )
            if changed:
                work.refresh_from_db()
                handlers.requeued(work)
        return changed == 1

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
                    reason = f"took its worker process down {crash_count} times"
                    self.fail(work, code="poison", message=reason, crash_count=crash_count)
                    poisoned.append(work.pk)
                else:
                    requeued.append(work.pk)
            self._unfiltered()._transition(
                "rescue",
                requeued,
                crash_count=F("crash_count") + int(crashed),
                max_attempts=F("max_attempts") + 1,
                started_at=None,
                **_let_go(),
            )
        return Rescue(tuple(requeued), tuple(poisoned))

    def _reschedule(
        self, work: Work, seconds: float, code: str, message: str, **changes: Any
    ) -> bool:
        changed = self._current(work)._transition(
            "retry",
            [work.pk],
            available_at=Now() + timedelta(seconds=seconds),
            **_let_go(error_code=code, error_message=message, **changes),
        )
        return changed == 1

    def _end(self, event: str, ids: list[UUID], **reason: str) -> list[UUID]:
        """Give locked rows their terminal status and do what follows from it; return ``ids``."""
        self._unfiltered()._transition(event, ids, **_ended(**reason))
        self._follow(list(self._unfiltered().filter(pk__in=ids)))
        return ids

    def _follow(self, works: Sequence[Work]) -> None:
        """Do what follows from the end of ``works``, in the transaction that ends them."""
        for work in works:
            handlers.settle(work)

    def _current(self, work: Work) -> Self:
        return self._unfiltered().filter(attempt=work.attempt)

    def _first_unlocked(self, order: str) -> list[UUID]:
        """Lock the first of these rows that nobody else has locked; return their ids."""
        rows = self.order_by(order).select_for_update(of=("self",), skip_locked=True)
        return [work.pk for work in rows.only("pk")[:MAX_ROWS_AT_ONCE]]

    def _unfiltered(self) -> Self:
        return type(self)(self.model, using=self.db)

    def _locked(self, *, skip_locked: bool = False) -> Self:
        """Lock these rows until the transaction ends, or those that nobody else has locked.

        These alone, not what a model's default ordering joins to them, and in one order for
        all, work before what follows it: so no two that lock many rows wait for each other.
        """
        rows = self.order_by("created_at", "pk")
        return rows.select_for_update(of=("self",), skip_locked=skip_locked)

    def _transition(self, event: str, ids: list[UUID], **changes: Any) -> int:
        """Make the change ``event`` where it is allowed; return how many rows it changed."""
        sources, target = TRANSITIONS[event]
        return self.filter(pk__in=ids, status__in=sources).update(status=target, **changes)


def _let_go(**changes: Any) -> dict[str, Any]:
    """Return what changes when a worker no longer has a row, besides ``changes``."""
    return {"worker": None, "lease_expires_at": None, **changes}


def _ended(**changes: Any) -> dict[str, Any]:
    """Return what every end changes, besides ``changes``."""
    return {"completed_at": Now(), "lease_expires_at": None, **changes}


WorkManager = models.Manager.from_queryset(WorkQuerySet)
