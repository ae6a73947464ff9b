"""What staff can have done to many jobs."""

from collections import Counter
from functools import partial

from django.db.models import Count

from jobs.bulk_actions import Asked, BulkActionKind, Outcome, register_bulk_action
from jobs.choices import WAITING, JobPriority
from jobs.exceptions import NotRequeueable, UnknownJobType
from jobs.managers.job import JobQuerySet
from jobs.models import Job


def _statuses(jobs: JobQuerySet) -> Counter[str]:
    counts = jobs.order_by().values_list("status").annotate(Count("pk"))
    return Counter({f"the job is {status}": count for status, count in counts})


def _cancel(jobs: JobQuerySet, asked: Asked) -> Outcome:
    cancelled = jobs.cancel()
    return Outcome(len(cancelled), _statuses(jobs.exclude(pk__in=cancelled)))


def _retry(jobs: JobQuerySet, asked: Asked) -> Outcome:
    outcome = Outcome()
    for job in jobs:
        try:
            if Job.objects.requeue(job):
                outcome.done_count += 1
            else:
                outcome.refusals[f"the job is {job.status}"] += 1
        except (NotRequeueable, UnknownJobType) as error:
            outcome.refusals[str(error)] += 1
    return outcome


def _reprioritise(priority: JobPriority, jobs: JobQuerySet, asked: Asked) -> Outcome:
    count = jobs.reprioritise(priority)
    return Outcome(count, _statuses(jobs.exclude(status__in=WAITING)))


CANCEL = BulkActionKind(
    "jobs.cancel", Job, _cancel, "Cancel jobs", "Cancelled {}.", is_destructive=True
)
RETRY = BulkActionKind("jobs.retry", Job, _retry, "Retry jobs", "Requeued {}.")
REPRIORITISE = {
    priority: BulkActionKind(
        f"jobs.reprioritise_{priority.name.lower()}",
        Job,
        partial(_reprioritise, priority),
        f"Give jobs priority {priority.name}",
        f"Gave {priority.name} to {{}}.",
        batch_size=1_000,
    )
    for priority in JobPriority
}


def register() -> None:
    """Make these bulk actions known."""
    for kind in (CANCEL, RETRY, *REPRIORITISE.values()):
        register_bulk_action(kind)
