"""How a cache is doing, in figures for programs and for the pages of the admin."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Sum

from caching.choices import CacheLevel
from caching.health import CacheStatistics, LevelHealth, health_of, statistics_of
from caching.models import CacheCounter, CacheEntry
from caching.statistics import Event

if TYPE_CHECKING:
    from caching.hierarchy import CacheHierarchy

#: What is counted at each level: name in a report -> event.
LEVEL_EVENTS = {
    "hits": Event.HIT,
    "misses": Event.MISS,
    "promotions": Event.PROMOTION,
    "evictions": Event.EVICTION,
    "undecodable": Event.UNDECODABLE,
}

#: What is counted for a cache as a whole.
CACHE_EVENTS = {
    "writes": Event.WRITE,
    "deletions": Event.DELETION,
    "loads": Event.LOAD,
    "load_failures": Event.LOAD_FAILURE,
    "stampedes_avoided": Event.STAMPEDE_AVOIDED,
    "stale_hits": Event.STALE_HIT,
}

#: Up to this many entries an overview counts them.
COUNT_LIMIT = 100_000

#: What a level is made of.
MADE_OF = {
    CacheLevel.MEMORY: "memory",
    CacheLevel.REDIS: "Redis",
    CacheLevel.DATABASE: "PostgreSQL",
}


@dataclass(frozen=True)
class LevelOverview:
    """What can be told of a level without counting all it has.

    ``entry_count`` and ``size_bytes`` are None where only counting tells, and the least there is
    when there ``is_more``.
    """

    name: str
    health: LevelHealth
    hit_count: int
    hit_ratio: float | None
    entry_count: int | None = None
    size_bytes: int | None = None
    is_more: bool = False


def overview_of(hierarchy: CacheHierarchy) -> list[LevelOverview]:
    """Describe each level, in a few queries; what processes counted is told seconds later."""
    alias = hierarchy.options.database
    counters = CacheCounter.objects.using(alias).values_list("level", "prefix", "event", "count")
    statistics = CacheStatistics({}, {(at, prefix, e): count for at, prefix, e, count in counters})
    fresh = CacheEntry.objects.using(alias).fresh().order_by().values("size_bytes")
    held = fresh[: COUNT_LIMIT + 1].aggregate(count=Count("*"), size=Sum("size_bytes", default=0))
    sizes: dict[CacheLevel, dict[str, Any]] = {
        CacheLevel.MEMORY: {
            "entry_count": len(hierarchy.memory),
            "size_bytes": hierarchy.memory.size_bytes,
        },
        CacheLevel.DATABASE: {
            "entry_count": min(held["count"], COUNT_LIMIT),
            "size_bytes": held["size"],
            "is_more": held["count"] > COUNT_LIMIT,
        },
    }
    return [
        LevelOverview(
            name=MADE_OF[health.level],
            health=health,
            hit_count=statistics.total(Event.HIT, health.level),
            hit_ratio=statistics.hit_ratio(health.level),
            **sizes.get(health.level, {}),
        )
        for health in health_of(hierarchy)
    ]


def report_of(hierarchy: CacheHierarchy) -> dict[str, Any]:
    """Describe the health of each level, what it holds and did, and what the whole cache did.

    All is also told by prefix. Everything is counted, however long that takes. Memory is that of
    this process, the events are those of all; entries of a level that is away are null.
    """
    health = health_of(hierarchy)
    statistics = statistics_of(hierarchy)
    return {
        "levels": [
            {
                **asdict(each),
                "name": MADE_OF[each.level],
                **_level_figures(statistics, each.level, None),
                "prefixes": [
                    {"prefix": prefix, **_level_figures(statistics, each.level, prefix)}
                    for prefix in _prefixes(statistics, each.level)
                ],
            }
            for each in health
        ],
        **_cache_figures(statistics, None),
        "prefixes": [
            {"prefix": prefix, **_cache_figures(statistics, prefix)}
            for prefix in _prefixes(statistics, "")
        ],
    }


def _level_figures(
    statistics: CacheStatistics, level: CacheLevel, prefix: str | None
) -> dict[str, Any]:
    sizes = statistics.sizes.get(level)
    held = [size for size in sizes or [] if prefix in (None, size.prefix)]
    return {
        "entries": None if sizes is None else sum(size.entry_count for size in held),
        "size_bytes": None if sizes is None else sum(size.size_bytes for size in held),
        **{name: statistics.total(event, level, prefix) for name, event in LEVEL_EVENTS.items()},
        "hit_ratio": statistics.hit_ratio(level, prefix),
    }


def _cache_figures(statistics: CacheStatistics, prefix: str | None) -> dict[str, Any]:
    return {
        **{name: statistics.total(e, prefix=prefix) for name, e in CACHE_EVENTS.items()},
        "load_seconds": statistics.total(Event.LOAD_MS, prefix=prefix) / 1000,
    }


def _prefixes(statistics: CacheStatistics, level: str) -> list[str]:
    counted = {prefix for at, prefix, _ in statistics.events if at == level}
    sizes = statistics.sizes.get(CacheLevel(level), []) if level else []
    return sorted(counted | {size.prefix for size in sizes})
