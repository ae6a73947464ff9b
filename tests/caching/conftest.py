"""Caches as processes have them: each with a hierarchy of its own, all on the same servers."""

from collections.abc import Iterator
from typing import Any, Protocol
from uuid import uuid4

import pytest
from django.conf import settings

from caching.backend import MultiLevelCache
from caching.entries import Entry
from caching.hierarchy import CacheHierarchy, forget_hierarchies
from caching.levels.database import DatabaseLevel
from tests.waiting import wait_for

TABLES = ("cache_entries", "cache_tags", "cache_repairs", "cache_counters")

ALL = ("L1", "L2", "L3")

#: Sets of levels, for tests of what holds for all of them.
LEVEL_SETS = [
    pytest.param(levels, id="+".join(levels))
    for levels in (("L1",), ("L2",), ("L3",), ("L1", "L2"), ("L1", "L3"), ALL)
]

#: Those that more than one process can have.
SHARED_LEVEL_SETS = [
    pytest.param(levels, id="+".join(levels)) for levels in (("L1", "L2"), ("L1", "L3"), ALL)
]


class ProcessCache(MultiLevelCache):
    """A cache that shares its hierarchy with no other, like that of another process."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(location, params)
        self._own = CacheHierarchy(self._options)
        self._own.start()
        if self._own.has_redis:
            wait_for(lambda: self._own.backplane.is_connected, seconds=10)

    @property
    def hierarchy(self) -> CacheHierarchy:
        return self._own

    def has_in_memory(self, key: str) -> bool:
        return self._own.memory.get(self.make_key(key)) is not None

    def in_redis(self, key: str) -> Entry | None:
        """Return what Redis has, whatever this process thinks of Redis."""
        return self._own.redis.get(self.make_key(key))

    def in_database(self, key: str) -> Entry | None:
        """Return what PostgreSQL has, whatever this process thinks of it."""
        return self._own.database.get(self.make_key(key))

    def forget_memory(self) -> None:
        self._own.memory.clear()

    def forget_redis(self) -> None:
        """Lose all that Redis has of this cache, as an eviction does."""
        self._own.redis.clear()


class MakeCache(Protocol):
    def __call__(self, levels: tuple[str, ...] = ..., **options: Any) -> ProcessCache: ...


def settle(writer: ProcessCache, *readers: ProcessCache) -> None:
    """Return when the readers have heard all that the writer has told so far."""
    marker = f"marker:{uuid4()}"
    told = writer.hierarchy.backplane.keys_written({marker: 0})
    for reader in readers:
        memory = reader.hierarchy.memory
        memory.promote(
            marker, Entry(b"", version=1), None, until=2**40, ticket=memory.ticket(marker)
        )
    writer.hierarchy.redis.publish(told)
    for reader in readers:
        held = reader.hierarchy.memory.get
        wait_for(lambda held=held: held(marker) is None, seconds=10, every=0.001)  # type: ignore[misc]


@pytest.fixture
def cache_tables(db: None) -> Iterator[DatabaseLevel]:
    """The tables of the cache; what is in them is gone after the test."""
    level = DatabaseLevel()
    yield level
    for table in TABLES:
        level._execute(f"DELETE FROM {table}")  # noqa: S608 - our own words
    level.close()


@pytest.fixture
def make_cache(cache_tables: DatabaseLevel) -> Iterator[MakeCache]:
    """Make caches that share one namespace; they are stopped after the test."""
    namespace = f"test-{uuid4()}"
    made: list[ProcessCache] = []

    def make(levels: tuple[str, ...] = ALL, **options: Any) -> ProcessCache:
        params: dict[str, Any] = {
            name: options.pop(name)
            for name in ("KEY_PREFIX", "KEY_FUNCTION", "VERSION", "TIMEOUT")
            if name in options
        }
        location = options.pop("LOCATION", settings.REDIS_URL)
        defaults = {"NAMESPACE": namespace, "LEVELS": levels, "REDIS_TIMEOUT_SECONDS": 2.0}
        made.append(ProcessCache(location, {**params, "OPTIONS": {**defaults, **options}}))
        return made[-1]

    yield make
    for cache in made:
        cache.hierarchy.stop()
    forget_hierarchies()


@pytest.fixture
def cache(make_cache: MakeCache) -> ProcessCache:
    """A cache of all three levels."""
    return make_cache()


@pytest.fixture
def other(cache: ProcessCache, make_cache: MakeCache) -> ProcessCache:
    """The same cache in another process."""
    return make_cache()


@pytest.fixture
def leveled(request: pytest.FixtureRequest, make_cache: MakeCache) -> ProcessCache:
    """A cache of the levels that the test is parametrized with."""
    return make_cache(request.param)
