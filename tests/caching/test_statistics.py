"""What is counted: per level and prefix, in all processes, and without a write for each read."""

import threading
from itertools import count

import pytest
from django.db import connection

from caching.health import statistics_of
from caching.models import CacheEntry
from caching.statistics import Event
from tests.caching.conftest import LEVEL_SETS, MakeCache, ProcessCache

pytestmark = pytest.mark.django_db


def counted(cache: ProcessCache, event: Event, prefix: str | None = None) -> list[int]:
    """Return how often something happened at each level."""
    statistics = statistics_of(cache.hierarchy)
    return [statistics.total(event, level, prefix) for level in ("L1", "L2", "L3")]


def read_at_all_levels(cache: ProcessCache, read: str) -> None:
    """Read ``a:1`` once from each level, the farthest last, and once in vain."""

    def get(key: str) -> object:
        return cache.get_many([key]).get(key) if read == "get_many" else cache.get(key)

    cache.set("a:1", "value")
    get("a:1")
    cache.forget_memory()
    get("a:1")
    cache.forget_memory()
    cache.forget_redis()
    get("a:1")
    get("b:1")


@pytest.mark.parametrize("read", ["get", "get_many"])
def test_hits_misses_and_promotions_are_counted_at_each_level(
    cache: ProcessCache, read: str
) -> None:
    read_at_all_levels(cache, read)

    assert counted(cache, Event.HIT, "a") == [1, 1, 1]
    assert counted(cache, Event.MISS, "a") == [2, 1, 0]
    assert counted(cache, Event.MISS, "b") == [1, 1, 1]
    assert counted(cache, Event.PROMOTION, "a") == [2, 1, 0]
    assert counted(cache, Event.HIT) == [1, 1, 1]


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
def test_statistics_are_kept_whatever_the_levels(leveled: ProcessCache) -> None:
    leveled.set("a:1", "value")
    leveled.get("a:1")
    leveled.hierarchy.keeper.flush()
    leveled.get("a:1")

    assert sum(counted(leveled, Event.HIT, "a")) == 2


def test_counts_of_all_processes_are_added(cache: ProcessCache, other: ProcessCache) -> None:
    cache.set("a:1", "value")
    other.get("a:1")
    other.hierarchy.keeper.flush()
    cache.get("a:1")

    assert counted(cache, Event.HIT, "a") == [1, 1, 0]


def test_evictions_are_counted(make_cache: MakeCache) -> None:
    cache = make_cache(MAX_ENTRIES=10, MAX_BYTES=10_000)

    cache.set_many({f"a:{n}": n for n in range(25)})

    evicted = counted(cache, Event.EVICTION)[0]
    assert evicted == 25 - len(cache.hierarchy.memory) > 0


def test_statistics_can_be_asked_for_while_others_use_the_cache(cache: ProcessCache) -> None:
    is_over = threading.Event()

    def use() -> None:
        for number in count():
            cache.hierarchy.statistics.add(Event.HIT, f"prefix-{number % 500}", level="L1")
            if is_over.is_set():
                break

    user = threading.Thread(target=use)
    user.start()
    try:
        for _ in range(30):
            statistics_of(cache.hierarchy)
    finally:
        is_over.set()
        user.join()

    assert not user.is_alive()


def test_what_is_held_is_counted_by_prefix(cache: ProcessCache) -> None:
    cache.set_many({"a:1": 1, "a:2": 2, "b:1": 3})

    sizes = statistics_of(cache.hierarchy).sizes

    counts = {level: {s.prefix: s.entry_count for s in held} for level, held in sizes.items()}
    assert counts == {level: {"a": 2, "b": 1} for level in ("L1", "L2", "L3")}


def test_a_read_writes_nothing_until_the_counts_are_flushed(cache: ProcessCache) -> None:
    cache.set("key", "value")
    with connection.cursor() as cursor:
        cursor.execute("SELECT ctid::text FROM cache_entries")
        before = cursor.fetchall()
        for _ in range(5):
            cache.get("key")
        cache.forget_memory()
        cache.get("key")
        cursor.execute("SELECT ctid::text FROM cache_entries")
        unflushed = cursor.fetchall()

    cache.hierarchy.keeper.flush()

    assert unflushed == before
    assert CacheEntry.objects.get().access_count == 6


def test_reads_are_not_lost_while_the_database_is_away(
    cache: ProcessCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.set("a:1", "value")
    cache.get("a:1")
    statistics = cache.hierarchy.statistics
    counts, reads = statistics.take()
    cache.get("a:1")

    statistics.give_back(counts, reads)
    cache.hierarchy.keeper.flush()

    assert CacheEntry.objects.get().access_count == 2
    assert counted(cache, Event.HIT, "a") == [2, 0, 0]
