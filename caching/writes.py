"""Writing: at the level that decides first, then nearer and nearer."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from caching.exceptions import LevelIsAway
from caching.levels.base import TAG_MARK
from caching.lookup import capped
from caching.statistics import Event
from caching.tags import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from caching.entries import Entry
    from caching.hierarchy import CacheHierarchy
    from caching.keys import CacheKey

#: How long a tombstone keeps out what was read, or begun to be loaded, before a deletion: in the
#: database, and in Redis where the database numbers the writes. Where Redis does, none is needed:
#: who stores there what was begun before has a version that is gone, or has lost the lease.
TOMBSTONE_SECONDS = 3600.0
FOLLOWER_TOMBSTONE_SECONDS = 10.0

#: The version that is told of where it is not known: some other than whatever anyone has.
SOME_OTHER = -1


class Writes:
    """The writing side of a hierarchy."""

    def __init__(self, hierarchy: CacheHierarchy) -> None:
        self._hierarchy = hierarchy
        self._statistics = hierarchy.statistics

    def put(
        self,
        key: CacheKey,
        entry: Entry,
        value: Any,
        *,
        expected: int | None = None,
        lease: str | None = None,
    ) -> bool:
        """Write an entry everywhere; say whether it was taken.

        With ``expected`` it is taken while the deciding level has that version, and with
        ``lease`` while its holder has not been overtaken by a deletion.
        """
        h = self._hierarchy
        self._statistics.add(Event.WRITE, key.prefix)
        until = h.memory_until(key, entry)
        if key.is_in_memory_alone:
            return h.memory.put_alone(key.full, entry, value, until=until, ticket=expected)
        ticket = h.memory.ticket(key.full)
        version = self._put(key, entry, expected, lease)
        if version and key.in_memory:
            entry = replace(entry, version=version)
            h.memory.put(key.full, entry, value, until=until, ticket=ticket)
        else:
            h.memory.drop(key.full)
        return bool(version)

    def put_many(self, entries: Mapping[CacheKey, tuple[Entry, Any]]) -> None:
        """Write many entries with one round trip to each level."""
        h = self._hierarchy
        tickets = {key: h.memory.ticket(key.full) for key in entries}
        versions = self._decided_many({key: e for key, (e, _) in entries.items()})
        copies = []
        for key, (entry, value) in entries.items():
            self._statistics.add(Event.WRITE, key.prefix)
            until = h.memory_until(key, entry)
            if key.is_in_memory_alone:
                h.memory.put_alone(key.full, entry, value, until=until, ticket=None)
            elif key.in_memory:
                entry = replace(entry, version=versions[key.full])
                copies.append((key.full, entry, value, until, tickets[key]))
            else:
                h.memory.drop(key.full)
        h.memory.put_many(copies)

    def touch(self, key: CacheKey, *, expires_at: float | None, discard_at: float | None) -> bool:
        """Move the expiry of a fresh entry; say whether there was one."""
        h = self._hierarchy
        if key.is_in_memory_alone:
            ticket = h.memory.ticket(key.full)
            slot = h.memory.get(key.full)
            if slot is None or time.time() >= slot.until:
                return False
            entry = replace(slot.entry, expires_at=expires_at, discard_at=discard_at)
            until = h.memory_until(key, entry)
            value = h.memory.copy(key.full, slot)
            return h.memory.put_alone(key.full, entry, value, until=until, ticket=ticket)
        version = self._touch(key, expires_at, discard_at)
        h.memory.drop(key.full)
        return bool(version)

    def delete_many(self, keys: Iterable[CacheKey]) -> int:
        """Put tombstones in the place of keys; return how many had a fresh value."""
        h = self._hierarchy
        by_name = {key.full: key for key in keys}
        if not by_name:
            return 0
        now = time.time()
        existed = {
            full
            for full, key in by_name.items()
            if key.is_in_memory_alone
            and (slot := h.memory.get(full)) is not None
            and now < slot.until
        }
        decided = [full for full, key in by_name.items() if key.in_database]
        noted = h.redis_breaker.is_open
        if decided:
            try:
                with h.database_breaker:
                    existed |= h.database.delete_many(
                        decided, discard_at=now + TOMBSTONE_SECONDS, repair=noted
                    ).keys()
            except LevelIsAway:
                noted = False
                h.repair.missed_by_database(decided)
        for is_follower, discard_at in ((True, now + FOLLOWER_TOMBSTONE_SECONDS), (False, None)):
            names = [
                full
                for full, key in by_name.items()
                if key.in_redis and key.in_database == is_follower
            ]
            if names:
                try:
                    with h.redis_breaker:
                        existed |= h.redis.delete_many(names, discard_at=discard_at).keys()
                except LevelIsAway:
                    if not (noted and is_follower):
                        h.repair.missed_by_redis(names)
        h.memory.drop_many(by_name)
        h.flights.invalidate(*by_name)
        for prefix, count in Counter(key.prefix for key in by_name.values()).items():
            self._statistics.add(Event.DELETION, prefix, count=count)
        self.publish(h.backplane.keys_written(dict.fromkeys(by_name, 0)))
        return len(existed)

    def invalidate_tags(self, names: Collection[str]) -> None:
        """Make every entry that has one of these tags a miss, everywhere and at once."""
        h = self._hierarchy
        marked = [TAG_MARK + name for name in names]
        noted = h.has_database and h.redis_breaker.is_open
        versions: dict[str, int] = {}
        if h.has_database:
            try:
                with h.database_breaker:
                    versions = h.database.bump_tags(names, repair=noted)
            except LevelIsAway:
                noted = False
                h.repair.missed_by_database(marked)
        if h.has_redis:
            try:
                with h.redis_breaker:
                    if versions:
                        h.redis.follow_tags(versions)
                    else:
                        versions = h.redis.bump_tags(names)
            except LevelIsAway:
                if not noted:
                    h.repair.missed_by_redis(marked)
        versions = versions or dict.fromkeys(names, time.time_ns() // 1000)
        h.tags.learn(versions)
        h.flights.invalidate_all()
        self.publish(h.backplane.tags_bumped(versions))

    def clear(self) -> None:
        """Forget everything. What is on its way from one level to another is out of date too."""
        h = self._hierarchy
        self.invalidate_tags([EVERYTHING])
        for level, breaker, is_there in (
            (h.database, h.database_breaker, h.has_database),
            (h.redis, h.redis_breaker, h.has_redis),
        ):
            if is_there:
                with suppress(LevelIsAway), breaker:
                    level.clear()
        h.tags.distrust()  # their versions are forgotten too
        self.invalidate_tags([EVERYTHING])
        h.memory.clear()
        self.publish(h.backplane.cleared())

    def _put(self, key: CacheKey, entry: Entry, expected: int | None, lease: str | None) -> int:
        h = self._hierarchy
        if key.in_database:
            noted = key.in_redis and h.redis_breaker.is_open
            try:
                with h.database_breaker:
                    version = h.database.put(key.full, entry, expected=expected, repair=noted)
                if version:
                    self._follow({key: replace(entry, version=version)}, noted=noted)
                return version
            except LevelIsAway:
                h.repair.missed_by_database([key.full])
        if key.in_redis:
            try:
                with h.redis_breaker:
                    return h.redis.put(
                        key.full,
                        capped(key, entry),
                        expected=expected,
                        lease=lease,
                        publish=h.backplane.keys_written({key.full: SOME_OTHER}),
                    )
            except LevelIsAway:
                h.repair.missed_by_redis([key.full])
        return time.time_ns() // 1000

    def _decided_many(self, entries: Mapping[CacheKey, Entry]) -> dict[str, int]:
        """Write to the shared levels; return the versions, also when nobody decides."""
        h = self._hierarchy
        versions = dict.fromkeys((key.full for key in entries), time.time_ns() // 1000)
        decided = {key: entry for key, entry in entries.items() if key.in_database}
        rest = {key: e for key, e in entries.items() if key.in_redis and not key.in_database}
        if decided:
            noted = h.redis_breaker.is_open
            names = {key.full: entry for key, entry in decided.items()}
            try:
                with h.database_breaker:
                    versions |= h.database.put_many(names, repair=noted)
                self._follow(
                    {key: replace(e, version=versions[key.full]) for key, e in decided.items()},
                    noted=noted,
                )
            except LevelIsAway:
                h.repair.missed_by_database(names)
                rest |= {key: entry for key, entry in decided.items() if key.in_redis}
        if rest:
            names = {key.full: capped(key, entry) for key, entry in rest.items()}
            try:
                with h.redis_breaker:
                    versions |= h.redis.put_many(names)
                    h.redis.publish(h.backplane.keys_written(versions))
            except LevelIsAway:
                h.repair.missed_by_redis(names)
        return versions

    def _touch(self, key: CacheKey, expires_at: float | None, discard_at: float | None) -> int:
        h = self._hierarchy
        noted = key.in_redis and h.redis_breaker.is_open
        if key.in_database:
            try:
                with h.database_breaker:
                    version = h.database.touch(
                        key.full, expires_at=expires_at, discard_at=discard_at, repair=noted
                    )
                    entry = h.database.get(key.full) if version else None
                if entry is not None:
                    self._follow({key: entry}, noted=noted)
                return version
            except LevelIsAway:
                h.repair.missed_by_database([key.full])
        try:
            with h.redis_breaker:
                version = h.redis.touch(key.full, expires_at=expires_at, discard_at=discard_at)
                h.redis.publish(h.backplane.keys_written({key.full: SOME_OTHER}))
            return version
        except LevelIsAway:
            h.repair.missed_by_redis([key.full])
            return 0

    def _follow(self, entries: Mapping[CacheKey, Entry], *, noted: bool) -> None:
        """Write to Redis what the database has numbered; ``noted`` if it is known to miss that."""
        h = self._hierarchy
        message = h.backplane.keys_written({key.full: e.version for key, e in entries.items()})
        in_redis = {key.full: capped(key, e) for key, e in entries.items() if key.in_redis}
        if not in_redis:
            self.publish(message)
            return
        try:
            with h.redis_breaker:
                h.redis.follow_many(in_redis, publish=message)
        except LevelIsAway:
            if not noted:
                h.repair.missed_by_redis(in_redis)

    def publish(self, message: bytes) -> None:
        """Tell the other processes, if they can be told."""
        if self._hierarchy.has_redis:
            with suppress(LevelIsAway), self._hierarchy.redis_breaker:
                self._hierarchy.redis.publish(message)
