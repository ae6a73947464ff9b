"""Making what is not there: once, however many ask, with what was there before to fall back on."""

from __future__ import annotations

import logging
import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cachebox import LRUCache

from caching.codec import decode, encode
from caching.entries import Entry
from caching.exceptions import LevelIsAway
from caching.keeper import LEASE_SECONDS
from caching.statistics import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from caching.hierarchy import CacheHierarchy
    from caching.keys import CacheKey
    from caching.lookup import Found
    from caching.singleflight import Flight

logger = logging.getLogger(__name__)

#: Who waits for another process is woken; where that fails, it looks this often.
LOOK_SECONDS = 0.05

#: After a loader failed, what is stale is served for so long without asking it again.
RETRY_SECONDS = 1.0

#: Keys of which it is remembered that their loader failed.
MAX_FAILURES = 10_000


@dataclass(frozen=True)
class LoadPolicy:
    """For how long what is loaded is good, and what to do when loading is slow or fails.

    ``timeout`` is in seconds, None for ever; ``negative_timeout`` is that of None, when another
    is wanted. Up to the share ``jitter`` of it is taken off, so that what was loaded together
    does not expire together. For ``stale_seconds`` after that, the stale value is served while
    the loader fails, and while it takes longer than ``soft_timeout_seconds``. When the share
    ``early_refresh`` of its life is over, one caller has it loaded anew, and nobody waits.
    ``tags`` invalidate it.
    """

    timeout: float | None
    negative_timeout: float | None = None
    jitter: float = 0.0
    stale_seconds: float = 0.0
    soft_timeout_seconds: float | None = None
    early_refresh: float | None = None
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.jitter < 1:
            raise ValueError(f"jitter is {self.jitter}, not a share from 0 to below 1")
        if self.early_refresh is not None and not 0 < self.early_refresh < 1:
            raise ValueError(f"early_refresh is {self.early_refresh}, not a share between 0 and 1")
        if self.stale_seconds < 0:
            raise ValueError(f"stale_seconds is {self.stale_seconds}, which is negative")

    def seconds(self, value: Any) -> float | None:
        """Return for how long a loaded ``value`` is good."""
        is_negative = value is None and self.negative_timeout is not None
        timeout = self.negative_timeout if is_negative else self.timeout
        return None if timeout is None else timeout * (1 - self.jitter * random.random())  # noqa: S311


class Loading:
    """The side of a hierarchy that makes values."""

    def __init__(self, hierarchy: CacheHierarchy) -> None:
        self._hierarchy = hierarchy
        self._statistics = hierarchy.statistics
        self._failed_at: LRUCache[str, float] = LRUCache(MAX_FAILURES)

    def value(self, key: CacheKey, loader: Callable[[], Any], policy: LoadPolicy) -> Any:
        """Return the value of ``key``, the caller's own; have ``loader`` make a missing one.

        Of all that ask at once, in all processes, one calls its loader; the others get what it
        made, or the error that it raised. What was invalidated meanwhile is not kept.
        """
        found = self._hierarchy.lookup.found(key)
        if found.entry is not None:
            if self._is_to_be_refreshed(found.entry, policy) and not self._has_failed(key):
                self._refresh(key, found.entry, loader, policy)
            return found.value
        stale = found.stale if policy.stale_seconds else None
        if stale is not None and self._has_failed(key):
            return self._stale(key, stale)
        flight = self._join(key, loader, policy, is_behind=self._may_be_behind(stale, policy))
        try:
            entry = flight.wait(policy.soft_timeout_seconds if stale is not None else None)
        except Exception as error:
            if stale is None:
                raise
            logger.warning("%s is served stale, its loader failed: %r", key.full, error)
            return self._stale(key, stale)
        if entry is None and stale is not None:
            return self._stale(key, stale)
        return _value(entry)

    def entry(self, key: CacheKey, value: Any, policy: LoadPolicy) -> Entry:
        """Return an entry made now, without its tags; TypeError when ``value`` cannot be one."""
        now = time.time()
        seconds = policy.seconds(value)
        end = None if seconds is None else now + seconds
        return Entry(
            payload=encode(value, key=key.full),
            stored_at=now,
            expires_at=end,
            discard_at=None if end is None else end + policy.stale_seconds,
            prefix=key.prefix,
        )

    def _join(
        self, key: CacheKey, loader: Callable[[], Any], policy: LoadPolicy, *, is_behind: bool
    ) -> Flight:
        """Join the flight for ``key``; make it when there is none, behind the caller if wanted."""
        while True:
            flight, is_leader = self._hierarchy.flights.join(key.full)
            if not is_leader:
                self._statistics.add(Event.STAMPEDE_AVOIDED, key.prefix)
            elif is_behind:
                self._fly_behind(flight, key, loader, policy)
            else:
                self._fly(flight, key, loader, policy)
            if is_leader or is_behind or not flight.is_abandoned():
                return flight

    def _refresh(
        self, key: CacheKey, entry: Entry, loader: Callable[[], Any], policy: LoadPolicy
    ) -> None:
        """Have a new value loaded while ``entry`` is good, unless that is being done."""
        flight, is_leader = self._hierarchy.flights.join(key.full)
        if not is_leader:
            return
        if self._has_failed(key):  # and that flight ended after the caller had looked
            flight.land(entry)
            self._hierarchy.flights.end(flight)
        else:
            self._fly_behind(flight, key, loader, policy)

    def _fly_behind(
        self, flight: Flight, key: CacheKey, loader: Callable[[], Any], policy: LoadPolicy
    ) -> None:
        threading.Thread(
            target=self._fly, args=(flight, key, loader, policy), name="cache-loader", daemon=True
        ).start()

    def _fly(
        self, flight: Flight, key: CacheKey, loader: Callable[[], Any], policy: LoadPolicy
    ) -> None:
        """Make a flight; how it ends is told to those who wait, and not raised here."""
        h = self._hierarchy
        token = uuid4().hex
        try:
            already = self._wait_for_lease(flight, key, token)
            if already is not None:
                flight.land(already)
                return
            tags = h.tags.current(policy.tags)
            base = h.lookup.decided(key)
            if base.entry is not None and not self._is_to_be_refreshed(base.entry, policy):
                flight.land(base.entry)
                return
            flight.land(self._loaded(key, loader, policy, base, tags=tags, token=token))
        except BaseException as error:
            self._failed_at[key.full] = time.monotonic()
            flight.land(error=error)
            if not isinstance(error, Exception):
                raise
        finally:
            h.flights.end(flight)
            self._release_lease(key, token)

    def _loaded(
        self,
        key: CacheKey,
        loader: Callable[[], Any],
        policy: LoadPolicy,
        base: Found,
        *,
        tags: tuple[tuple[str, int], ...],
        token: str,
    ) -> Entry:
        """Call the loader; keep what it makes, unless its key was written or deleted meanwhile."""
        started = time.monotonic()
        try:
            value = loader()
        except BaseException:
            self._statistics.add(Event.LOAD_FAILURE, key.prefix)
            raise
        ms = round(1000 * (time.monotonic() - started))
        self._statistics.add(Event.LOAD, key.prefix)
        self._statistics.add(Event.LOAD_MS, key.prefix, count=ms)
        entry = self.entry(key, value, policy).tagged(tags)
        seconds = policy.seconds(value)
        if seconds is None or seconds > 0:
            self._hierarchy.writes.put(key, entry, value, expected=base.version, lease=token)
        return entry

    def _wait_for_lease(self, flight: Flight, key: CacheKey, token: str) -> Entry | None:
        """Return once this process may load, or with what another one has loaded."""
        h = self._hierarchy
        while h.has_redis:
            try:
                with h.redis_breaker:
                    if h.redis.acquire_lease(key.full, token, LEASE_SECONDS):
                        h.keeper.leases[key.full] = token
                        return None
            except LevelIsAway:
                return None
            flight.is_woken.wait(LOOK_SECONDS)
            flight.is_woken.clear()
            found = h.lookup.found(key)
            if found.entry is not None:
                self._statistics.add(Event.STAMPEDE_AVOIDED, key.prefix)
                return found.entry
        return None

    def _release_lease(self, key: CacheKey, token: str) -> None:
        h = self._hierarchy
        if h.keeper.leases.get(key.full) == token:
            del h.keeper.leases[key.full]
            with suppress(LevelIsAway), h.redis_breaker:
                h.redis.release_lease(key.full, token)

    def _stale(self, key: CacheKey, entry: Entry) -> Any:
        self._statistics.add(Event.STALE_HIT, key.prefix)
        return _value(entry)

    def _has_failed(self, key: CacheKey) -> bool:
        failed_at = self._failed_at.get(key.full)
        return failed_at is not None and time.monotonic() - failed_at < RETRY_SECONDS

    @staticmethod
    def _may_be_behind(stale: Entry | None, policy: LoadPolicy) -> bool:
        return stale is not None and policy.soft_timeout_seconds is not None

    @staticmethod
    def _is_to_be_refreshed(entry: Entry, policy: LoadPolicy) -> bool:
        if policy.early_refresh is None or entry.expires_at is None:
            return False
        life = entry.expires_at - entry.stored_at
        return time.time() >= entry.stored_at + policy.early_refresh * life


def _value(entry: Entry | None) -> Any:
    """Return the value of a flight that was waited for to its end."""
    return None if entry is None or entry.payload is None else decode(entry.payload)
