"""What a level missed while it was away is made good before it is used again."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from caching.exceptions import LevelIsAway, RedisIsAway
from caching.levels.base import PATTERN_MARK, TAG_MARK
from caching.patterns import Glob
from caching.tags import EVERYTHING
from caching.writes import TOMBSTONE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from caching.hierarchy import CacheHierarchy

#: Names that are repaired at once.
BATCH = 1_000

#: Names that a process remembers while it can note them nowhere else; beyond, all is distrusted.
MAX_REMEMBERED = 10_000

#: A repair goes on for so long before the level is written to again: who writes meanwhile may
#: note names faster. What is left then is repaired before it is read again.
REPAIR_SECONDS = 0.5


class Journal:
    """What a level missed, as one process remembers it."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._lock = threading.Lock()

    def add(self, names: Collection[str]) -> None:
        """Remember names; when they are too many, that everything was missed."""
        with self._lock:
            self._names.update(names)
            if len(self._names) > MAX_REMEMBERED:
                self._names = {TAG_MARK + EVERYTHING}

    def take(self) -> list[str]:
        """Return what is remembered; it is the caller's."""
        with self._lock:
            taken, self._names = list(self._names), set()
        return taken


class Repair:
    """Notes what one level misses at the other, or in memory; and makes it good."""

    def __init__(self, hierarchy: CacheHierarchy) -> None:
        self._hierarchy = hierarchy
        self._redis_missed = Journal()
        self._database_missed = Journal()

    def missed_by_redis(self, names: Collection[str]) -> None:
        """Have Redis told, when it is back, that these have changed."""
        h = self._hierarchy
        with suppress(LevelIsAway):
            if h.has_database:
                with h.database_breaker:
                    h.database.note_repairs(names)
                return
        self._redis_missed.add(names)

    def missed_by_database(self, names: Collection[str]) -> None:
        """Have the database told, when it is back, that these have changed."""
        h = self._hierarchy
        with suppress(LevelIsAway):
            if h.has_redis:
                with h.redis_breaker:
                    h.redis.note_repairs(names)
                return
        self._database_missed.add(names)

    def what_is_left(self) -> None:
        """Repair what was noted by a process that has ended, or too late for the last repair."""
        h = self._hierarchy
        if h.has_redis and h.has_database:
            with h.redis_breaker, h.database_breaker:
                self.redis()
                self.database()

    def redis(self) -> None:
        """Have Redis forget what it has of all that changed without it. Raises ``LevelIsAway``."""
        h = self._hierarchy
        names = self._redis_missed.take()
        try:
            self._forget_in_redis(names)
        except LevelIsAway:
            self._redis_missed.add(names)
            raise
        if not h.has_database:
            return
        if h.database_breaker.is_open:  # nobody can tell what else changed
            self._tell(h.redis.bump_tags([EVERYTHING]))
            return
        deadline = time.monotonic() + REPAIR_SECONDS
        while names := h.database.repairs(BATCH):
            self._forget_in_redis(names)
            h.database.forget_repairs(names)
            if h.redis_breaker.is_open and time.monotonic() > deadline:
                return

    def database(self) -> None:
        """Have the database know of all that changed without it. Raises ``LevelIsAway``."""
        h = self._hierarchy
        names = self._database_missed.take()
        try:
            self._renew_in_database(names)
        except LevelIsAway:
            self._database_missed.add(names)
            raise
        if not h.has_redis:
            return
        if h.redis_breaker.is_open:  # nobody can tell what else changed
            with suppress(RedisIsAway):
                self._tell(h.database.bump_tags([EVERYTHING], repair=True))
            return
        deadline = time.monotonic() + REPAIR_SECONDS
        while names := h.redis.repairs(BATCH):
            self._renew_in_database(names)
            h.redis.forget_repairs(names)
            if h.database_breaker.is_open and time.monotonic() > deadline:
                return

    def _forget_in_redis(self, names: list[str]) -> None:
        h = self._hierarchy
        keys, tags, patterns = _sorted_out(names)
        for pattern in patterns:
            held = h.redis.held_keys(pattern)
            while batch := list(islice(held, BATCH)):
                h.redis.forget(batch)
            h.redis.publish(h.backplane.matching_deleted(pattern.pattern))
        if keys:
            h.redis.forget(keys)
            h.redis.publish(h.backplane.keys_written(dict.fromkeys(keys, 0)))
        if tags and h.has_database and not h.database_breaker.is_open:
            h.redis.drop_tags(tags)
            self._tell(h.database.tag_versions(tags))
        elif tags:
            self._tell(h.redis.bump_tags(tags))

    def _renew_in_database(self, names: list[str]) -> None:
        """Write what Redis has had meanwhile, unless the database has had something since."""
        h = self._hierarchy
        keys, tags, patterns = _sorted_out(names)
        for key in chain(keys, *map(h.database.held_keys, patterns)):
            held = h.database.get(key)
            entry = h.redis.get(key) if h.has_redis and not h.redis_breaker.is_open else None
            if entry is not None and entry.payload is not None:
                version = held.version if held is not None else 0
                version = h.database.put(key, entry, expected=version)
                if version:
                    h.redis.follow(key, replace(entry, version=version))
            elif held is not None:
                h.database.delete_many([key], discard_at=time.time() + TOMBSTONE_SECONDS)
        if tags:
            with suppress(RedisIsAway):  # which has these noted, or forgets them as it comes back
                self._tell(h.database.bump_tags(tags, repair=h.redis_breaker.is_open))

    def _tell(self, versions: dict[str, int]) -> None:
        """Have all processes know the versions of tags."""
        h = self._hierarchy
        h.tags.learn(versions)
        h.flights.invalidate_all()
        if h.has_redis and versions:
            h.redis.follow_tags(versions)
            h.redis.publish(h.backplane.tags_bumped(versions))


def _sorted_out(names: list[str]) -> tuple[list[str], list[str], list[Glob]]:
    """Return the keys, the tags and the patterns among names."""
    tags = [name[len(TAG_MARK) :] for name in names if name.startswith(TAG_MARK)]
    patterns = [name[len(PATTERN_MARK) :] for name in names if name.startswith(PATTERN_MARK)]
    keys = [name for name in names if not name.startswith((TAG_MARK, PATTERN_MARK))]
    return keys, tags, list(map(Glob, patterns))
