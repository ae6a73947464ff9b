"""The levels of one cache as one.

The farthest level that a key is kept in decides: it numbers the writes. Writes go there first,
then to the nearer levels, which take only what is later than what they have. Reads come from the
nearest level that knows. Each process has one hierarchy for each cache, for all its threads.
"""

from __future__ import annotations

import atexit
import math
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.core.signals import setting_changed

from caching.backplane import Backplane
from caching.breaker import Breaker
from caching.choices import CacheLevel
from caching.exceptions import DatabaseIsAway, LevelIsAway, RedisIsAway
from caching.keeper import Keeper
from caching.levels.database import DatabaseLevel
from caching.levels.memory import MemoryLevel
from caching.levels.redis import RedisLevel
from caching.loading import Loading
from caching.lookup import Lookup
from caching.options import MEMORY_CAP_SECONDS, CacheOptions, Prefixes
from caching.patterns import Glob
from caching.repair import Repair
from caching.singleflight import SingleFlight
from caching.statistics import Statistics
from caching.tags import TagRegistry
from caching.writes import Writes

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection

    from caching.entries import Entry
    from caching.keys import CacheKey

#: While nobody tells of other processes' writes, a copy in memory is good for this long.
BLIND_SECONDS = 1.0


class CacheHierarchy:
    """What a process has of one cache: its levels, and what keeps them together."""

    def __init__(self, options: CacheOptions) -> None:
        self.options = options
        #: Whether another is to take its place, as in a child process.
        self.is_forgotten = False
        self.has_redis = CacheLevel.REDIS in options.levels
        self.has_database = CacheLevel.DATABASE in options.levels
        self.prefixes = Prefixes(options)
        self.statistics = Statistics()
        self.flights = SingleFlight()
        self.tags = TagRegistry(self._fetch_tags)
        self.memory = MemoryLevel(max_bytes=options.max_bytes, max_entries=options.max_entries)
        self.redis = RedisLevel(
            options.url,
            namespace=options.namespace,
            timeout_seconds=options.redis_timeout_seconds,
        )
        self.database = DatabaseLevel(options.database)
        self.repair = repair = Repair(self)
        self.redis_breaker = Breaker(
            "Redis", probe=self.redis.ping, recover=repair.redis, opens_on=RedisIsAway
        )
        self.database_breaker = Breaker(
            "PostgreSQL",
            probe=self.database.ping,
            recover=repair.database,
            opens_on=DatabaseIsAway,
        )
        self.backplane = Backplane(self.redis.pubsub, self)
        self.keeper = Keeper(self)
        self.lookup = Lookup(self)
        self.writes = Writes(self)
        self.loading = Loading(self)

    def start(self) -> None:
        """Begin to listen to other processes and to keep house."""
        if self.has_redis:
            self.backplane.start()
        self.keeper.start()

    def stop(self) -> None:
        """End all that ``start`` began, and give back connections."""
        self.backplane.stop()
        self.keeper.stop()
        self.redis_breaker.stop()
        self.database_breaker.stop()
        self.redis.close()
        self.database.close()

    def memory_until(self, key: CacheKey, entry: Entry) -> float:
        """Return until when what is in memory may be served.

        A copy is good for a time only, and for a short one while nobody tells of writes.
        """
        end = math.inf if entry.expires_at is None else entry.expires_at
        if key.is_in_memory_alone:
            return end
        is_told = self.backplane.is_connected
        return min(end, time.time() + (MEMORY_CAP_SECONDS if is_told else BLIND_SECONDS))

    def drop_matching(self, pattern: Glob) -> Counter[str]:
        """Have this process forget what matches, as ``MemoryLevel`` does, and join no flight
        for it any more."""
        alone = self.memory.drop_matching(pattern)
        self.flights.invalidate(*pattern.among(self.flights.keys_loading()))
        return alone

    # What the backplane tells

    def keys_written(self, versions: dict[str, int]) -> None:
        for key, version in versions.items():
            self.memory.drop(key, version=version)
            if version:  # else it was deleted
                self.flights.wake(key)
            else:
                self.flights.invalidate(key)

    def tags_bumped(self, versions: dict[str, int]) -> None:
        self.tags.learn(versions)
        self.flights.invalidate_all()

    def matching_deleted(self, pattern: str) -> None:
        self.drop_matching(Glob(pattern))

    def cleared(self) -> None:
        self.tags.distrust()
        self.flights.invalidate_all()
        self.memory.clear()

    def connected(self) -> None:
        self.tags.distrust()
        self.memory.clear()

    def disconnected(self) -> None:
        self.tags.distrust()

    def _fetch_tags(self, names: Collection[str]) -> dict[str, int]:
        """Return the versions of tags as the shared levels have them; note them in Redis."""
        known: dict[str, int] = {}
        is_answered = False
        if self.has_redis:
            with suppress(LevelIsAway), self.redis_breaker:
                known = self.redis.tag_versions(names)
                is_answered = True
        missing = [name for name in names if name not in known]
        if missing and self.has_database:
            with suppress(LevelIsAway):
                with self.database_breaker:
                    found = dict.fromkeys(missing, 0) | self.database.tag_versions(missing)
                known |= found
                is_answered = True
                if self.has_redis:
                    with suppress(LevelIsAway), self.redis_breaker:
                        self.redis.follow_tags(found)
        if not is_answered and (self.has_redis or self.has_database):
            raise LevelIsAway("no level can tell the versions of tags")
        return known


_hierarchies: dict[CacheOptions, CacheHierarchy] = {}
_lock = threading.Lock()


def hierarchy_of(options: CacheOptions) -> CacheHierarchy:
    """Return this process's hierarchy of a cache; made and started at its first use."""
    hierarchy = _hierarchies.get(options)
    if hierarchy is None:
        with _lock:
            hierarchy = _hierarchies.get(options)
            if hierarchy is None:
                hierarchy = CacheHierarchy(options)
                hierarchy.start()
                _hierarchies[options] = hierarchy
    return hierarchy


def forget_hierarchies(setting: str = "CACHES", **_: Any) -> None:
    """Stop all hierarchies; they are made anew when used. For when settings change, as in tests."""
    if setting in ("CACHES", "DATABASES"):
        with _lock:
            stopped = list(_hierarchies.values())
            _hierarchies.clear()
        for hierarchy in stopped:
            hierarchy.is_forgotten = True
            hierarchy.stop()


def hierarchies() -> list[CacheHierarchy]:
    """Return those that this process uses."""
    return list(_hierarchies.values())


def _forget_after_fork() -> None:
    """A child has none of its parent's threads, and must not use its sockets."""
    global _lock
    _lock = threading.Lock()  # a thread that the child does not have may hold the other
    for hierarchy in _hierarchies.values():
        hierarchy.is_forgotten = True
        _inherited.append(hierarchy)  # kept, so that nothing closes what they share
    _hierarchies.clear()


_inherited: list[CacheHierarchy] = []


atexit.register(forget_hierarchies)
setting_changed.connect(forget_hierarchies)
os.register_at_fork(after_in_child=_forget_after_fork)
