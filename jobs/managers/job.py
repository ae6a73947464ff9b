"""The job repository."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import IntegrityError, models, transaction
from django.db.models import Count, F, Min, OuterRef, Q, Subquery, Value
from django.db.models.functions import Extract, Greatest, Now
from psycopg.errors import UniqueViolation

from jobs import queues
from jobs import specifications as spec
from jobs.choices import ACTIVE, TERMINAL, WAITING, JobPriority, JobStatus
from jobs.exceptions import NotRequeueable
from jobs.managers.work import WorkQuerySet
from jobs.services.priority import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.contrib.auth.models import AbstractBaseUser

    from jobs.models import Job, Work

#: The reason of a job that was cancelled because one it was to follow did not complete.
DEPENDENCY = "dependency"

#: Waiting for a job that has not completed.
UNMET = Q(depends_on__status__in=[*ACTIVE, JobStatus.FAILED, JobStatus.CANCELLED])

#: How far back statistics look at what is over, when nobody says otherwise.
STATISTICS_WINDOW = timedelta(hours=1)

#: The percentiles of waits and runs that statistics report.
PERCENTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class Spread:
    """How long something takes: median and tail, in seconds; None where nothing was seen."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True)
class JobStatistics:
    """How the jobs of one type are doing on one queue.

    ``counts`` has every status: jobs that are active now, and those that ended within the
    window. ``oldest_seconds`` is how long the oldest ready job has been ready, ``wait`` how
    long jobs were ready before they began and ``run`` how long they took, both of those that
    ended within the window; ``throughput_per_second`` is how many completed in it.
    """

    queue_name: str
    job_type: str
    counts: dict[str, int]
    oldest_seconds: float | None
    wait: Spread
    run: Spread
    throughput_per_second: float


class Percentiles(models.Aggregate):
    """``percentile_cont`` of ``PERCENTILES``: interpolated, as an array."""

    function = "percentile_cont"
    template = (
        f"%(function)s(ARRAY[{', '.join(map(str, PERCENTILES))}]) "
        "WITHIN GROUP (ORDER BY %(expressions)s)"
    )
    output_field = ArrayField(models.FloatField())


class JobQuerySet(WorkQuerySet["Job"]):
    """Every query on jobs, and what only jobs can do: depend on each other, change priority."""

    def about(self, subject_id: UUID) -> Self:
        return self.filter(spec.is_about(subject_id))

    def in_workspace(self, workspace_id: UUID) -> Self:
        return self.filter(spec.is_in_workspace(workspace_id))

    def owned_by(self, user: AbstractBaseUser) -> Self:
        return self.filter(created_by=user)

    def carrying(self, **payload: Any) -> Self:
        """Jobs whose payload has these values."""
        return self.filter(payload__contains=payload)

    def over_since(self, moment: datetime) -> Self:
        """Jobs that ended before ``moment``, the longest ago first."""
        return self.filter(spec.is_over(), completed_at__lt=moment).order_by("completed_at")

    def position(self, job: Job) -> int | None:
        """How many jobs its queue hands out up to and with ``job``: 1 is next.

        None when it does not wait for a worker.
        """
        if job.status != JobStatus.QUEUED:
            return None
        before = Q(due_by__lt=job.due_by) | Q(due_by=job.due_by, id__lte=job.pk)
        ready = self._unfiltered().ready().on_queue(job.queue_name)
        return ready.filter(before, due_by__lte=job.due_by).count()  # a bound for the index

    def reprioritise(self, priority: JobPriority | int) -> int:
        """Give the jobs that have not begun a priority and its deadline; return how many."""
        patience = PATIENCE[JobPriority(priority)]
        with transaction.atomic(using=self.db):
            waiting = self.filter(status__in=WAITING)._locked().only("pk")
            rows = self._unfiltered().filter(pk__in=[job.pk for job in waiting])
            return rows.update(priority=priority, due_by=F("available_at") + patience)

    def statistics(self, *, window: timedelta = STATISTICS_WINDOW) -> list[JobStatistics]:
        """Count and time these jobs, by queue and type, in that order.

        A constant number of queries, each served by a partial index, so that jobs that ended
        before the window cost nothing.
        """
        rows: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
        kinds = self.order_by().values("queue_name", "job_type")
        for status in ACTIVE:
            oldest = (
                {"oldest": _seconds(Now() - Min("available_at"))}
                if status == JobStatus.QUEUED
                else {}
            )
            for row in kinds.filter(status=status).annotate(count=Count("pk"), **oldest):
                found = rows[row["queue_name"], row["job_type"]]
                found[status] = row["count"]
                found["oldest"] = row.get("oldest", found.get("oldest"))
        ended = kinds.filter(completed_at__gte=Now() - window)
        for over in ended.annotate(
            **{status: Count("pk", filter=Q(status=status)) for status in TERMINAL},
            wait=Percentiles(
                _seconds(Greatest(F("started_at") - F("available_at"), Value(timedelta()))),
                filter=Q(started_at__isnull=False),  # the greatest of nothing and 0 is 0
            ),
            run=Percentiles(_seconds(F("completed_at") - F("started_at"))),
        ):
            rows[over["queue_name"], over["job_type"]] |= over
        return [
            JobStatistics(
                queue_name=queue_name,
                job_type=job_type,
                counts={status: row.get(status, 0) for status in JobStatus.values},
                oldest_seconds=row.get("oldest"),
                wait=Spread(*(row.get("wait") or ())),
                run=Spread(*(row.get("run") or ())),
                throughput_per_second=row.get(JobStatus.COMPLETED, 0) / window.total_seconds(),
            )
            for (queue_name, job_type), row in sorted(rows.items())
        ]

    def purge(self, *, limit: int) -> list[datetime]:
        """Delete up to ``limit`` of these jobs that are over; return when each ended, in order.

        Skips those that somebody else has locked, to delete them or to take them back.
        """
        with transaction.atomic(using=self.db):
            over = self.filter(spec.is_over()).order_by("completed_at")
            locked = over.select_for_update(skip_locked=True)
            ended: dict[UUID, Any] = dict(locked.values_list("pk", "completed_at")[:limit])
            self._unfiltered().filter(pk__in=ended).only("pk").delete()
        return list(ended.values())

    def requeue(self, work: Work) -> bool:
        """Also raise ``NotRequeueable`` while another job of its unique key is active, or while
        a job that it is to follow has not completed.
        """
        if _dependencies().filter(UNMET, job=work.pk, job__status__in=TERMINAL).exists():
            raise NotRequeueable("a job that it is to follow has not completed")
        try:
            changed = super().requeue(work)
        except IntegrityError as error:
            if not isinstance(error.__cause__, UniqueViolation):
                raise
            raise NotRequeueable("another job with its unique key is active") from error
        if changed:
            queues.ring_on_commit(work.queue_name)
        return changed

    def unblock(self) -> int:
        """Make blocked jobs ready whose dependencies have all completed; return how many.

        The rows are locked first: of two jobs that complete at once, the one that comes
        second sees the first.
        """
        with transaction.atomic(using=self.db, savepoint=False):
            blocked = self.filter(status=JobStatus.BLOCKED)._locked().only("pk", "queue_name")
            queue_names = {job.pk: job.queue_name for job in blocked}
            if not queue_names:
                return 0
            free = self._unfiltered().alias(unmet=_last_unmet()).filter(unmet=None)
            count = free._transition("unblock", list(queue_names), available_at=Now())
            if count:
                for queue_name in set(queue_names.values()):
                    queues.ring_on_commit(queue_name)
            return count

    def _follow(self, works: Sequence[Work]) -> None:
        """Also let go or cancel the jobs that were to follow ``works``."""
        super()._follow(works)
        completed = {work.pk for work in works if work.status == JobStatus.COMPLETED}
        if lost := self._lost_with({work.pk for work in works} - completed):
            self._unfiltered().filter(pk__in=lost, status=JobStatus.BLOCKED).cancel(
                error_code=DEPENDENCY, error_message="a job it was to follow did not complete"
            )
        if completed:
            followers = _dependencies().filter(depends_on__in=completed).values("job")
            self._unfiltered().filter(pk__in=followers).unblock()

    def _lost_with(self, ended: set[UUID]) -> set[UUID]:
        """Return the blocked jobs that follow one of ``ended``, and all that follow them."""
        lost: set[UUID] = set()
        level = ended
        while level:
            level = self._blocked_by(level) - lost
            lost |= level
        return lost

    def _blocked_by(self, ids: Collection[UUID]) -> set[UUID]:
        """Return the blocked jobs that depend on one of ``ids``."""
        blocked = self._unfiltered().filter(status=JobStatus.BLOCKED, depends_on__in=ids)
        return set(blocked.values_list("pk", flat=True))


def _dependencies() -> models.QuerySet[Any]:
    from jobs.models import JobDependency  # noqa: PLC0415  which has managers from here

    return JobDependency.objects.all()


def _last_unmet() -> Subquery:
    """What keeps a job blocked, looked for from its last end: the first have likely completed."""
    unmet = _dependencies().filter(UNMET, job=OuterRef("pk")).order_by("-depends_on_id")
    return Subquery(unmet.values("pk")[:1])


def _seconds(span: Any) -> Extract:
    duration = models.ExpressionWrapper(span, output_field=models.DurationField())
    return Extract(duration, "epoch", output_field=models.FloatField())


JobManager = models.Manager.from_queryset(JobQuerySet)
