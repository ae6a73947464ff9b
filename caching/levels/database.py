"""PostgreSQL as a level: what survives a restart of everything else.

Every statement is committed at once, on a connection of its own: it sees nothing of its caller's
transaction, is not rolled back with it, and cannot break it.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from caching.entries import Entry
from caching.exceptions import UndecodableEntry
from caching.levels import statements
from caching.levels.base import TAG_MARK, LevelSize
from caching.levels.connections import Connections
from caching.packing import pack, unpack
from caching.patterns import Glob

#: An end beyond this is none: Python's calendar ends with the year 9999.
LATEST = 253_402_300_799.0

#: Of how many recently read entries for each that is wanted the most used are chosen.
CANDIDATES = 10


class DatabaseLevel:
    """``SharedLevel`` in the database of a Django alias, over connections of its own.

    ``repair`` notes the names of what a verb writes in the same statement: Redis is away, and is
    to be told when it is back.
    """

    def __init__(self, alias: str = "default", *, max_connections: int = 8) -> None:
        self._alias = alias
        self._max_connections = max_connections
        self._connections = Connections(alias, max_connections)
        self.undecodable_count = 0

    # Entries

    def get(self, key: str) -> Entry | None:
        """Return what is held: also what is stale, also a tombstone; None for nothing."""
        rows = self._execute(statements.GET, (key,))
        return self._entry(*rows[0]) if rows else None

    def get_many(self, keys: Collection[str]) -> dict[str, Entry]:
        """Return what is held for each key, in one round trip."""
        if not keys:
            return {}
        rows = self._execute(statements.GET_MANY, (list(keys),))
        return {row[0]: entry for row in rows if (entry := self._entry(*row)) is not None}

    def put(
        self, key: str, entry: Entry, *, expected: int | None = None, repair: bool = False
    ) -> int:
        """Write an entry with the next version of its key; return that version, 0 if refused."""
        columns = _columns(entry)
        noted = [key] if repair else []
        if expected:
            return self._write_one(
                statements.PUT_WHERE_VERSION_IS, (*columns, key, expected), noted
            )
        statement = statements.PUT if expected is None else statements.PUT_WHERE_NOTHING_IS_HELD
        return self._write_one(statement, (key, *columns), noted)

    def put_many(self, entries: Mapping[str, Entry], *, repair: bool = False) -> dict[str, int]:
        """Write many entries, in one statement; return their versions."""
        if not entries:
            return {}
        keys = sorted(entries)
        columns = zip(*(_columns(entries[key]) for key in keys), strict=True)
        parameters = (keys, *map(list, columns))
        return dict(self._write(statements.PUT_MANY, parameters, keys if repair else []))

    def touch(
        self,
        key: str,
        *,
        expires_at: float | None,
        discard_at: float | None,
        repair: bool = False,
    ) -> int:
        """Move the expiry of a fresh entry; return its new version, 0 when there is none."""
        times = _end(expires_at), _end(discard_at)
        return self._write_one(statements.TOUCH, (*times, key), [key] if repair else [])

    def delete_many(
        self, keys: Collection[str], *, discard_at: float, repair: bool = False
    ) -> dict[str, int]:
        """Put a tombstone in the place of each key, until ``discard_at``; return the versions of
        those that held a fresh value before, in the order of their keys.

        Of several who delete a value at once, one is told that it was there.
        """
        if not keys:
            return {}
        ordered = sorted(set(keys))
        rows = self._write(statements.DELETE_MANY, (discard_at, ordered), ordered if repair else [])
        return {key: version for key, version, was_fresh in sorted(rows) if was_fresh}

    def keys(self, pattern: Glob) -> Iterator[str]:
        """Yield the keys of fresh values that match, in order, in batches."""
        return self._matching(statements.KEYS, pattern)

    def held_keys(self, pattern: Glob) -> Iterator[str]:
        """As ``keys``, but of stale values too."""
        return self._matching(statements.HELD_KEYS, pattern)

    def _matching(self, statement: str, pattern: Glob) -> Iterator[str]:
        last = ""
        while rows := self._execute(statement, (last, pattern.literal_prefix)):
            yield from pattern.among(key for (key,) in rows)
            [last] = rows[-1]

    def clear(self) -> None:
        """Forget everything, tags and tombstones too, but neither counts nor repairs.

        In batches, so that nobody waits for long; what is written meanwhile may stay. Versions
        go on from where they are.
        """
        last: str | None = ""
        while last is not None:
            [[last]] = self._execute(statements.CLEAR, (last,))
        self._execute(statements.CLEAR_TAGS)

    def purge(self, limit: int) -> int:
        """Remove up to ``limit`` entries that nobody can have any more; return how many."""
        return len(self._execute(statements.PURGE, (limit,)))

    def sizes(self) -> list[LevelSize]:
        """Return what is held, by prefix: counted, however long that takes."""
        return [LevelSize(*row) for row in self._execute(statements.SIZES)]

    # Tags

    def tag_versions(self, names: Collection[str]) -> dict[str, int]:
        """Return the version of each tag; those that the level does not know are left out."""
        return dict(self._execute(statements.TAG_VERSIONS, (list(names),))) if names else {}

    def bump_tags(self, names: Collection[str], *, repair: bool = False) -> dict[str, int]:
        """Give each tag a version that it never had; return them."""
        if not names:
            return {}
        ordered = sorted(set(names))
        marked = [TAG_MARK + name for name in ordered] if repair else []
        return dict(self._write(statements.BUMP_TAGS, (ordered,), marked))

    # Repairs

    def note_repairs(self, names: Collection[str]) -> None:
        """Remember what was written while the other level was away, for its return."""
        if names:
            self._execute(statements.NOTE_REPAIRS, (sorted(set(names)),))

    def repairs(self, limit: int) -> list[str]:
        """Return up to ``limit`` of the names that are noted."""
        return [name for (name,) in self._execute(statements.REPAIRS, (limit,))]

    def forget_repairs(self, names: Collection[str]) -> None:
        """The other level has been repaired for these."""
        if names:
            self._execute(statements.FORGET_REPAIRS, (list(names),))

    # Use

    def record_reads(self, reads: Mapping[str, tuple[int, float]]) -> None:
        """Count reads: for each key how many, and when the last of them was.

        No version changes. ``accessed_at`` follows in steps of ``RECENCY``.
        """
        if reads:
            counts, times = zip(*reads.values(), strict=True)
            self._execute(statements.RECORD_READS, (list(reads), list(counts), list(times)))

    def most_used(self, limit: int, prefix: str | None = None) -> list[str]:
        """Return keys of fresh values, the most read first, from among the recently read.

        These are, of each prefix or of ``prefix`` alone, ``CANDIDATES`` for each one wanted.
        """
        prefixes = [prefix]
        if prefix is None:
            prefixes = [known for (known,) in self._execute(statements.PREFIXES)]
        rows = self._execute(statements.MOST_USED, (prefixes, CANDIDATES * limit, limit))
        return [key for (key,) in rows]

    def add_counts(self, counts: Mapping[tuple[str, str, str], int]) -> None:
        """Add to the counters, which are named by level, prefix and event."""
        if counts:
            names = sorted(counts)
            columns = zip(*((*map(str, name), counts[name]) for name in names), strict=True)
            self._execute(statements.ADD_COUNTS, tuple(map(list, columns)))

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Return all counters."""
        return {(*name,): count for *name, count in self._execute(statements.COUNTS)}

    # Being there

    def ping(self) -> None:
        """Return when the level answers."""
        self._execute("SELECT 1")

    def close(self) -> None:
        """Close what is idle of this process's connections; it connects again when used."""
        if self._connections.process_id == os.getpid():
            self._connections.close()

    def _entry(
        self,
        key: str,
        packed: bytes | None,
        version: int,
        stored_at: float,
        expires_at: float | None,
        discard_at: float | None,
    ) -> Entry | None:
        """Return a row as an entry; one that cannot be decoded is removed, and is None."""
        if packed is None:
            return Entry(None, version, stored_at, expires_at, discard_at)
        try:
            entry = unpack(packed)
        except UndecodableEntry:
            self.undecodable_count += 1
            self._execute(statements.REMOVE, (key, version))
            return None
        entry.version, entry.stored_at = version, stored_at
        entry.expires_at, entry.discard_at = expires_at, discard_at
        return entry

    def _write_one(self, statement: str, parameters: Sequence[Any], noted: list[str]) -> int:
        """Return the version that was written, 0 for none."""
        rows = self._write(statement, parameters, noted)
        return rows[0][0] if rows else 0

    def _write(self, statement: str, parameters: Sequence[Any], noted: list[str]) -> list[Any]:
        """Write, and note what is to be repaired, in one statement."""
        if not noted:
            return self._execute(statement, parameters)
        return self._execute(statements.noting_repairs(statement), (noted, *parameters))

    def _execute(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Run a statement on a connection of this process, which may be a fork of another."""
        if self._connections.process_id != os.getpid():
            self._connections = Connections(self._alias, self._max_connections)
        return self._connections.execute(statement, parameters)


def _columns(entry: Entry) -> tuple[Any, ...]:
    """Return what is written of an entry, in the order of ``INSERT``."""
    return (
        entry.prefix,
        None if entry.payload is None else pack(_without_what_changes(entry)),
        entry.stored_at,
        _end(entry.expires_at),
        _end(entry.discard_at),
        _array(name for name, _ in entry.tags),
        _array(str(version) for _, version in entry.tags),
    )


def _without_what_changes(entry: Entry) -> Entry:
    """Return what is packed of an entry: columns have the rest, and what is searched for."""
    return Entry(entry.payload, tags=entry.tags, prefix=entry.prefix)


def _end(time: float | None) -> float | None:
    return None if time is None or time > LATEST else time


def _array(items: Iterable[str]) -> str:
    """Return PostgreSQL's notation of an array: many of them, of different lengths, fit in one."""
    quoted = (item.replace("\\", r"\\").replace('"', r"\"") for item in items)
    return "{" + ",".join(f'"{item}"' for item in quoted) + "}"
