"""Counting what the cache does, in this process; the keeper adds it up over all of them."""

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class Event(StrEnum):
    """What is counted, per level and prefix."""

    HIT = "hit"
    MISS = "miss"
    STALE_HIT = "stale_hit"
    WRITE = "write"
    DELETION = "deletion"
    PROMOTION = "promotion"
    EVICTION = "eviction"
    UNDECODABLE = "undecodable"
    LOAD = "load"
    LOAD_FAILURE = "load_failure"
    LOAD_MS = "load_ms"
    STAMPEDE_AVOIDED = "stampede_avoided"


class Count(NamedTuple):
    """What is counted; ``level`` is empty for what concerns none in particular.

    All are plain strings, whose hash takes a tenth of an enumeration's.
    """

    level: str
    prefix: str
    event: str

    @classmethod
    def of(cls, level: str, prefix: str, event: Event) -> "Count":
        """Return what names this."""
        return cls(str(level), prefix, str(event))


class Answers(NamedTuple):
    """Under what the answers of one level about keys of one prefix are counted."""

    hit: Count
    miss: Count


@lru_cache(maxsize=1_000)
def answers_of(level: str, prefix: str) -> Answers:
    """Return the counts of a level and a prefix."""
    return Answers(Count.of(level, prefix, Event.HIT), Count.of(level, prefix, Event.MISS))


class Statistics:
    """Counts since the last ``take``. Two threads that count the same at once may count one."""

    def __init__(self) -> None:
        self.counts: defaultdict[Count, int] = defaultdict(int)
        self.reads: dict[str, int] = {}

    def add(self, event: Event, prefix: str = "", *, level: str = "", count: int = 1) -> None:
        """Count something that happened ``count`` times."""
        if count:
            self.counts[Count.of(level, prefix, event)] += count

    def count_read(self, key: str) -> None:
        """Count that somebody got the value of a key that the database keeps."""
        reads = self.reads
        reads[key] = reads.get(key, 0) + 1

    def forget_reads(self, keys: Iterable[str]) -> None:
        """Count no reads of these keys since the last ``take``."""
        for key in keys:
            self.reads.pop(key, None)

    def take(self) -> tuple[dict[Count, int], dict[str, int]]:
        """Return the counts, and how often each key was read; they start again from nothing."""
        counts, self.counts = self.counts, defaultdict(int)
        reads, self.reads = self.reads, {}
        return dict(counts), reads

    def give_back(self, counts: dict[Count, int], reads: dict[str, int]) -> None:
        """Count again what could not be written down."""
        for count, number in counts.items():
            self.counts[count] += number
        for key, number in reads.items():
            self.reads[key] = self.reads.get(key, 0) + number
