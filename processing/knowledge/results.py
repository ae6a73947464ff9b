"""Having summaries, translations and answers made by workers, and what became of them."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from jobs.choices import JobPriority, JobStatus
from jobs.models import Job
from jobs.services.enqueueing import enqueue_job
from processing.models import Result
from processing.webhooks.announcing import announce_result

ResultT = TypeVar("ResultT", bound=Result)


def enqueue_result(
    result: Result,
    job_type: str,
    *,
    subject_id: UUID,
    workspace_id: UUID,
    priority: JobPriority = JobPriority.NORMAL,
    created_by: User | None = None,
) -> None:
    """Have a worker make ``result``; to be called in the transaction that stores its row."""
    enqueue_job(
        job_type=job_type,
        payload={"result_id": str(result.pk)},
        priority=priority,
        subject_id=subject_id,
        workspace_id=workspace_id,
        created_by=created_by,
    )


def cancel_result(result: Result, *, subject_id: UUID) -> bool:
    """Have nobody make ``result`` any more, ``subject_id`` as enqueued; False when it is over."""
    if not type(result).objects.cancel(result.pk):  # type: ignore[attr-defined]
        return False
    jobs = Job.objects.about(subject_id).carrying(result_id=str(result.pk))

    def drop() -> None:
        jobs.cancel()

    transaction.on_commit(drop, robust=True)  # its job settles it: never lock both the other way
    return True


def result_of(job: Job, model: type[ResultT]) -> ResultT | None:
    """Return the result a job is about, None when it was deleted or is over."""
    result = model._default_manager.filter(pk=job.payload["result_id"]).first()
    return result if result is not None and result.is_active else None


@transaction.atomic
def complete_result(result: Result, **content: Any) -> bool:
    """Store what was made; False when nobody wants it any more."""
    model = type(result)
    if not model.objects.complete(result.pk, **content):  # type: ignore[attr-defined]
        return False
    announce_result(model, result.pk)
    return True


def settling(model: type[Result]) -> Callable[[Job], None]:
    """Return the ``settled`` of a job type: what a job failed by, its result failed by."""

    def settle(job: Job) -> None:
        if "result_id" not in job.payload:
            return  # a job that somebody made by hand
        results, pk = model.objects, UUID(job.payload["result_id"])  # type: ignore[attr-defined]
        if job.status == JobStatus.FAILED:
            if results.fail(pk, code=job.error_code, message=job.error_message):
                announce_result(model, pk)
        elif job.status == JobStatus.CANCELLED:
            results.cancel(pk)

    return settle


def restarting(model: type[Result]) -> Callable[[Job], None]:
    """Return the ``requeued`` of a job type: its result is made after all."""

    def restart(job: Job) -> None:
        if "result_id" in job.payload:
            model.objects.restart(UUID(job.payload["result_id"]))  # type: ignore[attr-defined]

    return restart
