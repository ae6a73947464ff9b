"""What the cache asks of a level that processes share."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from caching.entries import Entry
from caching.patterns import Glob


@dataclass(frozen=True, slots=True)
class LevelSize:
    """What a level holds of one prefix: entries and the bytes of their values as stored."""

    prefix: str
    entry_count: int
    size_bytes: int


class SharedLevel(Protocol):
    """Redis or PostgreSQL: a register for each key, whose writes are numbered.

    Keys are complete: prefixed and versioned by Django. Every verb raises ``LevelIsAway`` when
    the level cannot be reached, whatever its client raises. What is held but cannot be decoded
    is as good as absent; it is counted in ``undecodable_count``.
    """

    undecodable_count: int

    def get(self, key: str) -> Entry | None:
        """Return what is held: also what is stale, also a tombstone; None for nothing."""

    def get_many(self, keys: Collection[str]) -> dict[str, Entry]:
        """Return what is held for each key, in one round trip."""

    def put(self, key: str, entry: Entry, *, expected: int | None = None) -> int:
        """Write an entry with the next version of its key; return that version.

        With ``expected`` only while the key's version is that one, 0 for nothing held; return 0
        otherwise and change nothing.
        """

    def put_many(self, entries: Mapping[str, Entry]) -> dict[str, int]:
        """Write many entries, in one round trip; return their versions."""

    def touch(self, key: str, *, expires_at: float | None, discard_at: float | None) -> int:
        """Move the expiry of a fresh entry; return its new version, 0 when there is none."""

    def delete_many(self, keys: Collection[str], *, discard_at: float) -> dict[str, int]:
        """Put a tombstone in the place of each key, until ``discard_at``; return the versions of
        those that held a fresh value before."""

    def keys(self, pattern: Glob) -> Iterator[str]:
        """Yield the keys of fresh values that match, in batches, without blocking others."""

    def clear(self) -> None:
        """Forget everything, tags and tombstones too."""

    def tag_versions(self, names: Collection[str]) -> dict[str, int]:
        """Return the version of each tag; those that the level does not know are left out."""

    def bump_tags(self, names: Collection[str]) -> dict[str, int]:
        """Give each tag a version that it never had; return them."""

    def note_repairs(self, names: Collection[str]) -> None:
        """Remember what was written while the other level was away, for its return.

        ``names`` are keys, tags with ``TAG_MARK`` and patterns with ``PATTERN_MARK`` before them.
        """

    def repairs(self, limit: int) -> list[str]:
        """Return up to ``limit`` of the names that are noted."""

    def forget_repairs(self, names: Collection[str]) -> None:
        """The other level has been repaired for these."""

    def purge(self, limit: int) -> int:
        """Remove up to ``limit`` entries that nobody can have any more; return how many."""

    def sizes(self) -> list[LevelSize]:
        """Return what is held, by prefix: counted, however long that takes."""

    def ping(self) -> None:
        """Return when the level answers."""

    def close(self) -> None:
        """Give back what connects this process to the level."""


#: Before the name of a tag, and before a pattern, in a list of keys.
TAG_MARK = "#"
PATTERN_MARK = "*"
