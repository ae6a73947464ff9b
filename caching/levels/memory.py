"""The nearest level: what this process has seen lately, in a form that nobody can change."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from cachebox import LRUCache

from caching.codec import decode, decoded_quickly
from caching.copies import Copier, copier_of, size_of
from caching.entries import Entry, Tag
from caching.patterns import Glob

#: Values of these types are handed out as they are; of all others each caller gets its own.
IMMUTABLE = frozenset({str, bytes, int, float, bool, type(None)})

#: What an entry takes besides its key and its value: its slot, and its place in the cache.
OVERHEAD_BYTES = 520

#: Values that are read so often are kept decoded: analysing one takes as long as a few decodings.
READS_TO_DECODED = 2

#: Up to this share of the bytes is for values that are kept decoded, too: they are some times
#: larger than what they are decoded from, and are copied in a fraction of the time.
DECODED_SHARE = 0.5

#: Writes of keys that share a stripe are told apart by luck: one in so many.
STRIPES = 1024


@dataclass(slots=True)
class Slot:
    """An entry in memory. ``value`` is what to hand out, or what ``copier`` makes it of.

    Its tags were current in ``generation`` of the ``TagRegistry``. ``value`` takes
    ``value_bytes`` beside the entry's payload. Where ``value`` is the payload,
    ``reads_to_decoded`` is how many more reads it takes until it is kept decoded.
    """

    until: float
    tags: tuple[Tag, ...]
    copier: Copier | None
    value: Any
    entry: Entry
    value_bytes: int = 0
    reads_to_decoded: int = 0
    generation: int = -1


class MemoryLevel:
    """A cache of at most ``max_bytes`` and ``max_entries``; what was used longest ago makes room.

    A copy of what was read elsewhere is refused when its key was written or invalidated after
    the reading began: ask for a ``ticket`` first, and hand it in with the copy.
    """

    def __init__(self, *, max_bytes: int, max_entries: int) -> None:
        self.max_bytes = max_bytes
        self._least_bytes = max(1, max_bytes // max_entries)
        self._slots: LRUCache[str, Slot] = LRUCache(max_bytes, getsizeof=self.size_of)
        self._tickets = [0] * STRIPES
        self._lock = threading.Lock()
        self.get = self._slots.get
        self.eviction_count = 0

    def copy(self, key: str, slot: Slot) -> Any:
        """Return the value of a slot, as the caller's own."""
        if slot.reads_to_decoded:
            return self._decoded(key, slot)
        return slot.value if slot.copier is None else slot.copier(slot.value)

    def ticket(self, key: str) -> int:
        """Return what changes when ``key`` is written or invalidated."""
        return self._tickets[hash(key) % STRIPES]

    def put(self, key: str, entry: Entry, value: Any, *, until: float, ticket: int) -> None:
        """Keep what was just written elsewhere, unless what is later is there or was dropped."""
        self.put_many([(key, entry, value, until, ticket)])

    def put_many(self, written: Iterable[tuple[str, Entry, Any, float, int]]) -> None:
        """As ``put``: of each key its entry and value, until when, and its ticket."""
        keys = []
        with self._lock:
            for key, entry, value, until, ticket in written:
                keys.append(key)
                held = self._slots.peek(key)
                is_last = self._tickets[hash(key) % STRIPES] == ticket
                if is_last if held is None else held.entry.version <= entry.version:
                    self._insert(key, entry, value, until)
            for key in keys:
                self._tickets[hash(key) % STRIPES] += 1

    def put_alone(
        self, key: str, entry: Entry, value: Any, *, until: float, ticket: int | None
    ) -> bool:
        """Write what is kept nowhere else; with a ``ticket`` only while it is the key's."""
        with self._lock:
            if ticket is not None and self._tickets[hash(key) % STRIPES] != ticket:
                return False
            self._tickets[hash(key) % STRIPES] += 1
            self._insert(key, entry, value, until)
            return True

    def promote(self, key: str, entry: Entry, value: Any, *, until: float, ticket: int) -> None:
        """Keep a copy of what was read elsewhere, unless ``key`` was touched meanwhile."""
        with self._lock:
            if self._tickets[hash(key) % STRIPES] == ticket:
                self._insert(key, entry, value, until)

    def drop(self, key: str, *, version: int = 0) -> None:
        """Forget a key, unless what is held is that very version."""
        with self._lock:
            self._tickets[hash(key) % STRIPES] += 1
            held = self._slots.peek(key)
            if held is not None and (not version or held.entry.version != version):
                self._slots.pop(key, None)

    def drop_many(self, keys: Iterable[str]) -> None:
        """Forget keys, whatever their versions."""
        with self._lock:
            for key in keys:
                self._tickets[hash(key) % STRIPES] += 1
                self._slots.pop(key, None)

    def drop_matching(self, pattern: Glob) -> Counter[str]:
        """Forget the keys that match; return of which prefixes were how many that nobody else
        had. What was read before, of whatever key, is refused."""
        alone: Counter[str] = Counter()
        now = time.time()
        with self._lock:
            self._tickets = [ticket + 1 for ticket in self._tickets]
            keys = list(self._slots.keys())
        for key in pattern.among(keys):
            with self._lock:
                slot = self._slots.pop(key, None)
            if slot is not None and not slot.entry.version and now < slot.until:
                alone[slot.entry.prefix] += 1
        return alone

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._tickets = [ticket + 1 for ticket in self._tickets]
            self._slots.clear()

    def shrink(self, max_bytes: int) -> int:
        """Forget what was used longest ago until no more than ``max_bytes`` are held."""
        count = 0
        with self._lock:
            while self._slots.current_size() > max_bytes:
                self._slots.popitem()
                count += 1
        self.eviction_count += count
        return count

    def purge(self) -> int:
        """Forget what has expired, but for what is wanted stale; return how many entries."""
        now = time.time()
        expired = [
            key
            for key, slot in self.items()
            if slot.until <= now and (slot.entry.is_fresh(now) or not slot.entry.is_kept(now))
        ]
        for key in expired:
            self._slots.pop(key, None)
        return len(expired)

    def items(self) -> Iterator[tuple[str, Slot]]:
        """Return what is held just now."""
        with self._lock:
            return iter(list(self._slots.items()))

    def keys(self) -> Iterator[str]:
        """Return the keys of what is held just now."""
        with self._lock:
            return iter(list(self._slots.keys()))

    @property
    def size_bytes(self) -> int:
        """How many bytes are held, by estimate."""
        return self._slots.current_size()

    def __len__(self) -> int:
        return len(self._slots)

    def size_of(self, key: str, slot: Slot) -> int:
        """Return the bytes that an entry takes, of which there is a least number for each."""
        size = OVERHEAD_BYTES + sys.getsizeof(key) + slot.value_bytes
        if slot.entry.payload is not None:
            size += sys.getsizeof(slot.entry.payload)
        return max(size, self._least_bytes)

    def _insert(self, key: str, entry: Entry, value: Any, until: float) -> None:
        if type(value) in IMMUTABLE or entry.payload is None:
            slot = Slot(until, entry.tags, None, value, entry, sys.getsizeof(value))
        else:
            slot = Slot(until, entry.tags, decode, entry.payload, entry)
            slot.reads_to_decoded = READS_TO_DECODED
        before = len(self._slots)
        is_new = key not in self._slots
        if self.size_of(key, slot) > self.max_bytes:
            self._slots.pop(key, None)
            return
        self._slots.insert(key, slot)
        self.eviction_count += before + is_new - len(self._slots)

    def _decoded(self, key: str, slot: Slot) -> Any:
        """Return a value that is kept as its payload; keep it decoded, if that is worth it now.

        It is when it was read before, can be copied and there is room.
        """
        slot.reads_to_decoded -= 1
        value, slot.copier = decoded_quickly(slot.value)
        if slot.reads_to_decoded > 0:
            return value
        slot.reads_to_decoded = 0
        room = int(self.max_bytes * DECODED_SHARE) - self._slots.current_size()
        copier = copier_of(value) if room > len(slot.value) else None
        if copier is None or (value_bytes := size_of(value)) > room:
            return value
        with self._lock:
            if self._slots.peek(key) is slot:
                decoded = replace(slot, copier=copier, value=value, value_bytes=value_bytes)
                self._slots.insert(key, decoded)
        return copier(value)
