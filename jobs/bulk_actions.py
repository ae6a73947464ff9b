"""Doing one thing to many rows: at once when they are few, else by a job with progress.

Applications register what can be done in ``AppConfig.ready()``. The rows are those that were
selected when it was asked for, however many: one statement notes them down. A worker does them
batch by batch. Each batch is one transaction, in which its rows are struck off the list and what
was done to them is counted, so that a worker that dies neither repeats nor forgets one.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction

from jobs.choices import JobStatus
from jobs.exceptions import InLine, PermanentError
from jobs.handlers import JobHandler, register_job
from jobs.identifiers import uuid7
from jobs.models import BulkAction, BulkActionItem, Job
from jobs.services.enqueueing import enqueue_job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from django.contrib.auth.models import User
    from django.db.models import Model, QuerySet

BULK_ACTION_JOB = "BULK_ACTION"
MAINTENANCE_QUEUE = "maintenance"

#: After so long it is the turn of the queue's other jobs.
TURN_SECONDS = 30.0

GONE = "it no longer exists"


class UnknownBulkAction(PermanentError):
    """Nobody registers the action any more."""

    code = "unknown_bulk_action"


class NextTurn(InLine):
    """Other jobs have their turn before a bulk action goes on."""

    code = "next_turn"


@dataclass(frozen=True)
class Asked:
    """Who asks for an action, None for nobody known, and with which options."""

    by: User | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Outcome:
    """To how many rows something was done; for what reasons it was not, each with how many."""

    done_count: int = 0
    refusals: Counter[str] = field(default_factory=Counter)


def _nothing_more(rows: QuerySet[Any]) -> Sequence[str]:
    """What most actions take with them."""
    return ()


@dataclass(frozen=True)
class BulkActionKind:
    """Something that can be done to rows of ``model``.

    ``verb`` does it to a few of them, in a transaction, and says what became of each; it may be
    called for rows to which it was done before. ``title`` says what it does ("Cancel jobs"),
    ``done`` what it did to how many ("Cancelled {}."). One that ``is_destructive`` is asked about
    first; ``consequences`` tell what goes with the rows. A batch of ``batch_size`` rows should
    take a second at most: so long a cancellation waits.
    """

    name: str
    model: type[Model]
    verb: Callable[[Any, Asked], Outcome]
    title: str
    done: str
    is_destructive: bool = False
    consequences: Callable[[QuerySet[Any]], Sequence[str]] = _nothing_more
    batch_size: int = 200

    def apply_to_all(self, keys: Sequence[Any], asked: Asked) -> Outcome:
        """Do it to the rows with these keys, in batches."""
        whole = Outcome()
        for start in range(0, len(keys), self.batch_size):
            outcome = self.apply(keys[start : start + self.batch_size], asked)
            whole.done_count += outcome.done_count
            whole.refusals += outcome.refusals
        return whole

    def apply(self, keys: Sequence[Any], asked: Asked) -> Outcome:
        """Do it to one batch, in a transaction; rows that are gone are refused."""
        with transaction.atomic():
            outcome = self.verb(self.model._default_manager.filter(pk__in=keys), asked)
        gone = len(keys) - outcome.done_count - outcome.refusals.total()
        if gone > 0:
            outcome.refusals[GONE] += gone
        return outcome


_kinds: dict[str, BulkActionKind] = {}


def register_bulk_action(kind: BulkActionKind) -> BulkActionKind:
    """Make ``kind`` something that can be asked for; return it."""
    _kinds[kind.name] = kind
    return kind


def kind_of(name: str) -> BulkActionKind:
    """Return a registered kind; raise ``UnknownBulkAction`` for any other."""
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownBulkAction(f"nobody does the bulk action {name!r} any more") from None


def each(rows: QuerySet[Any], act: Callable[[Any], object], *errors: type[Exception]) -> Outcome:
    """Do ``act`` to each row by itself; one of ``errors`` is the reason why it was not done."""
    outcome = Outcome()
    for row in rows:
        try:
            with transaction.atomic():
                act(row)
        except errors as error:
            outcome.refusals[str(error)] += 1
        else:
            outcome.done_count += 1
    return outcome


@transaction.atomic
def request_bulk_action(
    *,
    kind: BulkActionKind,
    rows: QuerySet[Any],
    asked: Asked,
    workspace_id: UUID | None = None,
    pk: UUID | None = None,
) -> BulkAction:
    """Have a job do ``kind`` to the rows that ``rows`` has now.

    Asked for again with the same ``pk``, it is the one that exists, as it is.
    """
    action, is_new = BulkAction.objects.get_or_create(
        pk=pk or uuid7(),
        defaults={
            "action": kind.name,
            "options": dict(asked.options),
            "description": kind.title,
            "created_by": asked.by,
            "workspace_id": workspace_id,
        },
    )
    if is_new:
        action.total_count = BulkActionItem.objects.snapshot(action, rows)
        action.job_id = enqueue_job(
            job_type=BULK_ACTION_JOB,
            payload={"bulk_action_id": str(action.pk)},
            subject_id=action.pk,
            workspace_id=workspace_id,
            created_by=asked.by,
        ).pk
        action.save(update_fields=["total_count", "job_id"])
    return action


def run_bulk_action(job: Job) -> None:
    """Do batch after batch until none is left, the job is cancelled, or others have a turn."""
    action_id = UUID(job.payload["bulk_action_id"])
    if not BulkAction.objects.begin(action_id):
        return
    turn_ends_at = time.monotonic() + TURN_SECONDS
    last: int | None = 0
    while last is not None:
        if time.monotonic() > turn_ends_at:
            raise NextTurn("other jobs have their turn", seconds=0)
        last = _do_batch(job, action_id, after=last)


@transaction.atomic
def _do_batch(job: Job, action_id: UUID, *, after: int) -> int | None:
    """Do the next batch; return the id of its last item, None when nothing is to be done."""
    # Held to the end: a worker that was presumed dead is at no other batch meanwhile.
    action = BulkAction.objects.select_for_update(of=("self",)).get(pk=action_id)
    if not Job.objects.filter(pk=job.pk, attempt=job.attempt, status=JobStatus.PROCESSING).exists():
        return None
    kind = kind_of(action.action)
    taken = BulkActionItem.objects.take(action_id, after=after, limit=kind.batch_size)
    if not taken:
        return None
    outcome = kind.apply([key for _, key in taken], Asked(action.created_by, action.options))
    BulkAction.objects.record(action_id, done_count=outcome.done_count, refusals=outcome.refusals)
    return taken[-1][0]


def register() -> None:
    """Tell who does bulk actions."""
    register_job(
        JobHandler(
            BULK_ACTION_JOB,
            MAINTENANCE_QUEUE,
            run_bulk_action,
            settled=BulkAction.objects.follow,
            requeued=BulkAction.objects.resume,
        )
    )
