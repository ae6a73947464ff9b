"""The one router: every endpoint of the API is registered here."""

from rest_framework.permissions import IsAuthenticated
from rest_framework.routers import APIRootView, DefaultRouter

from processing.api.api_keys import ApiKeyViewSet
from processing.api.audit_events import AuditEventViewSet
from processing.api.corrections import CorrectionViewSet, VersionViewSet
from processing.api.documents import DocumentViewSet
from processing.api.engines import EngineViewSet
from processing.api.installation import (
    InstallationCacheEntryViewSet,
    InstallationCacheViewSet,
    WorkerViewSet,
    WorkspaceJobViewSet,
)
from processing.api.members import MemberViewSet
from processing.api.processings import (
    ChunkViewSet,
    ProcessingChunkViewSet,
    ProcessingViewSet,
    TranscriptProcessingViewSet,
)
from processing.api.questions import QuestionViewSet
from processing.api.recordings import RecordingViewSet
from processing.api.search import SearchViewSet
from processing.api.summaries import DocumentSummaryViewSet, SummaryViewSet
from processing.api.topics import TopicViewSet
from processing.api.transcripts import TranscriptViewSet
from processing.api.translations import DocumentTranslationViewSet, TranslationViewSet
from processing.api.uploads import UploadViewSet
from processing.api.webhooks import WebhookDeliveryViewSet, WebhookViewSet
from processing.api.workspaces import WorkspaceViewSet

#: What is of one document, and of one transcript.
OF_DOCUMENT = "documents/(?P<document_pk>[^/.]+)"
OF_TRANSCRIPT = "transcripts/(?P<transcript_pk>[^/.]+)"
OF_PROCESSING = "processings/(?P<processing_pk>[^/.]+)"


class Root(APIRootView):
    """Where everything is."""

    permission_classes = [IsAuthenticated]


router = DefaultRouter()
router.APIRootView = Root
router.include_format_suffixes = False
for prefix, viewset, basename in (
    ("recordings", RecordingViewSet, "recording"),
    ("uploads", UploadViewSet, "upload"),
    ("transcripts", TranscriptViewSet, "transcript"),
    (f"{OF_TRANSCRIPT}/corrections", CorrectionViewSet, "transcript-correction"),
    (f"{OF_TRANSCRIPT}/versions", VersionViewSet, "transcript-version"),
    (f"{OF_TRANSCRIPT}/processings", TranscriptProcessingViewSet, "transcript-processing"),
    ("processings", ProcessingViewSet, "processing"),
    (f"{OF_PROCESSING}/chunks", ProcessingChunkViewSet, "processing-chunk"),
    ("chunks", ChunkViewSet, "chunk"),
    ("documents", DocumentViewSet, "document"),
    (f"{OF_DOCUMENT}/summaries", DocumentSummaryViewSet, "document-summary"),
    (f"{OF_DOCUMENT}/translations", DocumentTranslationViewSet, "document-translation"),
    ("topics", TopicViewSet, "topic"),
    ("summaries", SummaryViewSet, "summary"),
    ("translations", TranslationViewSet, "translation"),
    ("search", SearchViewSet, "search"),
    ("questions", QuestionViewSet, "question"),
    ("webhooks", WebhookViewSet, "webhook"),
    ("webhooks/(?P<webhook_pk>[^/.]+)/deliveries", WebhookDeliveryViewSet, "webhook-delivery"),
    ("workspaces", WorkspaceViewSet, "workspace"),
    ("members", MemberViewSet, "member"),
    ("api-keys", ApiKeyViewSet, "api-key"),
    ("audit-events", AuditEventViewSet, "audit-event"),
    ("engines", EngineViewSet, "engine"),
    ("jobs", WorkspaceJobViewSet, "job"),
    ("workers", WorkerViewSet, "worker"),
    ("cache/entries", InstallationCacheEntryViewSet, "cache-entry"),
    ("cache", InstallationCacheViewSet, "cache"),
):
    router.register(prefix, viewset, basename=basename)

urlpatterns = router.urls
