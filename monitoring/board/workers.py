"""The workers: who is there, what each is at, and how many fell silent."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import F
from django.db.models.functions import Now

from jobs.managers.worker import WORKER_TIMEOUT
from jobs.models import Worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from monitoring.board.held_work import HeldWork

#: More workers are counted on the Board and not shown.
SHOWN = 24

#: As many are read.
LIMIT = 500

#: Workers that fell silent are told of for so long.
LOST_WITHIN = timedelta(hours=1)


@dataclass(frozen=True)
class WorkerFacts:
    """One worker that has not ended, and what it has under a lease."""

    id: UUID
    hostname: str
    pid: int | None
    queues: Sequence[str]
    heartbeat_at: datetime
    is_live: bool
    work: Sequence[HeldWork]

    @property
    def status(self) -> str:
        return "LIVE" if self.is_live else "GONE"

    @property
    def is_idle(self) -> bool:
        return not self.work


def worker_facts(held: Iterable[HeldWork]) -> list[WorkerFacts]:
    """Describe the workers that have not ended, by host, with one query."""
    work_of: defaultdict[UUID | None, list[HeldWork]] = defaultdict(list)
    for work in held:
        work_of[work.worker_id].append(work)
    running: Any = Worker.objects.with_liveness().filter(stopped_at__isnull=True)
    return [
        WorkerFacts(
            id=worker.pk,
            hostname=worker.hostname,
            pid=worker.pid,
            queues=worker.queues,
            heartbeat_at=worker.heartbeat_at,
            is_live=worker.is_live,
            work=work_of[worker.pk],
        )
        for worker in running.order_by("hostname", "pid", "id")[:LIMIT]
    ]


def lost_workers() -> int:
    """Return how many workers ended lately without saying so: they just fell silent."""
    lately = Worker.objects.filter(stopped_at__gte=Now() - LOST_WITHIN)
    return lately.filter(stopped_at__gt=F("heartbeat_at") + WORKER_TIMEOUT).count()
