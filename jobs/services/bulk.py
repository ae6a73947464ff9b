"""Recording that thousands of things must be done."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from jobs import queues
from jobs.exceptions import BulkRefused, InvalidJob, Refusal, UnknownJobType
from jobs.models import Job
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
    with transaction.atomic():
        for batch in _batches(requests):
            rows: dict[int, JobRow] = {}
            for request in batch:
                try:
                    rows[len(ids)] = row = row_of(request, now)
                except (InvalidJob, UnknownJobType) as error:
                    refused.append(Refusal(len(ids), error.code, str(error)))
                    ids.append(None)
                else:
                    ids.append(row.id)
            if continue_on_error or not refused:
                for index, pk in writer.write(rows).items():
                    ids[index] = pk
        report = BulkReport(ids, frozenset(writer.existing), refused)
        if refused and not continue_on_error:
            raise BulkRefused(refused, len(ids))
        for queue_name in writer.queue_names:
            queues.ring_on_commit(queue_name)
    return report


_COLUMNS = ", ".join(JobRow._fields)
_FIELDS: list[Any] = [Job._meta.get_field(name) for name in JobRow._fields]
_VALUES = ", ".join(f"%s::{field.cast_db_type(connection)}[]" for field in _FIELDS)

_COPY = f"COPY processing_jobs ({_COLUMNS}) FROM STDIN"
_INSERT = (
    f"INSERT INTO processing_jobs ({_COLUMNS}) "  # noqa: S608  our own names
    f"SELECT * FROM unnest({_VALUES}) "
    "ON CONFLICT DO NOTHING RETURNING id"
)


class _Writer:
    """Writes rows; remembers which existed and which queues are to be rung."""

    def __init__(self) -> None:
        self.existing: set[int] = set()
        self.queue_names: set[str] = set()

    def write(self, rows: dict[int, JobRow]) -> dict[int, UUID]:
        """Insert rows; return the ids of jobs that stood in the way of some, by their keys."""
        self.queue_names |= {row.queue_name for row in rows.values()}
        keyed = {i: row for i, row in rows.items() if row.idempotency_key or row.unique_key}
        _copy([row for i, row in rows.items() if i not in keyed])
        found: dict[int, UUID] = {}
        while keyed:
            inserted = _insert(list(keyed.values()))
            keyed = {i: row for i, row in keyed.items() if row.id not in inserted}
            found |= _existing(keyed)
            keyed = {i: row for i, row in keyed.items() if i not in found}
        self.existing |= found.keys()
        return found


def _batches(requests: Iterable[JobRequest]) -> Iterator[list[JobRequest]]:
    iterator = iter(requests)
    while batch := list(islice(iterator, BATCH_SIZE)):
        yield batch


def _copy(rows: list[JobRow]) -> None:
    """Insert rows that nothing can stand in the way of, the fastest way there is."""
    if not rows:
        return
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            copy.write_row(row)


def _insert(rows: list[JobRow]) -> set[UUID]:
    """Insert the rows whose keys nobody has; return the ids of those.

    In the order of their keys, so that two that insert the same never wait for each other.
    """
    rows = sorted(rows, key=lambda row: (row.idempotency_key or "", row.unique_key or ""))
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])
        return {pk for (pk,) in cursor.fetchall()}


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
