"""The one router: every endpoint of the API is registered here."""

from rest_framework.routers import DefaultRouter

from caching.api.viewsets import CacheEntryViewSet, CacheViewSet
from jobs.api.viewsets import JobViewSet
from processing.api.corrections import CorrectionViewSet, VersionViewSet
from processing.api.documents import DocumentViewSet
from processing.api.engines import EngineViewSet
from processing.api.questions import QuestionViewSet
from processing.api.search import SearchViewSet
from processing.api.summaries import DocumentSummaryViewSet, SummaryViewSet
from processing.api.topics import TopicViewSet
from processing.api.translations import DocumentTranslationViewSet, TranslationViewSet
from processing.api.viewsets import RecordingViewSet, TranscriptViewSet

#: What is of one document, and of one transcript.
OF_DOCUMENT = "documents/(?P<document_pk>[^/.]+)"
OF_TRANSCRIPT = "transcripts/(?P<transcript_pk>[^/.]+)"

router = DefaultRouter()
router.include_format_suffixes = False
for prefix, viewset, basename in (
    ("recordings", RecordingViewSet, "recording"),
    ("transcripts", TranscriptViewSet, "transcript"),
    (f"{OF_TRANSCRIPT}/corrections", CorrectionViewSet, "transcript-correction"),
    (f"{OF_TRANSCRIPT}/versions", VersionViewSet, "transcript-version"),
    ("documents", DocumentViewSet, "document"),
    (f"{OF_DOCUMENT}/summaries", DocumentSummaryViewSet, "document-summary"),
    (f"{OF_DOCUMENT}/translations", DocumentTranslationViewSet, "document-translation"),
    ("topics", TopicViewSet, "topic"),
    ("summaries", SummaryViewSet, "summary"),
    ("translations", TranslationViewSet, "translation"),
    ("search", SearchViewSet, "search"),
    ("questions", QuestionViewSet, "question"),
    ("engines", EngineViewSet, "engine"),
    ("jobs", JobViewSet, "job"),
    ("cache/entries", CacheEntryViewSet, "cache-entry"),
    ("cache", CacheViewSet, "cache"),
):
    router.register(prefix, viewset, basename=basename)

urlpatterns = router.urls
