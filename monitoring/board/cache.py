"""The levels of the cache: whether each answers, and how often it knew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caching.backend import get_cache
from caching.health import CacheStatistics, health_of
from caching.models import CacheCounter
from caching.presentation import health_line, ratio
from caching.report import MADE_OF
from caching.statistics import Event

if TYPE_CHECKING:
    from caching.choices import CacheLevel


@dataclass(frozen=True)
class CacheLevelFacts:
    """One level; ``hit_ratio`` is over all processes, since the counters began."""

    level: CacheLevel
    name: str
    is_healthy: bool
    said: str
    problem: str
    hit_ratio: str
    hit_count: int


def cache_facts() -> list[CacheLevelFacts]:
    """Describe the levels, with one query for the counters of all; entries are not counted."""
    hierarchy = get_cache().hierarchy
    rows = CacheCounter.objects.using(hierarchy.options.database)
    counters = rows.values_list("level", "prefix", "event", "count")
    counted = CacheStatistics({}, {(at, prefix, e): count for at, prefix, e, count in counters})
    return [
        CacheLevelFacts(
            level=health.level,
            name=MADE_OF[health.level],
            is_healthy=health.is_healthy,
            said=health_line(health, MADE_OF[health.level]),
            problem=health.problem,
            hit_ratio=ratio(counted.hit_ratio(health.level)),
            hit_count=counted.total(Event.HIT, health.level),
        )
        for health in health_of(hierarchy)
    ]
