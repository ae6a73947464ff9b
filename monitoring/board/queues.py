"""The queues: what waits on each, for how long, and how much is done of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection
from django.urls import reverse
from psycopg.sql import SQL, Identifier

from jobs import handlers
from jobs.choices import JobStatus
from jobs.models import Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jobs.models import Work
    from monitoring.board.held_work import HeldWork
    from monitoring.board.workers import WorkerFacts

#: So many rows of a queue are counted, and no more.
COUNT_LIMIT = 10_000

#: The first rows of each queue, as they are handed out. In SQL, because the ORM has no way to ask
#: for several queues at once that reads no more of each than this.
_READY = SQL("""
SELECT name, count, extract(epoch FROM statement_timestamp() - oldest)::float8,
    extract(epoch FROM statement_timestamp() - due_by)::float8
FROM unnest(%s::text[]) AS queue (name) CROSS JOIN LATERAL (
    SELECT count(*), min(available_at) AS oldest, min(due_by) AS due_by
    FROM (
        SELECT available_at, due_by FROM {table}
        WHERE queue_name = queue.name AND status = %s ORDER BY due_by, id LIMIT %s
    ) AS first
) AS ready
""")


class _Ready(NamedTuple):
    depth: int
    oldest_seconds: float | None
    overdue_seconds: float | None


@dataclass(frozen=True)
class QueueFacts:
    """How one queue is doing.

    ``depth`` rows are ready, or more where it ``is_capped``; the oldest of these, and of the
    first ``COUNT_LIMIT`` to be handed out, has been ready for ``oldest_seconds``. The first
    should have begun ``overdue_seconds`` ago; that is negative when there is time.
    """

    name: str
    depth: int
    is_capped: bool
    oldest_seconds: float | None
    overdue_seconds: float | None
    running: int
    worker_count: int
    address: str

    @property
    def is_idle(self) -> bool:
        return not (self.depth or self.running)


def queue_facts(workers: Sequence[WorkerFacts], held: Iterable[HeldWork]) -> list[QueueFacts]:
    """Describe every registered queue, with one query for each kind of work."""
    serving = Counter(name for worker in workers if worker.is_live for name in worker.queues)
    running = Counter(work.queue_name for work in held)
    models = {name: handlers.source_of(name).model for name in handlers.queue_names()}
    ready: dict[str, _Ready] = {}
    for model in dict.fromkeys(models.values()):
        ready |= _ready([name for name in models if models[name] is model], model)
    return [
        QueueFacts(
            name=name,
            depth=min(ready[name].depth, COUNT_LIMIT),
            is_capped=ready[name].depth > COUNT_LIMIT,
            oldest_seconds=ready[name].oldest_seconds,
            overdue_seconds=ready[name].overdue_seconds,
            running=running[name],
            worker_count=serving[name],
            address=_address(model, name),
        )
        for name, model in models.items()
    ]


def _ready(names: Sequence[str], model: type[Work]) -> dict[str, _Ready]:
    """Return what is ready on each of these queues of one kind of work."""
    statement = _READY.format(table=Identifier(model._meta.db_table))
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(names), JobStatus.QUEUED.value, COUNT_LIMIT + 1])
        return {name: _Ready(*figures) for name, *figures in cursor.fetchall()}


def _address(model: Any, name: str) -> str:
    """Return where the rows are listed that are ready on a queue."""
    meta = model._meta
    if f"{meta.app_label}.{meta.model_name}" not in _LISTED:
        return ""
    query = f"ready_on={name}" if model is Job else "status__exact=QUEUED"
    return f"{reverse(f'admin:{meta.app_label}_{meta.model_name}_changelist')}?{query}"


#: The kinds of work that have a list in the admin.
_LISTED = {"jobs.job", "processing.chunktask", "processing.webhookdelivery"}
