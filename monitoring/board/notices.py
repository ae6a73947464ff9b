"""What needs somebody: computed from what the other sections show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils import timezone

from jobs.presentation import age
from processing.models import Webhook
from processing.services.engine_health import EngineHealth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from monitoring.board.cache import CacheLevelFacts
    from monitoring.board.held_work import HeldWork
    from monitoring.board.queues import QueueFacts
    from monitoring.board.storage import StorageFacts
    from monitoring.board.viewer import Viewer
    from monitoring.board.workers import WorkerFacts
    from monitoring.board.workspaces import UsageFacts
    from processing.services.engine_health import EngineReport

#: From these shares of a disk or of the connections on.
NEARLY_FULL, ALMOST_FULL = 0.90, 0.97

#: A queue is late whose first work should have begun so long ago.
LATE, VERY_LATE = timedelta(minutes=1), timedelta(minutes=15)

#: The leader samples once a minute: without a sample for so long nobody has swept.
NO_SWEEP = timedelta(minutes=3)

#: Leases that ran out so long ago should have been taken back by a sweep.
UNSWEPT = timedelta(seconds=30)

#: The most webhooks that are named.
SHOWN_WEBHOOKS = 5


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Notice:
    """What is wrong, why that matters or what to do, and the page where to begin."""

    severity: Severity
    what: str
    why: str
    address: str
    link: str


def notices_of_workers(
    workers: Sequence[WorkerFacts], queues: Sequence[QueueFacts], lost_count: int
) -> Iterator[Notice]:
    """Yield who is not there: nobody at all, nobody for a queue, somebody who was there."""
    listed = reverse("admin:jobs_worker_changelist")
    unserved = [queue for queue in queues if not queue.worker_count]
    if not any(worker.is_live for worker in workers):
        why = "All work waits until somebody starts workers: manage.py work"
        yield Notice(Severity.ERROR, "No worker is alive", why, listed, "Workers")
    elif unserved:
        waiting = [queue for queue in unserved if queue.depth]
        names = ", ".join(queue.name for queue in waiting or unserved)
        why = "Work waits there" if waiting else "What comes in there will wait"
        severity = Severity.ERROR if waiting else Severity.WARNING
        what = f"No live worker serves {names}"
        yield Notice(severity, what, f"{why}: start one with manage.py work", listed, "Workers")
    gone = sum(not worker.is_live for worker in workers) + lost_count
    if gone:
        what = f"{gone} {'worker' if gone == 1 else 'workers'} fell silent within the last hour"
        why = "What it held is done by others; its host or its log says why it ended"
        yield Notice(Severity.WARNING, what, why, listed, "Workers")


def notices_of_queues(queues: Iterable[QueueFacts]) -> Iterator[Notice]:
    """Yield the queues that are served, and still do not begin their work in time."""
    for queue in queues:
        late = timedelta(seconds=queue.overdue_seconds or 0)
        if late >= LATE and queue.worker_count:
            severity = Severity.ERROR if late >= VERY_LATE else Severity.WARNING
            what = f"The queue {queue.name} is late by {age(timezone.now() - late)}"
            why = f"{queue.worker_count} workers serve it: more are needed, or each is slow"
            yield Notice(severity, what, why, queue.address, "What waits")


def notices_of_sweeps(
    workers: Iterable[WorkerFacts], held: Iterable[HeldWork], since_sample: timedelta | None
) -> Iterator[Notice]:
    """Yield that workers are there, and nobody sweeps: none of these may be the leader."""
    if not any(worker.is_live for worker in workers):
        return
    now = timezone.now()
    unswept = sum(work.lease_expires_at < now - UNSWEPT for work in held)
    if unswept or (since_sample is not None and since_sample >= NO_SWEEP):
        said = f" for {age(now - since_sample)}" if since_sample else ""
        what = f"There was no sweep{said}"
        why = f"{unswept} leases ran out; " if unswept else ""
        why += "work that waits for a time or has lost its worker does not go on: manage.py sweep"
        address = reverse("admin:jobs_worker_changelist")
        yield Notice(Severity.ERROR, what, why, address, "Workers")


def notices_of_engines(reports: Iterable[EngineReport]) -> Iterator[Notice]:
    """Yield the providers that are left alone, or of which nothing is known."""
    for report in reports:
        address = reverse("admin:processing_engine_change", args=[report.name])
        if report.health in (EngineHealth.OPEN, EngineHealth.HALF_OPEN):
            why = "Most calls failed lately; one probe after the other says when it is back"
            what = f"The breaker of the engine {report.name} is open"
            yield Notice(Severity.ERROR, what, why, address, "Engine")


def notices_of_cache(levels: Iterable[CacheLevelFacts]) -> Iterator[Notice]:
    """Yield the levels that do not answer."""
    for level in levels:
        if not level.is_healthy:
            what = f"The level {level.level} of the cache is away"
            why = f"{level.said}: what it had is made again meanwhile, which takes longer"
            address = reverse("admin:caching_cacheentry_changelist")
            yield Notice(Severity.ERROR, what, why, address, "Cache")


def notices_of_room(
    storage: StorageFacts | None, connections: int, max_connections: int
) -> Iterator[Notice]:
    """Yield what is nearly used up: the disk, the connections to the database."""
    if storage is not None and storage.used_share >= NEARLY_FULL:
        is_urgent = storage.used_share >= ALMOST_FULL
        severity = Severity.ERROR if is_urgent else Severity.WARNING
        what = f"The disk is {storage.used_share:.0%} full"
        why = f"{storage}: delete recordings, or set for how long workspaces keep theirs"
        address = reverse("admin:processing_recording_changelist")
        yield Notice(severity, what, why, address, "Recordings")
    share = connections / max_connections
    if share >= NEARLY_FULL:
        severity = Severity.ERROR if share >= ALMOST_FULL else Severity.WARNING
        what = f"{connections} of {max_connections} connections to PostgreSQL are used"
        why = "Who finds none left waits, then fails: lower the pools, or raise max_connections"
        yield Notice(severity, what, why, reverse("admin:jobs_worker_changelist"), "Workers")


def notices_of_webhooks(viewer: Viewer) -> Iterator[Notice]:
    """Yield the viewer's webhooks that are told nothing, with one query."""
    paused = Webhook.objects.filter(paused_at__isnull=False).order_by("-paused_at")
    for webhook in viewer.own(paused, "processing.view_webhook")[:SHOWN_WEBHOOKS]:
        address = reverse("admin:processing_webhook_change", args=[webhook.pk])
        what, why = f"The webhook {webhook} is paused", f"{webhook.pause_reason}: resume it"
        yield Notice(Severity.WARNING, what, f"{why} once it answers", address, "Webhook")


def notices_of_quotas(usage: Iterable[UsageFacts]) -> Iterator[Notice]:
    """Yield the workspaces that have had nearly all, or all, of their minutes of this month."""
    for used in usage:
        if used.is_nearly_used_up:
            severity = Severity.ERROR if used.share == 1 else Severity.WARNING
            what = f"{used.workspace} has had {used.minutes:,.0f} of {used.limit_minutes:,} minutes"
            why = "That is what it may have transcribed in this month; a superuser can raise it"
            yield Notice(severity, what, why, used.address, "Workspace")
