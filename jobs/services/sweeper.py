"""The sweep: what must happen even when every doorbell was lost and every holder died."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from operator import methodcaller
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from jobs import handlers, queues, schedules
from jobs import specifications as spec
from jobs.managers.work import POISON_CRASH_COUNT
from jobs.models import Work, Worker

logger = logging.getLogger(__name__)

#: Key of the advisory lock that elects one sweeper; any constant that no one else uses.
LEADER_LOCK = 0x6C6F6E67

#: The most workers one sweep wakes per queue; each that finds more work wakes the next.
RINGS_PER_QUEUE = 8


#: What is called after each sweep, in the order in which it was registered.
_followers: list[Callable[[], object]] = []


@dataclass(frozen=True)
class SweepReport:
    """What one sweep did: counts of rows, and the queues it rang.

    ``stuck`` rows are over, but what is to follow from that failed; ``scheduled`` are the
    jobs it enqueued because their time had come.
    """

    promoted: int = 0
    expired: int = 0
    requeued: int = 0
    poisoned: int = 0
    stuck: int = 0
    scheduled: int = 0
    workers_lost: int = 0
    rung: tuple[str, ...] = ()


@dataclass(frozen=True)
class RescueReport:
    """What became of the rows of one kind of work that had lost their worker.

    ``stuck`` are those to be given up as poison, but what is to follow from that failed.
    """

    model: type[Work]
    requeued: Sequence[UUID] = ()
    poisoned: Sequence[UUID] = ()
    stuck: Sequence[UUID] = ()


def after_each_sweep(call: Callable[[], object]) -> None:
    """Have ``call`` called after each sweep of this process that it led, outside its transaction.

    Applications register in ``AppConfig.ready()``. Whatever fails is logged, and disturbs no sweep.
    """
    _followers.append(call)


def sweep() -> SweepReport | None:
    """Do what is due, rescue what lost its worker, ring for what is ready.

    Due are the end of what expired, the promotion of what waited for a time, and the jobs of
    schedules. Returns None when another sweeper is at it: one leader at a time, by a lock that ends
    with the transaction, so that it is safe behind a transaction-pooling proxy.
    """
    promoted = expired = stuck = 0
    with transaction.atomic():
        if not _is_leader():
            return None
        lost = Worker.objects.gone().stop()
        Worker.objects.forget()
        for model in handlers.work_models():
            ended, failed = _to_each(
                model.objects.matching(spec.is_expired()), methodcaller("expire")
            )
            expired += sum(map(len, ended))
            stuck += len(failed)
            promoted += model.objects.promote()
        rescues = _rescue_each(lambda model: model.objects.stalled())
        scheduled = _enqueue_what_recurs()
    rung = _ring_for_what_is_ready()
    report = SweepReport(
        promoted=promoted,
        expired=expired,
        requeued=sum(len(rescue.requeued) for rescue in rescues),
        poisoned=sum(len(rescue.poisoned) for rescue in rescues),
        stuck=stuck + sum(len(rescue.stuck) for rescue in rescues),
        scheduled=scheduled,
        workers_lost=lost,
        rung=rung,
    )
    if report.requeued or report.poisoned or expired or lost:
        logger.warning(
            "rescued %d, gave up %d as poison and %d as expired, lost %d workers",
            *(report.requeued, report.poisoned, expired, lost),
        )
    for call in _followers:
        _tolerate(call)
    return report


def rescue() -> list[RescueReport]:
    """Requeue the work whose lease ran out, without waiting for the next sweep, and ring for it."""
    with transaction.atomic():
        rescues = _rescue_each(lambda model: model.objects.stalled())
    _ring_for_what_is_ready()
    return rescues


def release(worker_id: UUID, *, crashed: bool) -> list[RescueReport]:
    """Requeue what a worker held that has ended; ``crashed`` says that it died at its work."""
    with transaction.atomic():
        return _rescue_each(lambda model: model.objects.held_by([worker_id]), crashed=crashed)


def foresee_rescue() -> list[RescueReport]:
    """Return what a rescue would do now, but for what may fail."""
    last_crash = POISON_CRASH_COUNT - 1
    reports = []
    for model in handlers.work_models():
        stalled = model.objects.stalled().values_list("pk", flat=True)
        requeued = tuple(stalled.filter(crash_count__lt=last_crash))
        poisoned = tuple(stalled.filter(crash_count__gte=last_crash))
        reports.append(RescueReport(model, requeued, poisoned))
    return reports


def seconds_until_next_sweep() -> float:
    """The sweep interval, or less when scheduled work becomes ready before it is over."""
    interval = timedelta(seconds=settings.SWEEP_SECONDS)
    due = [model.objects.time_until_due() for model in handlers.work_models()]
    waits = [wait for wait in due if wait is not None]
    return max(min([interval, *waits]).total_seconds(), 0.05)


def _is_leader() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LEADER_LOCK])
        row = cursor.fetchone()
    return bool(row and row[0])


def _rescue_each(
    rows_of: Callable[[type[Work]], Any], *, crashed: bool = True
) -> list[RescueReport]:
    reports = []
    for model in handlers.work_models():
        rescues, stuck = _to_each(rows_of(model), methodcaller("rescue", crashed=crashed))
        requeued = tuple(pk for rescue in rescues for pk in rescue.requeued)
        poisoned = tuple(pk for rescue in rescues for pk in rescue.poisoned)
        reports.append(RescueReport(model, requeued, poisoned, stuck))
    return reports


def _to_each(rows: Any, verb: Callable[[Any], Any]) -> tuple[list[Any], list[UUID]]:
    """Do ``verb`` to all rows together or, when that fails, to each of them alone.

    Returns what it returned, and the rows that it fails for. They stay as they are until the
    next sweep, but no other row waits for them.
    """
    with _surviving():
        return [verb(rows)], []
    done: list[Any] = []
    failed: list[UUID] = []
    for pk in list(rows.values_list("pk", flat=True)):
        with _surviving(f"{rows.model._meta.verbose_name} {pk}"):
            done.append(verb(rows.filter(pk=pk)))
            continue
        failed.append(pk)
    return done, failed


@contextmanager
def _surviving(what: str = "") -> Iterator[None]:
    """Undo the block when it fails, log that with ``what`` it is about, and go on.

    What fails is a handler's or an application's. A database that is away fails the sweep.
    """
    try:
        with transaction.atomic():
            yield
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        if what:
            logger.exception("the sweep goes on without %s", what)


def _tolerate(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception:
        logger.exception("the sweep is over, but not what was to follow")


def _enqueue_what_recurs() -> int:
    count = 0
    for schedule, slot in schedules.due_slots():
        with _surviving(f"schedule {schedule.name}"):
            schedules.enqueue_slot(schedule, slot)
            count += 1
    return count


def _ring_for_what_is_ready() -> tuple[str, ...]:
    return tuple(name for name in handlers.queue_names() if _ring_if_ready(name))


def _ring_if_ready(queue_name: str) -> bool:
    ready = handlers.source_of(queue_name).model.objects.ready().on_queue(queue_name)
    waiting = len(ready.values_list("pk")[:RINGS_PER_QUEUE])
    return bool(waiting and queues.ring(queue_name, times=waiting))
