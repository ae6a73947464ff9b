"""Warming brings near what was used most."""

import pytest

from caching.warming import CacheWarmer, WarmingReport
from tests.caching.conftest import MakeCache, ProcessCache
from tests.caching.servers import take_database_away

pytestmark = pytest.mark.django_db


def used(cache: ProcessCache, **counts: int) -> None:
    """Have entries that were read so often, in the database alone."""
    cache.set_many({name.replace("_", ":"): name for name in counts}, 600)
    for name, count in counts.items():
        for _ in range(count):
            cache.get(name.replace("_", ":"))
    cache.hierarchy.keeper.flush()
    cache.forget_memory()
    cache.forget_redis()


def test_the_most_used_entries_come_near(cache: ProcessCache) -> None:
    used(cache, a_1=1, a_2=5, a_3=3, b_1=4)

    report = CacheWarmer(cache).warm(limit=2)

    assert report == WarmingReport(wanted_count=2, warmed_count=2)
    assert [key for key in ("a:1", "a:2", "a:3", "b:1") if cache.has_in_memory(key)] == [
        "a:2", "b:1",
    ]  # fmt: skip
    assert [cache.in_redis(key) is not None for key in ("a:2", "b:1", "a:1")] == [True, True, False]


def test_one_prefix_is_warmed_alone(cache: ProcessCache) -> None:
    used(cache, a_1=1, a_2=5, b_1=4)

    assert CacheWarmer(cache).warm(prefix="a").warmed_count == 2
    assert not cache.has_in_memory("b:1")


def test_what_is_warmed_keeps_its_end_its_tags_and_its_prefix(cache: ProcessCache) -> None:
    cache.set("a:1", "value", 600, tags=["tag"])
    cache.forget_memory()
    before = cache.in_database("a:1")

    CacheWarmer(cache).warm()

    slot = cache.hierarchy.memory.get(cache.make_key("a:1"))
    assert slot is not None
    assert before is not None
    assert slot.entry.expires_at == pytest.approx(before.expires_at, abs=0.001)
    assert (slot.entry.prefix, slot.entry.version) == ("a", before.version)
    cache.invalidate_tags("tag")
    assert cache.get("a:1") is None


def test_what_is_invalid_is_not_warmed(cache: ProcessCache) -> None:
    cache.set("a:1", "value", tags=["tag"])
    cache.set("a:2", "value", 0.01)
    cache.invalidate_tags("tag")
    cache.forget_memory()

    assert CacheWarmer(cache).warm().warmed_count <= 1
    assert not cache.has_in_memory("a:1")


def test_warming_keeps_to_the_levels_of_a_prefix(make_cache: MakeCache) -> None:
    policies = {"page:": {"LEVELS": ["L1", "L3"]}, "far:": {"LEVELS": ["L2", "L3"]}}
    cache = make_cache(POLICIES=policies)
    used(cache, page_1=1, far_1=1)

    CacheWarmer(cache).warm()

    assert (cache.has_in_memory("page:1"), cache.in_redis("page:1")) == (True, None)
    assert cache.has_in_memory("far:1") is False
    assert cache.in_redis("far:1") is not None


def test_progress_is_told_batch_by_batch(cache: ProcessCache) -> None:
    cache.set_many({f"a:{n}": n for n in range(450)})
    told: list[int] = []

    CacheWarmer(cache).warm(progress=told.append)

    assert sum(told) == 450
    assert len(told) == 3


def test_nothing_is_warmed_while_the_database_is_away(cache: ProcessCache) -> None:
    used(cache, a_1=1)
    take_database_away(cache)

    assert CacheWarmer(cache).warm() == WarmingReport(0, 0)


def test_nothing_is_warmed_without_a_database(make_cache: MakeCache) -> None:
    assert CacheWarmer(make_cache(("L1", "L2"))).warm() == WarmingReport(0, 0)
