"""The sweep: what must happen even when every doorbell was lost and every holder died."""

import logging
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction

from jobs import handlers, queues
from jobs.models import Worker

logger = logging.getLogger(__name__)

#: Key of the advisory lock that elects one sweeper; any constant that no one else uses.
LEADER_LOCK = 0x6C6F6E67

#: The most workers one sweep wakes per queue; each that finds more work wakes the next.
RINGS_PER_QUEUE = 8


@dataclass(frozen=True)
class SweepReport:
    """What one sweep did: counts of rows, and the queues it rang."""

    promoted: int = 0
    requeued: int = 0
    poisoned: int = 0
    workers_lost: int = 0
    rung: tuple[str, ...] = ()


def sweep() -> SweepReport | None:
    """Promote what is due, rescue what lost its worker, ring for what is ready.

    Returns None when another sweeper is at it: one leader at a time, by a lock that ends
    with the transaction, so that it is safe behind a transaction-pooling proxy.
    """
    with transaction.atomic():
        if not _is_leader():
            return None
        lost = Worker.objects.gone().stop()
        Worker.objects.forget()
        promoted = requeued = poisoned = 0
        for model in handlers.work_models():
            promoted += model.objects.promote()
            rescue = model.objects.stalled().rescue()
            requeued += len(rescue.requeued)
            poisoned += len(rescue.poisoned)
    rung = tuple(name for name in handlers.queue_names() if _ring_if_ready(name))
    if requeued or poisoned or lost:
        logger.warning(
            "rescued %d, gave up %d as poison, lost %d workers", requeued, poisoned, lost
        )
    return SweepReport(promoted, requeued, poisoned, lost, rung)


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


def _ring_if_ready(queue_name: str) -> bool:
    ready = handlers.source_of(queue_name).model.objects.ready().on_queue(queue_name)
    waiting = len(ready.values_list("pk")[:RINGS_PER_QUEUE])
    return bool(waiting and queues.ring(queue_name, times=waiting))
