"""Reading: from the nearest level that knows, with copies for those that are nearer."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from caching.choices import CacheLevel
from caching.codec import decode
from caching.exceptions import LevelIsAway, UndecodableEntry
from caching.options import REDIS_CAP_SECONDS
from caching.statistics import Answers, Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from caching.entries import Entry
    from caching.hierarchy import CacheHierarchy
    from caching.keys import CacheKey
    from caching.levels.memory import Slot
    from caching.patterns import Glob

#: What was read from the database longer ago than this is not copied to Redis any more: half
#: the life of the tombstones there.
PROMOTION_SECONDS = 5.0


class Found(NamedTuple):
    """What there is for a key: a fresh ``entry`` with its ``value`` and ``level``, or neither.

    ``version`` is what the deciding level has, 0 for nothing. ``stale`` has expired, but was not
    invalidated.
    """

    level: CacheLevel | None = None
    entry: Entry | None = None
    value: Any = None
    version: int = 0
    stale: Entry | None = None

    @property
    def is_hit(self) -> bool:
        """Whether there was a value, be it None."""
        return self.level is not None


class Lookup:
    """The reading side of a hierarchy."""

    def __init__(self, hierarchy: CacheHierarchy) -> None:
        self._hierarchy = hierarchy
        self._memory = hierarchy.memory
        self._statistics = hierarchy.statistics
        self._tags = hierarchy.tags

    def value(self, key: CacheKey, default: Any = None) -> Any:
        """Return the value of a key, the caller's own; ``default`` when there is none."""
        slot = self._slot(key)
        if slot is not None:
            if slot.reads_to_decoded:
                return self._memory.copy(key.full, slot)
            return slot.value if slot.copier is None else slot.copier(slot.value)
        found = self.shared(key)
        return default if found.entry is None else found.value

    def found(self, key: CacheKey) -> Found:
        """Return what there is for a key, and where."""
        slot = self._slot(key)
        if slot is None:
            return self.shared(key)
        return self._found_in_memory(key, slot)

    def many(self, keys: Sequence[CacheKey]) -> dict[CacheKey, Found]:
        """Return what there is for each key, with one question to each shared level."""
        found: dict[CacheKey, Found] = {}
        missing = []
        for key in keys:
            slot = self._slot(key)
            if slot is None:
                missing.append(key)
                if key.in_memory:
                    self._statistics.counts[key.memory.miss] += 1
            else:
                found[key] = self._found_in_memory(key, slot)
        tickets = {key: self._memory.ticket(key.full) for key in missing}
        shared = self._shared_many(missing)
        for key, one in shared.items():
            self._promote_to_memory(key, one, tickets[key])
        return found | shared

    def shared(self, key: CacheKey) -> Found:
        """Look in the shared levels alone; keep a copy in those that are nearer."""
        ticket = self._memory.ticket(key.full)
        if key.in_memory:
            self._statistics.counts[key.memory.miss] += 1
        if key.is_in_memory_alone:
            return self._stale_in_memory(key, ticket)
        h = self._hierarchy
        found = Found()
        if key.in_redis and not h.redis_breaker.is_settling:
            try:
                with h.redis_breaker:
                    entry = h.redis.get(key.full)
                found = self._judged(key, CacheLevel.REDIS, entry, key.redis)
            except LevelIsAway:
                pass
        if found.entry is None and key.in_database and not h.database_breaker.is_settling:
            began = time.monotonic()
            try:
                with h.database_breaker:
                    entry = h.database.get(key.full)
                found = self._judged(key, CacheLevel.DATABASE, entry, key.database)
            except LevelIsAway:
                pass
            if found.entry is not None and key.in_redis:
                self._promote_to_redis({key: found}, began)
        self._promote_to_memory(key, found, ticket)
        return found

    def decided(self, key: CacheKey) -> Found:
        """Return what the deciding level has, without a copy of it anywhere."""
        h = self._hierarchy
        if key.in_database:
            with suppress(LevelIsAway):
                with h.database_breaker:
                    entry = h.database.get(key.full)
                return self._judged(key, CacheLevel.DATABASE, entry, key.database)
        if key.in_redis:
            with suppress(LevelIsAway):
                with h.redis_breaker:
                    entry = h.redis.get(key.full)
                return self._judged(key, CacheLevel.REDIS, entry, key.redis)
        if key.is_in_memory_alone:
            ticket = self._memory.ticket(key.full)
            return self.found(key)._replace(version=ticket)
        return Found()

    def keys(self, pattern: Glob) -> Iterator[str]:
        """Yield the complete keys that match and have not expired, each once."""
        h = self._hierarchy
        seen = set()
        now = time.time()
        for key, slot in self._memory.items():
            if slot.until > now and pattern.matches(key):
                seen.add(key)
                yield key
        for level, breaker, is_there in (
            (h.redis, h.redis_breaker, h.has_redis),
            (h.database, h.database_breaker, h.has_database),
        ):
            if is_there:
                with suppress(LevelIsAway), breaker:
                    for key in level.keys(pattern):
                        if key not in seen:
                            seen.add(key)
                            yield key

    def _stale_in_memory(self, key: CacheKey, ticket: int) -> Found:
        """Return what memory alone has of a key that is not fresh; its ticket is its version."""
        slot = self._memory.get(key.full)
        now = time.time()
        if slot is None or slot.entry.is_fresh(now) or not slot.entry.is_kept(now):
            return Found(version=ticket)
        is_valid = self._tags.are_current(slot.tags)
        return Found(version=ticket, stale=slot.entry if is_valid else None)

    def _shared_many(self, keys: Sequence[CacheKey]) -> dict[CacheKey, Found]:
        found: dict[CacheKey, Found] = {}
        in_redis = {key.full: key for key in keys if key.in_redis}
        if in_redis and not self._hierarchy.redis_breaker.is_settling:
            with suppress(LevelIsAway):
                with self._hierarchy.redis_breaker:
                    entries = self._hierarchy.redis.get_many(in_redis)
                found |= self._fresh(in_redis, CacheLevel.REDIS, entries)
        in_database = {key.full: key for key in keys if key.in_database and key not in found}
        if in_database and not self._hierarchy.database_breaker.is_settling:
            began = time.monotonic()
            with suppress(LevelIsAway):
                with self._hierarchy.database_breaker:
                    entries = self._hierarchy.database.get_many(in_database)
                fresh = self._fresh(in_database, CacheLevel.DATABASE, entries)
                self._promote_to_redis(fresh, began)
                found |= fresh
        return found

    def _fresh(
        self, keys: Mapping[str, CacheKey], level: CacheLevel, entries: Mapping[str, Entry]
    ) -> dict[CacheKey, Found]:
        judged = {
            key: self._judged(
                key,
                level,
                entries.get(full),
                key.redis if level == CacheLevel.REDIS else key.database,
            )
            for full, key in keys.items()
        }
        return {key: found for key, found in judged.items() if found.entry is not None}

    def _found_in_memory(self, key: CacheKey, slot: Slot) -> Found:
        value = self._memory.copy(key.full, slot)
        return Found(CacheLevel.MEMORY, slot.entry, value, slot.entry.version)

    def _slot(self, key: CacheKey) -> Slot | None:
        """Return what this process has of a key, when it is fresh; count the hit."""
        slot = self._memory.get(key.full)
        if slot is None or time.time() >= slot.until:
            return None
        generation = self._tags.generation
        if slot.generation != generation:
            if not self._tags.are_current(slot.tags):
                return None
            slot.generation = generation
        statistics = self._statistics
        statistics.counts[key.memory.hit] += 1
        if key.in_database:
            reads = statistics.reads
            reads[key.full] = reads.get(key.full, 0) + 1
        return slot

    def _judged(
        self, key: CacheKey, level: CacheLevel, entry: Entry | None, answers: Answers
    ) -> Found:
        """Return what a level's entry is good for; count it as a hit or a miss."""
        counts = self._statistics.counts
        if entry is None:
            counts[answers.miss] += 1
            return Found()
        now = time.time()
        stale = None
        if entry.payload is not None and entry.is_kept(now) and self._tags.are_current(entry.tags):
            if entry.is_fresh(now):
                try:
                    value = decode(entry.payload)
                except UndecodableEntry:
                    self._statistics.add(Event.UNDECODABLE, key.prefix, level=level)
                else:
                    counts[answers.hit] += 1
                    if key.in_database:
                        self._statistics.count_read(key.full)
                    return Found(level, entry, value, entry.version)
            else:
                stale = entry
        counts[answers.miss] += 1
        return Found(version=entry.version, stale=stale)

    def _promote_to_memory(self, key: CacheKey, found: Found, ticket: int) -> None:
        if found.entry is not None and key.in_memory:
            until = self._hierarchy.memory_until(key, found.entry)
            self._memory.promote(key.full, found.entry, found.value, until=until, ticket=ticket)
            self._statistics.add(Event.PROMOTION, key.prefix, level=CacheLevel.MEMORY)

    def _promote_to_redis(self, found: Mapping[CacheKey, Found], began: float) -> None:
        entries = {
            key.full: capped(key, one.entry)
            for key, one in found.items()
            if one.entry is not None and key.in_redis
        }
        if not entries or time.monotonic() - began > PROMOTION_SECONDS:
            return
        with suppress(LevelIsAway), self._hierarchy.redis_breaker:
            self._hierarchy.redis.promote_many(entries)
        for key, one in found.items():
            if one.entry is not None and key.in_redis:
                self._statistics.add(Event.PROMOTION, key.prefix, level=CacheLevel.REDIS)


def capped(key: CacheKey, entry: Entry) -> Entry:
    """Return an entry as Redis keeps it: for a day at most, where the database has it too."""
    if not key.in_database:
        return entry
    end = time.time() + REDIS_CAP_SECONDS
    return replace(entry, discard_at=min(entry.discard_at or end, end))
