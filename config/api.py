"""The one router: every endpoint of the API is registered here."""

from rest_framework.routers import DefaultRouter

from caching.api.viewsets import CacheEntryViewSet, CacheViewSet
from jobs.api.viewsets import JobViewSet
from processing.api.engines import EngineViewSet
from processing.api.viewsets import RecordingViewSet, TranscriptViewSet

router = DefaultRouter()
router.include_format_suffixes = False
router.register("recordings", RecordingViewSet, basename="recording")
router.register("transcripts", TranscriptViewSet, basename="transcript")
router.register("engines", EngineViewSet, basename="engine")
router.register("jobs", JobViewSet, basename="job")
router.register("cache/entries", CacheEntryViewSet, basename="cache-entry")
router.register("cache", CacheViewSet, basename="cache")

urlpatterns = router.urls
