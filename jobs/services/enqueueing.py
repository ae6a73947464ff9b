"""Recording that something must be done."""

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from jobs import handlers, queues
from jobs.choices import JobPriority
from jobs.models import Job
from jobs.services.priority import PriorityManager


@transaction.atomic
def enqueue_job(
    *,
    job_type: str,
    payload: dict[str, Any] | None = None,
    priority: JobPriority | int = JobPriority.NORMAL,
    subject_id: UUID | None = None,
    workspace_id: UUID | None = None,
    created_by: User | None = None,
    max_attempts: int = 3,
) -> Job:
    """Record the job; ring its queue once the transaction commits (the sweeper covers a lost ring).

    Raises ``UnknownJobType`` when no handler is registered for ``job_type``.
    """
    queue_name = handlers.handler_of(job_type).queue_name
    now = timezone.now()
    job = Job.objects.create(
        job_type=job_type,
        queue_name=queue_name,
        payload=payload or {},
        priority=priority,
        available_at=now,
        due_by=PriorityManager().due_by(now, priority),
        subject_id=subject_id,
        workspace_id=workspace_id,
        created_by=created_by,
        max_attempts=max_attempts,
    )
    transaction.on_commit(lambda: _ring(queue_name), robust=True)
    return job


def _ring(queue_name: str) -> None:
    queues.ring(queue_name)
