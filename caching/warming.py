"""Bringing near what was used most, before anybody asks."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.cache import caches

from caching.exceptions import LevelIsAway

if TYPE_CHECKING:
    from caching.backend import MultiLevelCache

logger = logging.getLogger(__name__)

#: Entries that are brought at once.
BATCH = 200


@dataclass(frozen=True)
class WarmingReport:
    """How many entries were wanted, and how many were brought to memory (and Redis)."""

    wanted_count: int
    warmed_count: int


class CacheWarmer:
    """Copies entries of the database into the nearer levels: the most read of the recent ones."""

    def __init__(self, cache: "MultiLevelCache | None" = None) -> None:
        self._cache: MultiLevelCache = cache or caches["default"]  # type: ignore[assignment]

    def warm(
        self,
        *,
        limit: int = 1_000,
        prefix: str | None = None,
        progress: Callable[[int], object] = lambda count: None,
    ) -> WarmingReport:
        """Warm up to ``limit`` entries, of one prefix or of all; ``progress`` hears of each batch.

        What is in memory already stays as it is. Does nothing when the database is away.
        """
        hierarchy = self._cache.hierarchy
        if not hierarchy.has_database:
            return WarmingReport(0, 0)
        try:
            with hierarchy.database_breaker:
                wanted = hierarchy.database.most_used(limit, prefix)
        except LevelIsAway as error:
            logger.warning("nothing is warmed: %s", error)
            return WarmingReport(0, 0)
        warmed_count = 0
        for start in range(0, len(wanted), BATCH):
            keys = self._cache.keys_of(wanted[start : start + BATCH])
            missing = [key for key in keys if hierarchy.memory.get(key.full) is None]
            warmed_count += len(hierarchy.lookup.many(missing))
            hierarchy.statistics.forget_reads([key.full for key in missing])  # nobody asked
            progress(len(keys))
        return WarmingReport(len(wanted), warmed_count)
