"""Recording that something must be done."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from psycopg.errors import UniqueViolation

from jobs import queues
from jobs.choices import ACTIVE, JobPriority, JobStatus
from jobs.exceptions import InvalidJob
from jobs.managers.work import DEFAULT_MAX_ATTEMPTS
from jobs.models import Job, JobDependency
from jobs.services.requests import JobRequest, row_of


def enqueue_job(
    *,
    job_type: str,
    payload: dict[str, Any] | None = None,
    priority: JobPriority | int = JobPriority.NORMAL,
    subject_id: UUID | None = None,
    workspace_id: UUID | None = None,
    created_by: User | None = None,
    max_attempts: int = DEFAULT_MAX_ATTEMPTS,
    available_at: datetime | None = None,
    expires_at: datetime | None = None,
    after: Sequence[Job] = (),
    idempotency_key: str | None = None,
    unique_key: str | None = None,
) -> Job:
    """Record the job; ring its queue once the transaction commits (the sweeper covers a lost ring).

    ``available_at`` is when it may begin, ``expires_at`` when nobody wants it any more,
    ``after`` the jobs that must have completed before. Returns the job that exists, as it is,
    when the workspace has one of this ``idempotency_key`` or one of this ``unique_key`` is
    active. Raises ``UnknownJobType`` when no handler is registered for ``job_type``, and
    ``InvalidJob`` for what no job can be.
    """
    if after and available_at is not None:
        raise InvalidJob("a job waits for a time or for other jobs, not for both")
    request = JobRequest(
        job_type=job_type,
        payload={} if payload is None else payload,
        priority=priority,
        subject_id=subject_id,
        workspace_id=workspace_id,
        created_by_id=created_by.pk if created_by else None,
        max_attempts=max_attempts,
        available_at=available_at,
        expires_at=expires_at,
        idempotency_key=idempotency_key,
        unique_key=unique_key,
    )
    row = row_of(request, timezone.now())
    job = Job(**(row._asdict() | {"payload": request.payload}))
    if after:
        existing = _insert_after(job, after)
    elif idempotency_key or unique_key:
        existing = _insert_once(job)
    else:
        job.save(force_insert=True)
        existing = None
    if existing is not None:
        return existing
    if job.status == JobStatus.QUEUED:
        queues.ring_on_commit(job.queue_name)
    return job


def existing_job(job: Job) -> Job | None:
    """Return the job that stands in the way of ``job`` by one of its keys, if there is one."""
    same = Q(pk__in=[])
    if job.idempotency_key:
        same |= Q(workspace_id=job.workspace_id, idempotency_key=job.idempotency_key)
    if job.unique_key:
        same |= Q(unique_key=job.unique_key, status__in=ACTIVE)
    return Job.objects.filter(same).order_by("created_at").first()


def _insert_after(job: Job, after: Sequence[Job]) -> Job | None:
    """Insert ``job`` as one that follows ``after``; return the one that its keys name already.

    The rows of ``after`` are locked, so that none of them ends without seeing its dependent.
    """
    ids = {other.pk for other in after}
    with transaction.atomic():
        rows = Job.objects.filter(pk__in=ids).order_by("created_at", "pk")
        statuses = dict(rows.select_for_update(no_key=True).values_list("pk", "status"))
        _ring_for_the_passed_over(statuses)
        if (existing := existing_job(job)) is not None:
            return existing  # whatever became of what it was to follow
        if missing := ids - statuses.keys():
            raise InvalidJob(f"it is to follow what does not exist: {', '.join(map(str, missing))}")
        for pk, status in statuses.items():
            if status in (JobStatus.FAILED, JobStatus.CANCELLED):
                raise InvalidJob(f"it is to follow job {pk}, which is {status}: it could not begin")
        if set(statuses.values()) != {JobStatus.COMPLETED}:
            job.status = JobStatus.BLOCKED
        existing = _insert_once(job)
        if existing is None:
            JobDependency.objects.bulk_create(
                JobDependency(job=job, depends_on_id=pk) for pk in statuses
            )
    return existing


def _ring_for_the_passed_over(statuses: dict[UUID, str]) -> None:
    """Ring for the ready jobs among those locked here: a claim meanwhile did not find them."""
    ready = [pk for pk, status in statuses.items() if status == JobStatus.QUEUED]
    for queue_name in set(Job.objects.filter(pk__in=ready).values_list("queue_name", flat=True)):
        queues.ring_on_commit(queue_name)


def _insert_once(job: Job) -> Job | None:
    """Insert ``job`` or return the one that its keys name already.

    The one that stood in the way may end before it is read: then there is room for ``job``.
    """
    while True:
        try:
            with transaction.atomic():
                job.save(force_insert=True)
        except IntegrityError as error:
            if not isinstance(error.__cause__, UniqueViolation):
                raise
            existing = existing_job(job)
            if existing is not None:
                return existing
        else:
            return None
