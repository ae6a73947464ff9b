"""Deleting by pattern."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from caching.exceptions import LevelIsAway
from caching.levels.base import PATTERN_MARK, TAG_MARK
from caching.statistics import Event
from caching.tags import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from caching.hierarchy import CacheHierarchy
    from caching.keys import CacheKey
    from caching.patterns import Glob

BATCH = 1_000

#: PostgreSQL indexes no longer names than 2,704 bytes. For a level that is away, a longer pattern
#: is one of everything.
MAX_PATTERN_BYTES = 1_000


@dataclass(frozen=True)
class Sweep:
    """Deletes the complete keys that match ``pattern``; ``keys_of`` says where each is kept.

    First come those that are being loaded, so that what is stored from then on was not begun
    before; then the levels, from which nothing that was there can be missed; then the memories,
    into which nothing old can come any more.
    """

    hierarchy: CacheHierarchy
    pattern: Glob
    keys_of: Callable[[Iterable[str]], list[CacheKey]]

    def batches(self) -> Iterator[int]:
        """Do it in batches; yield how many values each had.

        What Redis alone keeps to serve it stale counts too; and where Redis finds and removes in
        one step, statistics count all under the prefix that the pattern begins with.
        """
        h = self.hierarchy
        try:
            yield h.writes.delete_many(self.keys_of(self._loading()))
            if h.has_redis:
                yield from self._in_redis()
            if h.has_database:
                yield from self._in_database()
        finally:
            alone = h.drop_matching(self.pattern)
            self._count(alone)
            h.writes.publish(h.backplane.matching_deleted(self.pattern.pattern))
        yield alone.total()

    def _loading(self) -> set[str]:
        """Return the keys that are being loaded, here or elsewhere."""
        h = self.hierarchy
        keys = set(self.pattern.among(h.flights.keys_loading()))
        if h.has_redis:
            try:
                with h.redis_breaker:
                    keys.update(h.redis.leased_keys(self.pattern))
            except LevelIsAway:
                h.repair.missed_by_redis([self._name])
        return keys

    def _in_redis(self) -> Iterator[int]:
        h = self.hierarchy
        try:
            with h.redis_breaker:
                if self.pattern.is_plain and not h.has_database:
                    [key] = self.keys_of([self.pattern.literal_prefix])
                    for count in h.redis.remove_matching(self.pattern):
                        self._count({key.prefix: count})
                        yield count
                    return
                held = h.redis.held_keys(self.pattern)
                while batch := self.keys_of(islice(held, BATCH)):
                    own = [key for key in batch if not key.in_database]
                    yield h.redis.remove_many(key.full for key in own)
                    self._count(Counter(key.prefix for key in own))
                    yield h.writes.delete_many(key for key in batch if key.in_database)
        except LevelIsAway:
            h.repair.missed_by_redis([self._name])

    def _in_database(self) -> Iterator[int]:
        h = self.hierarchy
        try:
            with h.database_breaker:
                held = h.database.held_keys(self.pattern)
                while batch := list(islice(held, BATCH)):
                    yield h.writes.delete_many(self.keys_of(batch))
        except LevelIsAway:
            h.repair.missed_by_database([self._name])

    @property
    def _name(self) -> str:
        """What is noted for a level that is away."""
        if len(self.pattern.pattern.encode()) > MAX_PATTERN_BYTES:
            return TAG_MARK + EVERYTHING
        return PATTERN_MARK + self.pattern.pattern

    def _count(self, deleted: Mapping[str, int]) -> None:
        for prefix, count in deleted.items():
            self.hierarchy.statistics.add(Event.DELETION, prefix, count=count)
