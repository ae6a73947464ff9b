"""The words for what happens to a recording, and which change of a processing is allowed."""

from django.db import models

#: Types of the jobs this app registers, and the queues of its work.
TRANSCRIPTION_JOB = "TRANSCRIPTION"
MERGE_JOB = "MERGE"
TRANSCRIPTION_QUEUE = "transcription"
CHUNK_QUEUE = "chunks"
REMOTE_CHUNK_QUEUE = "remote-chunks"

#: The same for what follows from transcripts and documents.
DOCUMENT_UPLOAD_JOB = "DOCUMENT_UPLOAD"
INDEXING_JOB = "INDEXING"
SUMMARIZATION_JOB = "SUMMARIZATION"
TRANSLATION_JOB = "TRANSLATION"
QUESTION_JOB = "QUESTION_PROCESSING"
DOCUMENT_QUEUE = "documents"
INDEXING_QUEUE = "indexing"
SUMMARIZATION_QUEUE = "summarization"
TRANSLATION_QUEUE = "translation"
QUESTION_QUEUE = "questions"


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


class DocumentKind(models.TextChoices):
    TRANSCRIPT = "TRANSCRIPT"
    UPLOAD = "UPLOAD"


class DocumentStatus(models.TextChoices):
    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"


class LinkKind(models.TextChoices):
    RELATED = "RELATED"
    SIMILAR = "SIMILAR"


class ResultStatus(models.TextChoices):
    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


ACTIVE_RESULT = (ResultStatus.PENDING, ResultStatus.PROCESSING)
TERMINAL_RESULT = (ResultStatus.COMPLETED, ResultStatus.FAILED, ResultStatus.CANCELLED)

#: event -> (allowed sources, target), of summaries, translations and questions. A worker that
#: takes over from a dead one finds the result PROCESSING already.
RESULT_TRANSITIONS: dict[str, tuple[tuple[ResultStatus, ...], ResultStatus]] = {
    "begin": (ACTIVE_RESULT, ResultStatus.PROCESSING),
    "complete": ((ResultStatus.PROCESSING,), ResultStatus.COMPLETED),
    "fail": (ACTIVE_RESULT, ResultStatus.FAILED),
    "cancel": (ACTIVE_RESULT, ResultStatus.CANCELLED),
    "restart": ((ResultStatus.FAILED, ResultStatus.CANCELLED), ResultStatus.PENDING),
}


class Role(models.TextChoices):
    """What a member of a workspace may do; who may more may all that who may less."""

    VIEWER = "VIEWER"
    EDITOR = "EDITOR"
    MANAGER = "MANAGER"

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class Scope(models.TextChoices):
    """What an API key may do, as far as its owner may: each includes those before it."""

    READ = "read"
    WRITE = "write"
    MANAGE = "manage"

    @property
    def role(self) -> Role:
        return {Scope.READ: Role.VIEWER, Scope.WRITE: Role.EDITOR, Scope.MANAGE: Role.MANAGER}[self]


WEBHOOK_QUEUE = "webhooks"


class WebhookEvent(models.TextChoices):
    """What a workspace can have told to an address of its own."""

    TRANSCRIPT_COMPLETED = "transcript.completed"
    TRANSCRIPT_PARTIAL = "transcript.partial"
    TRANSCRIPT_FAILED = "transcript.failed"
    TRANSCRIPT_CANCELLED = "transcript.cancelled"
    TRANSCRIPT_CORRECTED = "transcript.corrected"
    DOCUMENT_READY = "document.ready"
    DOCUMENT_FAILED = "document.failed"
    SUMMARY_COMPLETED = "summary.completed"
    SUMMARY_FAILED = "summary.failed"
    TRANSLATION_COMPLETED = "translation.completed"
    TRANSLATION_FAILED = "translation.failed"
    QUESTION_COMPLETED = "question.completed"
    QUESTION_FAILED = "question.failed"
    PING = "ping"
