"""Entries as programs read them, and what they ask the cache to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from caching.api.fields import FlagField, TextField, WholeNumberField
from caching.backend import get_cache
from caching.exceptions import InvalidPattern
from caching.models import CacheEntry
from caching.patterns import Glob
from caching.presentation import state_of
from caching.preview import callers_key

if TYPE_CHECKING:
    from caching.preview import Preview

#: The longest key, pattern or tag that is taken: what an index of PostgreSQL has room for.
MAX_NAME_LENGTH = 500

#: The most tags that one request invalidates, and the most entries that one warms.
MAX_TAGS = 100
MAX_WARMED = 10_000


class CacheEntrySerializer(serializers.ModelSerializer[CacheEntry]):
    """An entry without its value. ``full_key`` is ``key`` as it is stored.

    ``state`` is what the clock says; a tag may have invalidated even what is fresh.
    """

    key = serializers.SerializerMethodField()
    full_key = serializers.CharField(source="key")
    state = serializers.SerializerMethodField()
    is_invalidated = serializers.SerializerMethodField()

    class Meta:
        model = CacheEntry
        fields = [
            "key",
            "full_key",
            "prefix",
            "state",
            "is_invalidated",
            "version",
            "size_bytes",
            "tags",
            "stored_at",
            "expires_at",
            "discard_at",
            "access_count",
            "accessed_at",
        ]

    def get_key(self, entry: CacheEntry) -> str:
        return callers_key(get_cache(), entry.key)

    def get_state(self, entry: CacheEntry) -> str:
        return state_of(entry)

    def get_is_invalidated(self, entry: CacheEntry) -> bool:
        tags = tuple(zip(entry.tags, entry.tag_versions, strict=True))
        return not get_cache().hierarchy.tags.are_current(tags)


class StrictSerializer(serializers.Serializer[Any]):
    """A name that it does not know is refused, not ignored."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = data.keys() - self.fields.keys() if isinstance(data, dict) else set()
        if unknown:
            reason = f"Unknown; this takes {', '.join(self.fields)}."
            raise serializers.ValidationError({name: [reason] for name in sorted(unknown)})
        return super().to_internal_value(data)


class InvalidationSerializer(StrictSerializer):
    """One of ``key``, ``pattern`` and ``tags``; ``confirm`` when every key matches the pattern."""

    key = TextField(
        required=False, max_length=MAX_NAME_LENGTH, trim_whitespace=False, allow_blank=True
    )
    pattern = TextField(required=False, max_length=MAX_NAME_LENGTH, trim_whitespace=False)
    tags = serializers.ListField(
        child=TextField(max_length=MAX_NAME_LENGTH, trim_whitespace=False),
        required=False,
        allow_empty=False,
        max_length=MAX_TAGS,
    )
    confirm = FlagField(default=False)
    dry_run = FlagField(default=False)

    def validate_pattern(self, pattern: str) -> str:
        try:
            return Glob(pattern).pattern
        except InvalidPattern as error:
            raise serializers.ValidationError(f"This is no pattern: {error}.") from None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        asked = attrs.keys() & {"key", "pattern", "tags"}
        if len(asked) != 1:
            named = ", ".join(sorted(asked)) or "none of them"
            raise serializers.ValidationError(
                f"One of key, pattern and tags is needed, not {named}."
            )
        is_harmless = attrs["dry_run"] or attrs["confirm"]
        if "pattern" in asked and Glob(attrs["pattern"]).matches_everything and not is_harmless:
            raise serializers.ValidationError(
                {"confirm": ["This pattern matches every key: confirm that all are to go."]}
            )
        return attrs


class WarmingSerializer(StrictSerializer):
    """How many entries to warm, and of which prefix; without one, of all."""

    limit = WholeNumberField(min_value=1, max_value=MAX_WARMED, default=1_000)
    prefix = TextField(
        max_length=MAX_NAME_LENGTH, default="", allow_blank=True, trim_whitespace=False
    )


def described(preview: Preview) -> dict[str, Any]:
    """Return what would go, as programs read it: ``keys`` are the first of them."""
    return {
        "count": preview.count,
        "count_is_cut_off": preview.is_cut_off,
        "size_bytes": preview.size_bytes,
        "keys": preview.sample,
    }
