"""What an invalidation would take, told before anybody confirms it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from django.db.models import Count, F, Func, Q, Sum, Value
from django.db.models.lookups import Exact

from caching.models import CacheEntry, CacheTag

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from caching.backend import MultiLevelCache
    from caching.managers import CacheEntryQuerySet

#: The keys that are shown, out of all.
SAMPLE_SIZE = 20

#: Keys are counted up to this many.
LIMIT = 100_000

BATCH = 1_000


@dataclass(frozen=True)
class Preview:
    """How many keys, the first of them, and the bytes of their values as PostgreSQL has them.

    There are more when it ``is_cut_off``.
    """

    count: int
    sample: list[str]
    size_bytes: int
    is_cut_off: bool = False

    @property
    def is_partial(self) -> bool:
        """Whether the sample leaves some out."""
        return self.count > len(self.sample)


def entries_of(cache: MultiLevelCache) -> CacheEntryQuerySet:
    """Return the entries of a cache's database, without their values."""
    return CacheEntry.objects.using(cache.hierarchy.options.database).without_payloads()


def callers_key(cache: MultiLevelCache, full: str) -> str:
    """Return a complete key as its callers write it; whole, when another cache's callers do."""
    return full.removeprefix(cache.make_key(""))


def preview_of_key(cache: MultiLevelCache, key: str) -> Preview:
    """Tell whether a key has a value."""
    return _preview(cache, [key] if key in cache else [])


def preview_of_pattern(cache: MultiLevelCache, pattern: str) -> Preview:
    """Count the keys that match, at all levels; ``InvalidPattern`` for what is no pattern."""
    return _preview(cache, cache.get_keys(pattern))


def preview_of_tags(cache: MultiLevelCache, names: Collection[str]) -> Preview:
    """Count the entries in PostgreSQL that bear one of the tags and are valid by it."""
    entries = entries_of(cache)
    tags = CacheTag.objects.using(entries.db).filter(name__in=names)
    versions = dict.fromkeys(names, 0) | dict(tags.values_list("name", "version"))
    bearing = Q()
    for name, version in versions.items():
        own = Func(
            F("tag_versions"),
            Func(F("tags"), Value(name), function="array_position"),
            template="(%(expressions)s]",
            arg_joiner=")[",
            output_field=CacheTag._meta.get_field("version"),
        )
        bearing |= Q(tags__contains=[name]) & Q(Exact(own, version))
    return preview_of_entries(cache, entries.fresh().filter(bearing).exclude(tags=[]))


def preview_of_entries(cache: MultiLevelCache, entries: CacheEntryQuerySet) -> Preview:
    """Count rows, which may be stale or tombstones."""
    keys = entries.order_by("key").values_list("key", flat=True)[:SAMPLE_SIZE]
    found = entries.order_by().aggregate(count=Count("pk"), size=Sum("size_bytes", default=0))
    return Preview(found["count"], [callers_key(cache, key) for key in keys], found["size"])


def _preview(cache: MultiLevelCache, keys: Iterable[str]) -> Preview:
    remaining = iter(keys)
    sample: list[str] = []
    count = size_bytes = 0
    while count < LIMIT and (batch := list(islice(remaining, min(BATCH, LIMIT - count)))):
        sample += batch[: SAMPLE_SIZE - len(sample)]
        count += len(batch)
        rows = entries_of(cache).filter(key__in=map(cache.make_key, batch))
        size_bytes += rows.aggregate(size=Sum("size_bytes", default=0))["size"]
    return Preview(count, sample, size_bytes, is_cut_off=next(remaining, None) is not None)
