"""The words for what can happen to work, and the one table of which change is allowed."""

from django.db import models


class JobStatus(models.TextChoices):
    BLOCKED = "BLOCKED"
    SCHEDULED = "SCHEDULED"
    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


#: What each status says of the work in it.
MEANING = {
    JobStatus.BLOCKED: "waits for other jobs to complete",
    JobStatus.SCHEDULED: "waits for a time",
    JobStatus.QUEUED: "waits for a worker, and for nothing else",
    JobStatus.PROCESSING: "a worker holds it under a lease",
    JobStatus.COMPLETED: "done; its result is stored",
    JobStatus.FAILED: "given up, with the reason",
    JobStatus.CANCELLED: "no longer wanted",
}

#: The statuses in which work begins.
INITIAL = (JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.BLOCKED)

#: The statuses in which work has not begun, or not again.
WAITING = (JobStatus.BLOCKED, JobStatus.SCHEDULED, JobStatus.QUEUED)

ACTIVE = (*WAITING, JobStatus.PROCESSING)
TERMINAL = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)

#: event -> (allowed sources, target). The managers execute it, the tests walk it.
TRANSITIONS: dict[str, tuple[tuple[JobStatus, ...], JobStatus]] = {
    "claim": ((JobStatus.QUEUED,), JobStatus.PROCESSING),
    "complete": ((JobStatus.PROCESSING,), JobStatus.COMPLETED),
    "fail": ((JobStatus.PROCESSING,), JobStatus.FAILED),
    "retry": ((JobStatus.PROCESSING,), JobStatus.SCHEDULED),
    "rescue": ((JobStatus.PROCESSING,), JobStatus.QUEUED),
    "promote": ((JobStatus.SCHEDULED,), JobStatus.QUEUED),
    "unblock": ((JobStatus.BLOCKED,), JobStatus.QUEUED),
    "expire": (WAITING, JobStatus.FAILED),
    "cancel": (ACTIVE, JobStatus.CANCELLED),
    "requeue": ((JobStatus.FAILED, JobStatus.CANCELLED), JobStatus.QUEUED),
}


class JobPriority(models.IntegerChoices):
    LOW = 1
    NORMAL = 2
    HIGH = 3
    URGENT = 4
