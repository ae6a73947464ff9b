"""The repositories of bulk actions and of the rows that they are to be done to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import connections, models
from django.db.models.functions import Coalesce, Now

from jobs.choices import ACTIVE, TERMINAL, JobStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from uuid import UUID

    from jobs.models import BulkAction, BulkActionItem, Job

A = TypeVar("A", bound="BulkAction", covariant=True)
Item = TypeVar("Item", bound="BulkActionItem", covariant=True)


#: The most reasons that are told apart.
MAX_REASONS = 50
OTHER_REASONS = "other reasons"


class BulkActionQuerySet(models.QuerySet[A]):
    """Every change of a bulk action: it follows its job, and counts what it did."""

    def active(self) -> BulkActionQuerySet[A]:
        return self.filter(status__in=ACTIVE)

    def begin(self, pk: UUID) -> bool:
        """Say that a worker is at it; False when it is over, or forgotten."""
        active = self.active().filter(pk=pk)
        return bool(
            active.update(status=JobStatus.PROCESSING, started_at=Coalesce("started_at", Now()))
        )

    def record(self, pk: UUID, *, done_count: int, refusals: Mapping[str, int]) -> None:
        """Count what became of a batch, in the transaction that did it and holds the row."""
        action = self.get(pk=pk)
        reasons = Counter(action.refusals) + Counter(refusals)
        others = reasons.pop(OTHER_REASONS, 0)
        told = dict(reasons.most_common(MAX_REASONS))
        if others := others + reasons.total() - sum(told.values()):
            told[OTHER_REASONS] = others
        self.filter(pk=pk).update(
            done_count=action.done_count + done_count,
            refused_count=action.refused_count + sum(refusals.values()),
            refusals=told,
        )

    def follow(self, job: Job) -> None:
        """Take over the terminal status of the job that does it."""
        self.filter(pk=job.subject_id).active().update(
            status=job.status, finished_at=Now(), error_message=job.error_message
        )

    def purge(self, *, older_than: timedelta) -> int:
        """Forget those that ended longer ago, with the rows that were left; return how many."""
        over = self.filter(finished_at__lt=Now() - older_than)
        return over.delete()[1].get("jobs.BulkAction", 0)

    def resume(self, job: Job) -> None:
        """Go on with what its job, which is taken back into its queue, has left."""
        self.filter(pk=job.subject_id, status__in=TERMINAL).update(
            status=JobStatus.QUEUED, finished_at=None, error_message=""
        )


class BulkActionItemQuerySet(models.QuerySet[Item]):
    """The rows that are left of a bulk action."""

    def snapshot(self, action: BulkAction, rows: models.QuerySet[Any]) -> int:
        """Note down which rows ``rows`` has now, each once, by one statement; return how many."""
        connection = connections[self.db]
        keys = rows if rows.query.is_sliced else rows.order_by()
        compiler = keys.values_list("pk").query.get_compiler(self.db, elide_empty=False)
        query, parameters = compiler.as_sql()
        with connection.cursor() as cursor:
            cursor.execute(SNAPSHOT.format(query=query), [action.pk, *parameters])
            return int(cursor.rowcount)

    def take(self, action_id: UUID, *, after: int, limit: int) -> list[tuple[int, str]]:
        """Delete the next items behind the one with id ``after``; return ids and what they name.

        Whoever gives ``after`` is spared a look through all that was deleted before.
        """
        rows = self.filter(bulk_action=action_id, id__gt=after).order_by("id")
        taken = list(rows.values_list("id", "object_id")[:limit])
        self.filter(bulk_action=action_id, id__in=[pk for pk, _ in taken]).delete()
        return taken


#: ``query`` has one column, the keys of the rows.
SNAPSHOT = """
INSERT INTO bulk_action_items (bulk_action_id, object_id)
SELECT DISTINCT %s::uuid, chosen.key::text FROM ({query}) AS chosen (key)
"""

BulkActionManager = models.Manager.from_queryset(BulkActionQuerySet)
BulkActionItemManager = models.Manager.from_queryset(BulkActionItemQuerySet)
