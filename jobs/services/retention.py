"""How long jobs are remembered after they have ended."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from jobs import handlers, schedules
from jobs import specifications as spec
from jobs.choices import TERMINAL, JobStatus
from jobs.handlers import JobHandler, register_job
from jobs.managers.job import JobQuerySet
from jobs.models import BulkAction, Job
from jobs.schedules import Schedule

PURGE_JOB = "PURGE_JOBS"
MAINTENANCE_QUEUE = "maintenance"

#: Jobs that are deleted in one transaction.
BATCH_SIZE = 1000


def _nothing(count: int) -> None:
    """What follows from most batches."""


def purgeable_jobs(
    *, older_than: timedelta, statuses: Iterable[JobStatus | str] = TERMINAL
) -> JobQuerySet:
    """Return the jobs that ended longer ago than ``older_than``, the longest ago first."""
    over = Job.objects.over_since(timezone.now() - older_than)
    return over.matching(spec.has_status(*statuses))


def purge_jobs(
    *,
    older_than: timedelta,
    statuses: Iterable[JobStatus | str] = TERMINAL,
    batch_size: int = BATCH_SIZE,
    after_batch: Callable[[int], None] = _nothing,
) -> int:
    """Delete the jobs that ended longer ago than ``older_than``; return how many.

    Each batch is a transaction of its own; ``after_batch`` is told its size once it is
    committed, and may raise to stop. The keys of a deleted job are free again.
    """
    jobs = rows = purgeable_jobs(older_than=older_than, statuses=statuses)
    count = 0
    while ended := rows.purge(limit=batch_size):
        count += len(ended)
        after_batch(len(ended))
        # Else each batch would read again over what those before it have left in the index.
        rows = jobs.filter(completed_at__gte=ended[-1])
    return count


def run_purge_job(job: Job) -> None:
    """Delete the jobs of more than ``JOB_RETENTION_DAYS`` ago; done again, it goes on.

    Bulk actions are forgotten with them.
    """
    if settings.JOB_RETENTION_DAYS:
        older_than = timedelta(days=settings.JOB_RETENTION_DAYS)
        purge_jobs(older_than=older_than)
        BulkAction.objects.purge(older_than=older_than)


def register() -> None:
    """Have jobs purged every night, unless they are kept for ever."""
    register_job(
        JobHandler(PURGE_JOB, MAINTENANCE_QUEUE, run_purge_job, validate=handlers.no_payload)
    )
    if settings.JOB_RETENTION_DAYS:
        schedules.register_schedule(Schedule("purge_jobs", "17 3 * * *", PURGE_JOB))
