"""PostgreSQL goes away and comes back, alone or with Redis."""

import time

import pytest

from tests.caching.conftest import MakeCache, ProcessCache, settle
from tests.caching.servers import (
    OwnRedis,
    give_database_back,
    redis_is_back,
    take_database_away,
)
from tests.caching.test_outages import (
    RIGHT,
    change,
    fill,
    own_redis,
    pair,
    serves_nothing_old,
    wrong,
)
from tests.waiting import wait_for

__all__ = ["own_redis", "pair"]

pytestmark = pytest.mark.django_db


def test_memory_and_redis_go_on_without_the_database(
    cache: ProcessCache, other: ProcessCache
) -> None:
    fill(cache, other)
    cache.set("n", 1)
    take_database_away(cache, other)

    change(cache)
    settle(cache, other)

    assert (wrong(cache), wrong(other)) == ({}, {})
    assert (other.get("overwritten"), other.get("many"), other.get("loaded")) == ("new",) * 3
    assert [cache.incr("n"), other.incr("n"), cache.incr("n")] == [2, 3, 4]
    assert cache.add("added", 1) is True
    assert other.add("added", 2) is False


def test_what_was_written_meanwhile_is_not_overshadowed_by_old_rows(
    cache: ProcessCache, other: ProcessCache
) -> None:
    fill(cache, other)
    take_database_away(cache, other)
    change(cache)
    other.get("overwritten")

    give_database_back(cache, other)

    assert (wrong(cache), wrong(other)) == ({}, {})
    assert cache.get("overwritten") == other.get("overwritten") == "new"
    cache.forget_redis()
    cache.forget_memory()
    other.forget_memory()
    assert (wrong(cache), wrong(other)) == ({}, {})
    wait_for(lambda: cache.hierarchy.redis.repairs(10) == [], seconds=2)


def test_what_was_cleared_meanwhile_stays_away(cache: ProcessCache, other: ProcessCache) -> None:
    fill(cache, other)
    take_database_away(cache)

    cache.clear()
    give_database_back(cache)
    cache.forget_redis()
    settle(cache, other)

    assert cache.get_many(RIGHT) == {}
    other.forget_memory()
    assert other.get_many(RIGHT) == {}


def test_what_was_written_meanwhile_is_counted_on(cache: ProcessCache) -> None:
    take_database_away(cache)
    cache.set("n", 1, tags=["tag"])
    give_database_back(cache)

    assert cache.get("n") == 1
    assert cache.incr("n") == 2
    assert cache.add("n", 5) is False
    assert cache.touch("n", 60) is True
    assert cache.get("n") == 2
    assert cache.delete("n") is True
    assert cache.get("n") is None


def test_a_write_at_the_end_of_the_repair_is_not_forgotten(cache: ProcessCache) -> None:
    cache.set("key", "old", None)
    take_database_away(cache)
    cache.set("other", "new")
    breaker = cache.hierarchy.database_breaker
    recover = breaker._recover
    written: list[str] = []

    def recover_then_write() -> None:
        recover()
        if not written:
            cache.set("key", "new", None)
            written.append("key")

    breaker._recover = recover_then_write
    give_database_back(cache)
    wait_for(lambda: written, seconds=5)
    time.sleep(0.1)
    cache.forget_memory()
    cache.forget_redis()

    assert cache.get("key") in ("new", None)


def test_memory_and_the_database_without_redis_serve_nothing_old(make_cache: MakeCache) -> None:
    cache, other = make_cache(("L1", "L3")), make_cache(("L1", "L3"))
    fill_alone(cache)
    take_database_away(cache)
    change(cache)
    is_right = cache.get("overwritten") == "new" and cache.get("deleted") is None

    give_database_back(cache)
    cache.forget_memory()

    assert is_right
    assert wrong(cache) == {}
    serves_nothing_old(other)


def fill_alone(cache: ProcessCache) -> None:
    cache.clear()
    cache.set_many({"overwritten": "old", "deleted": "old", "kept": "kept"}, None)
    cache.set_many({"many": "old", "loaded": "old", "touched": "old"}, None)
    cache.set("tagged", "old", None, tags=["tag"])


@pytest.mark.parametrize("levels", [("L1", "L3"), ("L1", "L2", "L3")], ids="+".join)
def test_what_a_pattern_deletes_while_the_database_is_away_is_not_served_after_it(
    make_cache: MakeCache, levels: tuple[str, ...]
) -> None:
    cache = make_cache(levels)
    cache.set_many({"deleted": "old", "written": "old", "kept": "kept"}, None)
    cache.forget_memory()
    cache.forget_redis() if cache.hierarchy.has_redis else None

    take_database_away(cache)
    cache.delete_pattern("*e*ed")
    cache.delete_pattern("w*")
    cache.set("written", "new", None)
    give_database_back(cache)
    cache.forget_memory()

    assert cache.get("deleted") is None
    assert cache.get("written") in ("new", None)
    assert cache.get("kept") == "kept"


def test_a_prefix_that_is_not_in_redis_serves_nothing_old(make_cache: MakeCache) -> None:
    cache = make_cache(POLICIES={"page:": {"LEVELS": ["L1", "L3"]}})
    cache.set_many({"page:a": "old", "page:b": "old", "page:c": "old"}, None)
    take_database_away(cache)

    cache.set("page:a", "new", None)
    cache.set_many({"page:b": "new"}, None)
    cache.delete("page:c")
    give_database_back(cache)
    cache.forget_memory()

    found = cache.get_many(["page:a", "page:b", "page:c"])
    assert set(found.values()) <= {"new"}
    assert "page:c" not in found


@pytest.mark.parametrize("first", ["Redis", "PostgreSQL"])
def test_nothing_old_is_served_after_both_were_away(
    own_redis: OwnRedis, pair: list[ProcessCache], first: str
) -> None:
    cache, other = pair
    fill(cache, other)

    own_redis.freeze()
    take_database_away(cache, other)
    change(cache)
    alone = {key: cache.get(key) for key in ("overwritten", "deleted", "tagged", "kept")}
    time.sleep(0.5)
    if first == "Redis":
        own_redis.thaw()
        redis_is_back(cache, other, seconds=3)
        give_database_back(cache, other)
    else:
        give_database_back(cache, other)
        own_redis.thaw()
        redis_is_back(cache, other, seconds=3)

    assert alone == {"overwritten": "new", "deleted": None, "tagged": None, "kept": "kept"}
    cache.forget_memory()
    assert wrong(cache) == {}
    serves_nothing_old(other)
    other.forget_memory()
    assert wrong(other) == {}
