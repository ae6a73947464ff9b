"""The words for what happens to a recording, and which change of a processing is allowed."""

from django.db import models

#: Types of the jobs this app registers, and the queues of its work.
TRANSCRIPTION_JOB = "TRANSCRIPTION"
MERGE_JOB = "MERGE"
TRANSCRIPTION_QUEUE = "transcription"
CHUNK_QUEUE = "chunks"
REMOTE_CHUNK_QUEUE = "remote-chunks"


class ProcessingStatus(models.TextChoices):
    PENDING = "PENDING"
    SPLITTING = "SPLITTING"
    PROCESSING = "PROCESSING"
    MERGING = "MERGING"
    COMPLETED = "COMPLETED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


ACTIVE = (
    ProcessingStatus.PENDING,
    ProcessingStatus.SPLITTING,
    ProcessingStatus.PROCESSING,
    ProcessingStatus.MERGING,
)
TERMINAL = (
    ProcessingStatus.COMPLETED,
    ProcessingStatus.PARTIAL,
    ProcessingStatus.FAILED,
    ProcessingStatus.CANCELLED,
)
#: Statuses in which the transcript has text to read.
READABLE = (ProcessingStatus.COMPLETED, ProcessingStatus.PARTIAL)

#: event -> (allowed sources, target). The managers execute it, the tests walk it. A planner
#: that is run again after its worker died finds the processing SPLITTING already.
TRANSITIONS: dict[str, tuple[tuple[ProcessingStatus, ...], ProcessingStatus]] = {
    "split": (
        (ProcessingStatus.PENDING, ProcessingStatus.SPLITTING),
        ProcessingStatus.SPLITTING,
    ),
    "process": ((ProcessingStatus.SPLITTING,), ProcessingStatus.PROCESSING),
    "merge": ((ProcessingStatus.PROCESSING,), ProcessingStatus.MERGING),
    "complete": ((ProcessingStatus.MERGING,), ProcessingStatus.COMPLETED),
    "complete_partially": ((ProcessingStatus.MERGING,), ProcessingStatus.PARTIAL),
    "fail": (ACTIVE, ProcessingStatus.FAILED),
    "cancel": (ACTIVE, ProcessingStatus.CANCELLED),
}
