"""The housekeeping of one process: counts are written down, old copies are let go."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from caching.choices import CacheLevel
from caching.exceptions import LevelIsAway
from caching.statistics import Event

if TYPE_CHECKING:
    from caching.hierarchy import CacheHierarchy

#: A loader whose process shows no life for so long is taken for dead.
LEASE_SECONDS = 3.0

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0
STOP_SECONDS = 2.0

#: Counts and reads of this long are written down together.
FLUSH_SECONDS = 5.0

#: Each process removes so many rows that nobody can have any more, so often.
PURGE_SECONDS = 60.0
PURGED_AT_ONCE = 1_000

#: How long copies in memory are trusted that were made before the backplane went away.
TRUST_SECONDS = 5.0


class Keeper:
    """A thread that looks after a hierarchy once a second."""

    def __init__(self, hierarchy: CacheHierarchy) -> None:
        self._hierarchy = hierarchy
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cache-keeper", daemon=True)
        self._flushed_at = self._purged_at = time.monotonic()
        self._told_at = time.monotonic()
        self._is_blind = True
        self._losses: dict[CacheLevel, int] = {}
        #: Keys that this process is loading, with the tokens of their leases.
        self.leases: dict[str, str] = {}

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Write down what was counted, and look no more."""
        self._is_over.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(STOP_SECONDS)
        self.flush()

    def flush(self) -> None:
        """Add what this process counted to what all have; keep it when that is impossible."""
        h = self._hierarchy
        statistics = h.statistics
        self._count_losses()
        if not h.has_database:
            return
        counts, reads = statistics.take()
        if not (counts or reads):
            return
        now = time.time()
        try:
            with h.database_breaker:
                h.database.add_counts(
                    {(c.level, c.prefix, c.event): number for c, number in counts.items()}
                )
                h.database.record_reads({key: (number, now) for key, number in reads.items()})
        except LevelIsAway:
            statistics.give_back(counts, reads)

    def _count_losses(self) -> None:
        """Count what the levels have thrown away since this was asked last."""
        h = self._hierarchy
        for event, level, total in (
            (Event.EVICTION, CacheLevel.MEMORY, h.memory.eviction_count),
            (Event.UNDECODABLE, CacheLevel.REDIS, h.redis.undecodable_count),
            (Event.UNDECODABLE, CacheLevel.DATABASE, h.database.undecodable_count),
        ):
            h.statistics.add(event, level=level, count=total - self._losses.get(level, 0))
            self._losses[level] = total

    def _run(self) -> None:
        while not self._is_over.wait(TICK_SECONDS):
            try:
                self._look(time.monotonic())
            except Exception:
                logger.exception("the housekeeping of the cache goes on")

    def _look(self, now: float) -> None:
        h = self._hierarchy
        if self.leases:
            with suppress(LevelIsAway), h.redis_breaker:
                h.redis.renew_leases(dict(self.leases), LEASE_SECONDS)
        if h.backplane.is_connected:
            self._told_at, self._is_blind = now, False
        elif h.has_redis or h.has_database:
            h.tags.distrust()
            if not self._is_blind and now - self._told_at > TRUST_SECONDS:
                self._is_blind = True
                h.memory.clear()
        if now - self._flushed_at >= FLUSH_SECONDS:
            self._flushed_at = now
            self.flush()
            with suppress(LevelIsAway):
                h.repair.what_is_left()
        if h.has_database and now - self._purged_at >= PURGE_SECONDS:
            self._purged_at = now
            with suppress(LevelIsAway), h.database_breaker:
                h.database.purge(PURGED_AT_ONCE)
