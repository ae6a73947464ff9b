"""Redis as a level: it numbers the writes by itself, or follows a level that does."""

from __future__ import annotations

import math
import struct
import time
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError, ResponseError

from caching.entries import Entry
from caching.exceptions import RedisIsAway, UndecodableEntry
from caching.levels import scripts
from caching.levels.base import LevelSize
from caching.levels.keyspace import SCRIPT_BATCH, RedisKeyspace, reaching
from caching.packing import (
    FORMAT_MARK,
    HEADER_BYTES,
    MAX_PREFIX_BYTES,
    TOMBSTONE_FLAG,
    pack,
    unpack,
)
from caching.patterns import Glob

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

#: How long a key is empty on which two writers disagree.
TOMBSTONE_SECONDS = 10.0

#: How long a copy of the version of a tag is good.
TAG_SECONDS = 24 * 3600.0

#: Of an entry: mark, flags, when it expires, and the length of the prefix, which comes next.
_HEAD = struct.Struct(">BB16xd8xB")
_MOMENTS = struct.Struct(">dd")


class RedisLevel(RedisKeyspace):
    """A ``SharedLevel``. Whoever numbers the writes, versions are below 2**53."""

    def __init__(self, url: str, *, namespace: str, timeout_seconds: float = 0.05) -> None:
        super().__init__(url, namespace=namespace, timeout_seconds=timeout_seconds)
        self.undecodable_count = 0
        register = self._redis.register_script
        self._put = register(scripts.PUT)
        self._follow = register(scripts.FOLLOW)
        self._delete = register(scripts.DELETE)
        self._touch = register(scripts.TOUCH)
        self._bump_tags = register(scripts.BUMP_TAGS)
        self._follow_tags = register(scripts.FOLLOW_TAGS)

    # Reading

    def get(self, key: str) -> Entry | None:
        name = self._value + key
        try:
            data: Any = self._redis.get(name)
            if data is None:
                return None
            try:
                return unpack(data)
            except UndecodableEntry:
                self._forget_undecodable({name: data})
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise RedisIsAway(f"Redis: {error}") from error
            self.undecodable_count += 1
            self.forget([key])
        except (RedisError, OSError) as error:
            raise RedisIsAway(f"Redis: {error}") from error
        return None

    @reaching
    def get_many(self, keys: Collection[str]) -> dict[str, Entry]:
        if not keys:
            return {}
        names = [self._value + key for key in keys]
        found: Any = self._redis.mget(names)
        entries, undecodable = {}, {}
        for key, name, data in zip(keys, names, found, strict=True):
            if data is not None:
                try:
                    entries[key] = unpack(data)
                except UndecodableEntry:
                    undecodable[name] = data
        if undecodable:
            self._forget_undecodable(undecodable)
        return entries

    # Writing what Redis numbers

    @reaching
    def put(
        self,
        key: str,
        entry: Entry,
        *,
        expected: int | None = None,
        lease: str | None = None,
        publish: bytes | None = None,
    ) -> int:
        """As ``SharedLevel`` says; with a ``lease`` only while that is the key's, too.

        ``publish`` is told on the backplane when the entry is written.
        """
        version = "" if expected is None else expected
        told = (self._channel, publish or b"")
        return int(
            self._put(self._names([key]), [*told, version, lease or "", *_packed([entry])])[0]
        )

    @reaching
    def put_many(self, entries: Mapping[str, Entry]) -> dict[str, int]:
        versions: dict[str, int] = {}
        for keys in _batches(entries):
            packed = _packed(entries[key] for key in keys)
            numbers = self._put(self._names(keys), [self._channel, b"", "", "", *packed])
            versions.update(zip(keys, numbers, strict=True))
        return versions

    @reaching
    def touch(self, key: str, *, expires_at: float | None, discard_at: float | None) -> int:
        moments = (math.inf if at is None else at for at in (expires_at, discard_at))
        args = (time.time(), _MOMENTS.pack(*moments), _life(discard_at))
        return int(self._touch([self._value + key], args))

    @reaching
    def delete_many(self, keys: Collection[str], *, discard_at: float | None) -> dict[str, int]:
        """As ``SharedLevel`` says; who has a lease for one of the keys has it no more.

        Without ``discard_at`` there are no tombstones.
        """
        deleted: dict[str, int] = {}
        for batch in _batches(dict.fromkeys(keys)):
            tombstone = _packed([_tombstone(discard_at)])
            versions = self._delete(self._names(batch), [*tombstone, time.time()])
            deleted.update(zip(batch, versions, strict=True))
        return {key: version for key, version in deleted.items() if version}

    # Writing what another level has numbered

    def follow(self, key: str, entry: Entry, *, publish: bytes | None = None) -> bool:
        """As ``follow_many``; say whether the entry was taken."""
        return key in self.follow_many({key: entry}, publish=publish)

    @reaching
    def follow_many(
        self, entries: Mapping[str, Entry], *, publish: bytes | None = None
    ) -> set[str]:
        """Write entries and tombstones with the versions they have; return the keys of those
        that were taken.

        What is held with the same or a larger version is not trusted, nor is what comes: a
        tombstone takes its place for ``TOMBSTONE_SECONDS``. Tombstones end leases. ``publish`` is
        told on the backplane in any case.
        """
        followed: set[str] = set()
        batches = list(_batches(entries))
        for keys in batches:
            message = publish if publish and keys is batches[-1] else b""
            tombstone = _packed([_tombstone(time.time() + TOMBSTONE_SECONDS)])
            packed = _packed(entries[key] for key in keys)
            taken = self._follow(self._names(keys), [self._channel, message, *tombstone, *packed])
            followed.update(key for key, is_taken in zip(keys, taken, strict=True) if is_taken)
        return followed

    def promote(self, key: str, entry: Entry) -> bool:
        """As ``promote_many``; say whether the entry was taken."""
        return key in self.promote_many({key: entry})

    @reaching
    def promote_many(self, entries: Mapping[str, Entry]) -> set[str]:
        """Write entries with the versions they have where nothing is held, not even a tombstone;
        return the keys of those that were taken."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for key, entry in entries.items():
                data, life = _packed([entry])
                pipeline.set(self._value + key, data, px=life or None, nx=True)
            return {key for key, done in zip(entries, pipeline.execute(), strict=True) if done}

    def forget(self, keys: Collection[str]) -> None:
        """Hold nothing for these keys, not even a tombstone, and no lease."""
        self._unlink(self._names(keys))

    # Looking around

    def keys(self, pattern: Glob) -> Iterator[str]:
        """As ``SharedLevel`` says; a key may come twice while Redis grows or shrinks."""
        for name, _, head in self._scan_values(pattern.redis_superset):
            key = name.removeprefix(self._value)
            if _HEAD.unpack_from(head)[2] > time.time() and pattern.matches(key):
                yield key

    def sizes(self) -> list[LevelSize]:
        """As ``SharedLevel`` says; a value's bytes are those of its whole entry."""
        entry_counts: Counter[str] = Counter()
        size_bytes: Counter[str] = Counter()
        for _, size, head in self._scan_values("*"):
            prefix = head[_HEAD.size : _HEAD.size + head[HEADER_BYTES]].decode(errors="replace")
            entry_counts[prefix] += 1
            size_bytes[prefix] += size
        return [
            LevelSize(prefix, count, size_bytes[prefix]) for prefix, count in entry_counts.items()
        ]

    def purge(self, limit: int) -> int:
        """Return 0: Redis removes by itself what nobody can have any more."""
        return 0

    def _scan_values(self, match: str) -> Iterator[tuple[str, int, bytes]]:
        """Yield the name, the size and the beginning of what is no tombstone."""
        for names in self._scan(Glob.escape(self._value) + match):
            for name, size, head in self._heads(names):
                if isinstance(head, bytes) and len(head) >= _HEAD.size:
                    mark, flags, *_ = _HEAD.unpack_from(head)
                    if mark == FORMAT_MARK and not flags & TOMBSTONE_FLAG:
                        yield name.decode(errors="replace"), size, head

    @reaching
    def _heads(self, names: Collection[bytes]) -> Iterable[tuple[bytes, int, Any]]:
        """Return the size and the beginning of each, or an error for what is of another type."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.strlen(name)
                pipeline.getrange(name, 0, _HEAD.size + MAX_PREFIX_BYTES - 1)
            found = pipeline.execute(raise_on_error=False)
        return zip(names, found[::2], found[1::2], strict=True)

    # Tags

    @reaching
    def tag_versions(self, names: Collection[str]) -> dict[str, int]:
        if not names:
            return {}
        found: Any = self._redis.mget([self._tag + name for name in names])
        return {
            name: int(version)
            for name, version in zip(names, found, strict=True)
            if version is not None and version.isdigit()
        }

    @reaching
    def bump_tags(self, names: Collection[str]) -> dict[str, int]:
        versions = self._bump_tags([self._tag + name for name in names]) if names else []
        return dict(zip(names, versions, strict=True))

    @reaching
    def follow_tags(self, versions: Mapping[str, int]) -> None:
        """Keep copies of the versions of tags for a day.

        A tag with a larger version already is not known for ``TOMBSTONE_SECONDS``: which of them
        is the later is not for Redis to say.
        """
        lives = [int(TAG_SECONDS * 1000), int(TOMBSTONE_SECONDS * 1000)]
        if versions:
            self._follow_tags([self._tag + name for name in versions], [*lives, *versions.values()])

    def drop_tags(self, names: Collection[str]) -> None:
        """Know the versions of these tags no more."""
        self._unlink(self._tag + name for name in names)

    def _names(self, keys: Iterable[str]) -> list[str]:
        """Return where the value and the lease of each key are."""
        return [name for key in keys for name in (self._value + key, self._lease + key)]

    def _forget_undecodable(self, found: Mapping[str, bytes]) -> None:
        """Remove what is still held as it was found: it would keep out what can be decoded."""
        self.undecodable_count += len(found)
        self._expire(list(found), [0, *found.values()])


def _packed(entries: Iterable[Entry]) -> list[Any]:
    """Return each entry and how many milliseconds it has to live, as scripts take them."""
    return [part for entry in entries for part in (pack(entry), _life(entry.discard_at))]


def _life(discard_at: float | None) -> int | str:
    """Return milliseconds, at least one; the empty string for a life without end."""
    return "" if discard_at is None else max(1, math.ceil((discard_at - time.time()) * 1000))


def _tombstone(discard_at: float | None) -> Entry:
    return Entry(None, stored_at=time.time(), expires_at=discard_at, discard_at=discard_at)


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(keys)
    while batch := list(islice(remaining, SCRIPT_BATCH)):
        yield batch
