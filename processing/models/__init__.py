"""What a recording becomes: its transcript, the processing and chunks that get it there, and
what follows from the transcript; and who may do what with all of it."""

from processing.models.api_key import ApiKey
from processing.models.audit_event import AuditEvent
from processing.models.chunk import ChunkTask
from processing.models.document import Document, DocumentLink, DocumentVersion
from processing.models.engine import Engine
from processing.models.idempotency_key import IdempotencyKey
from processing.models.membership import Membership
from processing.models.passage import Passage
from processing.models.processing import ProcessingTask
from processing.models.question import Question
from processing.models.recording import Recording
from processing.models.result import Result
from processing.models.resumable_upload import ResumableUpload
from processing.models.summary import Summary
from processing.models.topic import DocumentTopic, Topic
from processing.models.transcript import Transcript
from processing.models.translation import Translation
from processing.models.usage import WorkspaceUsage
from processing.models.webhook import Webhook, WebhookDelivery
from processing.models.workspace import Workspace

__all__ = [
    "ApiKey",
    "AuditEvent",
    "ChunkTask",
    "Document",
    "DocumentLink",
    "DocumentTopic",
    "DocumentVersion",
    "Engine",
    "IdempotencyKey",
    "Membership",
    "Passage",
    "ProcessingTask",
    "Question",
    "Recording",
    "Result",
    "ResumableUpload",
    "Summary",
    "Topic",
    "Transcript",
    "Translation",
    "Webhook",
    "WebhookDelivery",
    "Workspace",
    "WorkspaceUsage",
]
