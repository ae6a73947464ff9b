"""Taking things out of the cache: by key, pattern, tag, age, or because memory is short."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from django.core.cache import caches
from django.db import transaction

from caching.exceptions import InvalidPattern
from caching.models import CacheEntry
from caching.patterns import Glob
from caching.sweep import Sweep

if TYPE_CHECKING:
    from caching.backend import MultiLevelCache

#: Rows that are purged at once.
BATCH = 1_000

#: Under memory pressure, the share of its bytes that a process may keep.
PRESSURE_SHARE = 0.5


class CacheInvalidator:
    """Invalidates entries of one cache, in all levels and all processes.

    Inside a transaction it does so twice: at once, so that this transaction reads nothing that it
    has changed, and after the commit, because others may have cached meanwhile what they still
    saw.
    """

    def __init__(self, cache: "MultiLevelCache | None" = None) -> None:
        self._cache: MultiLevelCache = cache or caches["default"]  # type: ignore[assignment]

    def invalidate_key(self, key: str) -> bool:
        """Delete a key; return whether it was there."""
        return bool(self._now_and_after_commit(lambda: int(self._cache.delete(key))))

    def invalidate_pattern(self, pattern: str, *, is_confirmed: bool = False) -> int:
        """Delete the keys that match a glob pattern; return how many.

        Raises ``InvalidPattern`` for what is none, and for one that matches every key unless
        ``is_confirmed``.
        """
        if Glob(pattern).matches_everything and not is_confirmed:
            raise InvalidPattern(f"{pattern!r} matches every key: confirm that all are to go")
        return self._now_and_after_commit(lambda: sum(self.sweep(pattern)))

    def sweep(self, pattern: str) -> Iterator[int]:
        """Delete the keys that match, in batches; yield how many values each of them had."""
        cache = self._cache
        return Sweep(cache.hierarchy, cache.glob(pattern), cache.keys_of).batches()

    def invalidate_tags(self, *tags: str) -> None:
        """Make everything that has one of these tags a miss, however its key is hashed."""
        self._now_and_after_commit(lambda: self._invalidated(tags))

    def erase(self, *tags: str) -> None:
        """As ``invalidate_tags``; and delete the values themselves, where the table knows them.

        For what must not be kept. What is in Redis alone is gone when it expires.
        """
        self._now_and_after_commit(lambda: self._erased(tags))

    def invalidate_transcript(self, transcript_id: UUID) -> None:
        """Invalidate what was made from a transcript."""
        self.invalidate_tags(f"transcript:{transcript_id}")

    def invalidate_user_data(self, user_id: int) -> None:
        """Invalidate what belongs to a user."""
        self.invalidate_tags(f"user:{user_id}")

    def invalidate_workspace(self, workspace_id: UUID) -> None:
        """Invalidate what belongs to a workspace."""
        self.invalidate_tags(f"workspace:{workspace_id}")

    def invalidate_expired(self) -> int:
        """Remove from all levels what nobody can have any more; return how many entries.

        Redis does so by itself.
        """
        hierarchy = self._cache.hierarchy
        count = hierarchy.memory.purge()
        if hierarchy.has_database:
            with hierarchy.database_breaker:
                while purged := hierarchy.database.purge(BATCH):
                    count += purged
        return count

    def invalidate_l1_on_memory_pressure(self, max_bytes: int | None = None) -> int:
        """Have this process forget what it used longest ago, until it holds ``max_bytes``.

        By default half of what it may hold. Returns how many entries; they are in the other
        levels still.
        """
        memory = self._cache.hierarchy.memory
        return memory.shrink(
            int(memory.max_bytes * PRESSURE_SHARE) if max_bytes is None else max_bytes
        )

    def _erased(self, tags: tuple[str, ...]) -> int:
        self._cache.invalidate_tags(*tags)
        keys = CacheEntry.objects.none()
        for tag in tags:
            keys = keys | CacheEntry.objects.with_tag(tag)
        names = list(keys.values_list("key", flat=True))
        return self._cache.hierarchy.writes.delete_many(self._cache.keys_of(names))

    def _invalidated(self, tags: tuple[str, ...]) -> int:
        self._cache.invalidate_tags(*tags)
        return len(tags)

    def _now_and_after_commit(self, invalidate: Callable[[], int]) -> int:
        count = invalidate()
        if transaction.get_connection().in_atomic_block:

            def invalidate_again() -> None:
                invalidate()

            transaction.on_commit(invalidate_again, robust=True)
        return count


def tags_of(**owners: object) -> tuple[str, ...]:
    """Return the tags of what belongs to all of these: ``transcript=``, ``user=``, and so on."""
    return tuple(f"{kind}:{identifier}" for kind, identifier in owners.items())
