"""The words for what can happen to work, and the one table of which change is allowed."""

from django.db import models


class JobStatus(models.TextChoices):
    QUEUED = "QUEUED"
    SCHEDULED = "SCHEDULED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


TERMINAL = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)

#: event -> (allowed sources, target). The managers execute it, the tests walk it.
TRANSITIONS: dict[str, tuple[tuple[JobStatus, ...], JobStatus]] = {
    "claim": ((JobStatus.QUEUED,), JobStatus.PROCESSING),
    "complete": ((JobStatus.PROCESSING,), JobStatus.COMPLETED),
    "fail": ((JobStatus.PROCESSING,), JobStatus.FAILED),
    "retry": ((JobStatus.PROCESSING,), JobStatus.SCHEDULED),
    "rescue": ((JobStatus.PROCESSING,), JobStatus.QUEUED),
    "promote": ((JobStatus.SCHEDULED,), JobStatus.QUEUED),
    "cancel": ((JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.PROCESSING), JobStatus.CANCELLED),
}


class JobPriority(models.IntegerChoices):
    LOW = 1
    NORMAL = 2
    HIGH = 3
    URGENT = 4
