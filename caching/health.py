"""How the levels of a cache are doing, as this process sees them, and what they hold and did."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from caching.choices import CacheLevel
from caching.exceptions import LevelIsAway
from caching.levels.base import LevelSize
from caching.statistics import Event

if TYPE_CHECKING:
    from caching.hierarchy import CacheHierarchy


@dataclass(frozen=True)
class LevelHealth:
    """Whether a level answers, and how fast; ``problem`` says why it does not."""

    level: CacheLevel
    is_healthy: bool
    latency_ms: float = 0.0
    away_seconds: float = 0.0
    opened_count: int = 0
    problem: str = ""


@dataclass(frozen=True)
class CacheStatistics:
    """What a cache holds and did since its counters began, in all processes.

    ``sizes`` counts each level's entries, memory being this process's alone; ``events`` is by
    level ("" for what concerns none), prefix and event.
    """

    sizes: dict[CacheLevel, list[LevelSize]]
    events: dict[tuple[str, str, str], int]
    problems: dict[CacheLevel, str] = field(default_factory=dict)

    def total(self, event: Event, level: str = "", prefix: str | None = None) -> int:
        """Return how often something happened at a level, for one prefix or for all."""
        return sum(
            count
            for (a_level, a_prefix, an_event), count in self.events.items()
            if a_level == level and an_event == event and prefix in (None, a_prefix)
        )

    def hit_ratio(self, level: str, prefix: str | None = None) -> float | None:
        """Return the share of questions to a level that it could answer; None without any."""
        hits = self.total(Event.HIT, level, prefix)
        asked = hits + self.total(Event.MISS, level, prefix)
        return hits / asked if asked else None


def health_of(hierarchy: CacheHierarchy) -> list[LevelHealth]:
    """Ask each level that a cache has whether it is there."""
    found = []
    if CacheLevel.MEMORY in hierarchy.options.levels:
        found.append(LevelHealth(CacheLevel.MEMORY, is_healthy=True))
    for level, place, breaker, is_there in (
        (CacheLevel.REDIS, hierarchy.redis, hierarchy.redis_breaker, hierarchy.has_redis),
        (
            CacheLevel.DATABASE,
            hierarchy.database,
            hierarchy.database_breaker,
            hierarchy.has_database,
        ),
    ):
        if not is_there:
            continue
        started = time.monotonic()
        problem = ""
        try:
            with breaker:
                place.ping()
        except LevelIsAway as error:
            problem = str(error)
        now = time.monotonic()
        away_since = breaker.away_since
        found.append(
            LevelHealth(
                level,
                is_healthy=not problem,
                latency_ms=1000 * (now - started),
                away_seconds=0.0 if away_since is None else now - away_since,
                opened_count=breaker.opened_count,
                problem=problem,
            )
        )
    return found


def statistics_of(hierarchy: CacheHierarchy) -> CacheStatistics:
    """Count what each level holds, however long that takes, and add up what was counted."""
    hierarchy.keeper.flush()
    problems: dict[CacheLevel, str] = {}
    sizes: dict[CacheLevel, list[LevelSize]] = {CacheLevel.MEMORY: _memory_sizes(hierarchy)}
    events = {tuple(count): number for count, number in dict(hierarchy.statistics.counts).items()}
    if hierarchy.has_redis:
        try:
            with hierarchy.redis_breaker:
                sizes[CacheLevel.REDIS] = hierarchy.redis.sizes()
        except LevelIsAway as error:
            problems[CacheLevel.REDIS] = str(error)
    if hierarchy.has_database:
        try:
            with hierarchy.database_breaker:
                sizes[CacheLevel.DATABASE] = hierarchy.database.sizes()
                for count, number in hierarchy.database.counts().items():
                    events[count] = events.get(count, 0) + number
        except LevelIsAway as error:
            problems[CacheLevel.DATABASE] = str(error)
    return CacheStatistics(sizes, {(a, b, str(c)): n for (a, b, c), n in events.items()}, problems)


def _memory_sizes(hierarchy: CacheHierarchy) -> list[LevelSize]:
    counted: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for key, slot in hierarchy.memory.items():
        counted[slot.entry.prefix][0] += 1
        counted[slot.entry.prefix][1] += hierarchy.memory.size_of(key, slot)
    return [LevelSize(prefix, *pair) for prefix, pair in sorted(counted.items())]
