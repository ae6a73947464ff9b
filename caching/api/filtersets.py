"""What the list of entries can be narrowed by; anything else is refused."""

import django_filters

from caching.backend import get_cache
from caching.managers import CacheEntryQuerySet
from caching.models import CacheEntry
from caching.presentation import STATES


class CacheEntryFilterSet(django_filters.FilterSet):
    """``key`` is the caller's, as a whole; ``state`` looks through what the others find."""

    key = django_filters.CharFilter(method="with_key", strip=False)
    prefix = django_filters.CharFilter(method="with_prefix", strip=False)
    tag = django_filters.CharFilter(method="with_tag", strip=False)
    state = django_filters.ChoiceFilter(
        choices=[(name, name) for name in STATES], method="in_state"
    )

    class Meta:
        model = CacheEntry
        fields: list[str] = []

    def with_key(self, entries: CacheEntryQuerySet, name: str, key: str) -> CacheEntryQuerySet:
        return entries.filter(pk=get_cache().make_key(key))

    def with_prefix(
        self, entries: CacheEntryQuerySet, name: str, prefix: str
    ) -> CacheEntryQuerySet:
        return entries.with_prefix(prefix)

    def with_tag(self, entries: CacheEntryQuerySet, name: str, tag: str) -> CacheEntryQuerySet:
        return entries.with_tag(tag)

    def in_state(self, entries: CacheEntryQuerySet, name: str, state: str) -> CacheEntryQuerySet:
        return STATES[state](entries)
