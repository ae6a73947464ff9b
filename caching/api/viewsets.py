"""The cache: what is in it, how it is doing, taking things out, bringing them near."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from caching.api.filtersets import CacheEntryFilterSet
from caching.api.parsers import ShallowJSONParser
from caching.api.permissions import MAY_INVALIDATE, MAY_WARM
from caching.api.serializers import (
    CacheEntrySerializer,
    InvalidationSerializer,
    WarmingSerializer,
    described,
)
from caching.backend import get_cache
from caching.invalidation import CacheInvalidator
from caching.models import CacheEntry
from caching.preview import (
    entries_of,
    preview_of_key,
    preview_of_pattern,
    preview_of_tags,
)
from caching.report import report_of
from caching.warming import CacheWarmer

if TYPE_CHECKING:
    from rest_framework.request import Request

    from caching.managers import CacheEntryQuerySet


class CacheEntryViewSet(ListModelMixin, GenericViewSet[CacheEntry]):
    """Entries in PostgreSQL, without their values."""

    filterset_class = CacheEntryFilterSet
    serializer_class = CacheEntrySerializer

    @property
    def sort_fields(self) -> tuple[str, ...]:
        """What an index has in order, for what the request asks."""
        return ("key", "accessed_at") if self.request.query_params.get("prefix") else ("key",)

    def get_queryset(self) -> CacheEntryQuerySet:
        return entries_of(get_cache())

    def paginate_queryset(self, queryset: Any) -> Any:
        """Return a page of entries, the tags of which are asked for at once."""
        page = super().paginate_queryset(queryset)
        get_cache().hierarchy.tags.current({tag for row in page or [] for tag in row.tags})
        return page


class CacheViewSet(GenericViewSet[CacheEntry]):
    """The cache as a whole."""

    queryset = CacheEntry.objects.none()
    parser_classes = [ShallowJSONParser]

    @action(detail=False)
    def stats(self, request: Request) -> Response:
        """Tell how each level is doing, what it holds and what it did; all is counted for it."""
        return Response(report_of(get_cache().hierarchy))

    @action(detail=False, methods=["post"], permission_classes=MAY_INVALIDATE)
    def invalidate(self, request: Request) -> Response:
        """Have a key, the keys of a pattern or what bears a tag go from all levels.

        With ``dry_run`` nothing goes, and the answer is what would.
        """
        asked = InvalidationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        what = asked.validated_data
        cache = get_cache()
        invalidator = CacheInvalidator(cache)
        match what:
            case {"key": key}:
                preview = preview_of_key(cache, key)
            case {"pattern": pattern}:
                preview = preview_of_pattern(cache, pattern)
            case {"tags": tags}:
                preview = preview_of_tags(cache, tags)
        answer = {"dry_run": what["dry_run"], **described(preview)}
        if what["dry_run"]:
            return Response(answer)
        match what:
            case {"key": key}:
                answer["count"] = int(invalidator.invalidate_key(key))
            case {"pattern": pattern, "confirm": is_confirmed}:
                count = invalidator.invalidate_pattern(pattern, is_confirmed=is_confirmed)
                answer |= {"count": count, "count_is_cut_off": False}
            case {"tags": tags}:
                invalidator.invalidate_tags(*tags)
        return Response(answer)

    @action(detail=False, methods=["post"], permission_classes=MAY_WARM)
    def warm(self, request: Request) -> Response:
        """Copy the most used entries to Redis, and to the memory of the process that answers."""
        asked = WarmingSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        limit, prefix = asked.validated_data["limit"], asked.validated_data["prefix"]
        return Response(asdict(CacheWarmer(get_cache()).warm(limit=limit, prefix=prefix or None)))
