"""Rows of ``jobs`` in each status; a trait sets everything that the status implies."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import factory
from django.conf import settings
from django.utils import timezone
from factory.django import DjangoModelFactory

from jobs.choices import JobStatus
from jobs.managers.worker import WORKER_TIMEOUT
from jobs.models import Job, JobDependency, Worker


def from_now(**span: float) -> Any:
    """Declare a time ``timedelta(**span)`` from when the row is made."""
    return factory.LazyFunction(lambda: timezone.now() + timedelta(**span))


class WorkerFactory(DjangoModelFactory[Worker]):
    """A live worker of all queues; ``stopped`` ended in order, ``gone`` just fell silent."""

    class Meta:
        model = Worker

    class Params:
        stopped = factory.Trait(stopped_at=from_now())
        gone = factory.Trait(
            started_at=from_now(hours=-1),
            heartbeat_at=from_now(seconds=-2 * WORKER_TIMEOUT.total_seconds()),
        )

    supervisor_id = factory.LazyFunction(uuid4)
    hostname = "host-1"
    pid = factory.Sequence(lambda n: 10_000 + n)
    queues = factory.LazyFunction(lambda: ["transcription", "chunks"])
    started_at = from_now()
    heartbeat_at = from_now()


#: What a claim leaves in a row.
CLAIMED = {
    "attempt": 1,
    "worker": factory.SubFactory(WorkerFactory),
    "started_at": from_now(),
}

#: The traits of all ``Work`` but the one for PROCESSING, which each factory names itself.
TRAITS = {
    "scheduled": factory.Trait(
        status=JobStatus.SCHEDULED,
        attempt=1,
        started_at=from_now(),
        available_at=from_now(seconds=60),
        error_code="transient",
        error_message="the provider is away",
    ),
    "due": factory.Trait(scheduled=True, available_at=from_now(seconds=-1)),
    "completed": factory.Trait(status=JobStatus.COMPLETED, completed_at=from_now(), **CLAIMED),
    "failed": factory.Trait(
        status=JobStatus.FAILED,
        completed_at=from_now(),
        error_code="permanent",
        error_message="the engine gave up",
        **CLAIMED,
    ),
    "blocked": factory.Trait(status=JobStatus.BLOCKED),
    "cancelled": factory.Trait(status=JobStatus.CANCELLED, completed_at=from_now()),
}
PROCESSING = {
    "status": JobStatus.PROCESSING,
    "lease_expires_at": from_now(seconds=settings.LEASE_SECONDS),
    **CLAIMED,
}
#: PROCESSING, but the worker is gone and the lease ran out.
STALLED = {
    **PROCESSING,
    "worker": factory.SubFactory(WorkerFactory, gone=True),
    "lease_expires_at": from_now(seconds=-1),
}


class JobFactory(DjangoModelFactory[Job]):
    """A QUEUED job, or ``blocked``, ``scheduled``, ``due``, ``processing``, ``stalled``,
    ``completed``, ``failed``, ``cancelled``; of a type that tests register when ``probe``.

    ``after`` are the jobs it depends on; only a ``blocked`` job may wait for some.
    """

    class Meta:
        model = Job
        skip_postgeneration_save = True

    class Params:
        scheduled = TRAITS["scheduled"]
        due = TRAITS["due"]
        processing = factory.Trait(**PROCESSING)
        stalled = factory.Trait(**STALLED)
        completed = TRAITS["completed"]
        failed = TRAITS["failed"]
        blocked = TRAITS["blocked"]
        cancelled = TRAITS["cancelled"]
        probe = factory.Trait(job_type="PROBE", queue_name="maintenance")

    job_type = "TRANSCRIPTION"
    queue_name = "transcription"
    payload = factory.LazyFunction(lambda: {"processing_id": str(uuid4())})
    available_at = from_now()
    due_by = factory.LazyAttribute(lambda job: job.available_at + timedelta(minutes=5))

    @factory.post_generation  # type: ignore[untyped-decorator]
    def after(self: Job, create: bool, jobs: Any, **_: Any) -> None:
        if create and jobs:
            JobDependency.objects.bulk_create(
                JobDependency(job=self, depends_on=other) for other in jobs
            )
