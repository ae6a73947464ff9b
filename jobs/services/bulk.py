"""Recording that thousands of things must be done."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from jobs import queues
from jobs.exceptions import BulkRefused, InvalidJob, Refusal, UnknownJobType
from jobs.models import Job
from jobs.services.insertion import copy_rows, insert_rows
from jobs.services.requests import JobRequest, JobRow, row_of

#: Rows that are sent and checked for their keys at once.
BATCH_SIZE = 10_000


@dataclass(frozen=True)
class BulkReport:
    """What became of each request: ``ids`` has its job's id, None where it was refused.

    ``existing`` are the places whose job existed already, by one of its keys; it was left as
    it was.
    """

    ids: Sequence[UUID | None]
    existing: frozenset[int] = frozenset()
    refused: Sequence[Refusal] = ()

    @property
    def enqueued_count(self) -> int:
        """How many jobs are new."""
        return len(self.ids) - len(self.existing) - len(self.refused)


def bulk_enqueue(requests: Iterable[JobRequest], *, continue_on_error: bool = False) -> BulkReport:
    """Enqueue many jobs, all or none; ring each of their queues once after the commit.

    A request that cannot be a job is reported with its place and reason. Then nothing is
    enqueued and ``BulkRefused`` raised, or, with ``continue_on_error``, all others are.
    """
    writer = _Writer()
    now = timezone.now()
    refused: list[Refusal] = []
    ids: list[UUID | None] = []

    def rows(batch: list[JobRequest]) -> Iterator[tuple[int, JobRow]]:
        for request in batch:
            try:
                row = row_of(request, now)
            except (InvalidJob, UnknownJobType) as error:
                refused.append(Refusal(len(ids), error.code, str(error)))
                ids.append(None)
            else:
                ids.append(row.id)
                if continue_on_error or not refused:
                    yield len(ids) - 1, row

    with transaction.atomic():
        for batch in _batches(requests):
            for index, pk in writer.write(rows(batch)).items():
                ids[index] = pk
        report = BulkReport(ids, frozenset(writer.existing), refused)
        if refused and not continue_on_error:
            raise BulkRefused(refused, len(ids))
        for queue_name in writer.queue_names:
            queues.ring_on_commit(queue_name)
    return report


class _Writer:
    """Writes rows; remembers which existed and which queues are to be rung."""

    def __init__(self) -> None:
        self.existing: set[int] = set()
        self.queue_names: set[str] = set()

    def write(self, rows: Iterable[tuple[int, JobRow]]) -> dict[int, UUID]:
        """Insert rows; return the ids of jobs that stood in the way of some, by their keys."""
        keyed: dict[int, JobRow] = {}
        copy_rows(self._without_keys(rows, keyed))
        found: dict[int, UUID] = {}
        while keyed:
            inserted = insert_rows(list(keyed.values()))
            keyed = {i: row for i, row in keyed.items() if row.id not in inserted}
            found |= _existing(keyed)
            keyed = {i: row for i, row in keyed.items() if i not in found}
        self.existing |= found.keys()
        return found

    def _without_keys(
        self, rows: Iterable[tuple[int, JobRow]], keyed: dict[int, JobRow]
    ) -> Iterator[JobRow]:
        """Put the rows with keys into ``keyed``; hand on the others."""
        for index, row in rows:
            self.queue_names.add(row.queue_name)
            if row.idempotency_key or row.unique_key:
                keyed[index] = row
            else:
                yield row


def _batches(requests: Iterable[JobRequest]) -> Iterator[list[JobRequest]]:
    iterator = iter(requests)
    while batch := list(islice(iterator, BATCH_SIZE)):
        yield batch


def _existing(rows: dict[int, JobRow]) -> dict[int, UUID]:
    """Return, by the same places, the jobs that have the keys of ``rows``."""
    workspace_ids = {row.workspace_id for row in rows.values()}
    in_workspaces = Q(workspace_id__in=workspace_ids - {None})
    if None in workspace_ids:
        in_workspaces |= Q(workspace_id=None)
    by_idempotency_key = {
        (workspace_id, key): pk
        for pk, workspace_id, key in Job.objects.filter(
            in_workspaces,
            idempotency_key__in={row.idempotency_key for row in rows.values()} - {None},
        ).values_list("pk", "workspace_id", "idempotency_key")
    }
    by_unique_key = dict(
        Job.objects.active()
        .filter(unique_key__in={row.unique_key for row in rows.values()} - {None})
        .values_list("unique_key", "pk")
    )
    found = {
        index: by_idempotency_key.get((row.workspace_id, row.idempotency_key))
        or by_unique_key.get(row.unique_key)
        for index, row in rows.items()
    }
    return {index: pk for index, pk in found.items() if pk is not None}
