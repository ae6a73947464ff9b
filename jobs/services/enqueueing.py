"""Recording that something must be done."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from jobs import queues
from jobs.choices import ACTIVE, JobPriority, JobStatus
from jobs.exceptions import InvalidJob
from jobs.managers.work import DEFAULT_MAX_ATTEMPTS
from jobs.models import Job
from jobs.services.insertion import insert_dependencies, insert_row
from jobs.services.requests import JobRequest, JobRow, row_of


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
    if after:
        return _insert_after(row._replace(status=JobStatus.BLOCKED), request, after)
    existing = _insert_once(row)
    if existing is not None:
        return existing
    if row.status == JobStatus.QUEUED:
        queues.ring_on_commit(row.queue_name)
    return _job_of(row, request)


def existing_job(row: JobRow | Job) -> Job | None:
    """Return the job that stands in the way of ``row`` by one of its keys, if there is one."""
    same = Q(pk__in=[])
    if row.idempotency_key:
        same |= Q(workspace_id=row.workspace_id, idempotency_key=row.idempotency_key)
    if row.unique_key:
        same |= Q(unique_key=row.unique_key, status__in=ACTIVE)
    return Job.objects.filter(same).order_by("created_at").first()


def _insert_after(row: JobRow, request: JobRequest, after: Sequence[Job]) -> Job:
    """Insert a row that follows ``after``; return it, or the job that its keys name already.

    The rows of ``after`` are locked, so that none of them ends without seeing its dependent;
    last of all, because no worker can claim them meanwhile.
    """
    ids = {other.pk for other in after}
    with transaction.atomic():
        if (existing := _insert_once(row)) is not None:
            return existing  # whatever became of what it was to follow
        insert_dependencies(row.id, ids)
        rows = Job.objects.filter(pk__in=ids).order_by("created_at", "pk")
        statuses = dict(rows.select_for_update(no_key=True).values_list("pk", "status"))
        _ring_for_the_passed_over(statuses)
        if missing := ids - statuses.keys():
            raise InvalidJob(f"it is to follow what does not exist: {', '.join(map(str, missing))}")
        for pk, status in statuses.items():
            if status in (JobStatus.FAILED, JobStatus.CANCELLED):
                raise InvalidJob(f"it is to follow job {pk}, which is {status}: it could not begin")
        job = _job_of(row, request)
        if set(statuses.values()) == {JobStatus.COMPLETED}:
            Job.objects.filter(pk=job.pk).unblock()
            job.refresh_from_db(fields=["status", "available_at"])
    return job


def _ring_for_the_passed_over(statuses: dict[UUID, str]) -> None:
    """Ring for the ready jobs among those locked here: a claim meanwhile did not find them."""
    ready = [pk for pk, status in statuses.items() if status == JobStatus.QUEUED]
    for queue_name in set(Job.objects.filter(pk__in=ready).values_list("queue_name", flat=True)):
        queues.ring_on_commit(queue_name)


def _insert_once(row: JobRow) -> Job | None:
    """Insert a row or return the job that its keys name already.

    The one that stood in the way may end before it is read: then there is room for this one.
    """
    existing = None
    while existing is None and not insert_row(row):
        existing = existing_job(row)
    return existing


def _job_of(row: JobRow, request: JobRequest) -> Job:
    """Return the job that was requested and written as ``row``."""
    written = row._asdict() | {"payload": request.payload}
    job = Job(**written, error_code="", error_message="")
    job._state.adding = False
    job._state.db = connection.alias
    return job
