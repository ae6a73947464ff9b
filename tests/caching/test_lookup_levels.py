"""Which level answers, what is copied where, and for how long."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from caching.choices import CacheLevel
from caching.entries import Entry
from caching.lookup import Found
from tests.caching.conftest import ALL, MakeCache, ProcessCache

pytestmark = pytest.mark.django_db

DAY = 24 * 3600


def of_redis(cache: ProcessCache, key: str, connection: redis.Redis) -> float:
    """Return for how many seconds Redis keeps a key, negative for ever."""
    milliseconds: Any = connection.pttl(cache.hierarchy.redis._value + cache.make_key(key))
    return float(milliseconds) / 1000


def present(entry: Entry | None) -> Entry:
    assert entry is not None
    return entry


def found(cache: ProcessCache, key: str) -> Found:
    return cache.hierarchy.lookup.found(cache._key(key, None))


# The level that answers


def test_lookup_tells_the_nearest_level_that_has_a_value(cache: ProcessCache) -> None:
    cache.set("key", "value")
    near = cache.lookup("key")
    cache.forget_memory()
    middle = cache.lookup("key")
    cache.forget_memory()
    cache.forget_redis()
    far = cache.lookup("key")
    again = cache.lookup("key")

    assert [hit.level for hit in (near, middle, far, again)] == ["L1", "L2", "L3", "L1"]
    assert {hit.value for hit in (near, middle, far, again)} == {"value"}


def test_lookup_tells_none_from_nothing(cache: ProcessCache) -> None:
    cache.set("key", None)

    assert (cache.lookup("key").value, cache.lookup("key").is_hit) == (None, True)
    assert (cache.lookup("never").level, cache.lookup("never").is_hit) == (None, False)


def test_what_the_database_had_is_copied_to_redis_too(cache: ProcessCache) -> None:
    cache.set_many({"a": 1, "b": 2})
    cache.forget_memory()
    cache.forget_redis()

    cache.get("a")
    cache.get_many(["b"])

    assert present(cache.in_redis("a")).version == present(cache.in_database("a")).version
    assert present(cache.in_redis("b")).version == present(cache.in_database("b")).version


def test_a_write_has_one_version_at_all_levels(cache: ProcessCache) -> None:
    cache.set("key", "value", tags=["tag"])

    far, middle = present(cache.in_database("key")), present(cache.in_redis("key"))
    near = present(found(cache, "key").entry)
    assert near.version == middle.version == far.version > 0
    assert near.tags == middle.tags == far.tags
    assert dict(far.tags).keys() == {"*", "tag"}


# Time


@pytest.mark.parametrize("lost", [pytest.param(False, id="L2"), pytest.param(True, id="L3")])
def test_a_copy_has_the_time_that_was_left(
    cache: ProcessCache, redis_connection: redis.Redis, lost: bool
) -> None:
    cache.set("key", "value", 600)
    expires_at = present(found(cache, "key").entry).expires_at
    time.sleep(0.2)
    cache.forget_memory()
    cache.forget_redis() if lost else None

    copy = present(found(cache, "key").entry)

    assert copy.expires_at == pytest.approx(expires_at, abs=0.001)
    assert present(cache.in_redis("key")).expires_at == pytest.approx(expires_at, abs=0.001)
    assert of_redis(cache, "key", redis_connection) <= 599.9


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [
        pytest.param(60, 60, id="a minute"),
        pytest.param(600, 300, id="ten minutes"),
        pytest.param(None, 300, id="no end"),
    ],
)
def test_a_copy_in_memory_is_served_for_five_minutes_at_most(
    cache: ProcessCache, timeout: float | None, expected: float
) -> None:
    cache.set("key", "value", timeout)
    written = cache.hierarchy.memory.get(cache.make_key("key"))
    cache.forget_memory()
    cache.get("key")

    promoted = cache.hierarchy.memory.get(cache.make_key("key"))

    assert written is not None
    assert promoted is not None
    assert written.until == pytest.approx(time.time() + expected, abs=3)
    assert promoted.until == pytest.approx(time.time() + expected, abs=3)


def put(cache: ProcessCache) -> None:
    cache.set("key", "value", None)


def put_long(cache: ProcessCache) -> None:
    cache.set("key", "value", 30 * DAY)


def put_many(cache: ProcessCache) -> None:
    cache.set_many({"key": "value"}, None)


def touch(cache: ProcessCache) -> None:
    cache.set("key", "value", 60)
    cache.touch("key", None)


def count(cache: ProcessCache) -> None:
    cache.set("key", 1, None)
    cache.incr("key")


def promote(cache: ProcessCache) -> None:
    cache.set("key", "value", None)
    cache.forget_memory()
    cache.forget_redis()
    cache.get("key")


@pytest.mark.parametrize("write", [put, put_long, put_many, touch, count, promote])
def test_a_copy_in_redis_is_kept_for_a_day_at_most(
    cache: ProcessCache, redis_connection: redis.Redis, write: Callable[[ProcessCache], None]
) -> None:
    write(cache)
    cache.get("key")

    assert 0.9 * DAY < of_redis(cache, "key", redis_connection) <= DAY


def test_where_redis_decides_a_value_is_kept_as_long_as_was_said(
    make_cache: MakeCache, redis_connection: redis.Redis
) -> None:
    cache = make_cache(("L1", "L2"))

    cache.set("fortnight", "value", 14 * DAY)
    cache.set("endless", "value", None)

    assert of_redis(cache, "fortnight", redis_connection) == pytest.approx(14 * DAY, abs=5)
    assert of_redis(cache, "endless", redis_connection) < 0


# Levels that are not used


def test_a_prefix_has_its_own_levels_and_time(make_cache: MakeCache) -> None:
    policies = {
        "session:": {"LEVELS": ["L1", "L2"]},
        "page:": {"LEVELS": ["L1", "L3"], "TIMEOUT": 60},
        "far:": {"LEVELS": ["L2", "L3"]},
        "near:": {"LEVELS": ["L1"]},
    }
    cache, other = make_cache(POLICIES=policies), make_cache(POLICIES=policies)
    keys = ["session:1", "page:1", "far:1", "near:1", "else:1"]

    cache.set_many(dict.fromkeys(keys, "value"))
    other.get_many(keys)
    cache.get_many(keys)

    assert [key for key in keys if cache.in_redis(key)] == ["session:1", "far:1", "else:1"]
    assert [key for key in keys if cache.in_database(key)] == ["page:1", "far:1", "else:1"]
    assert [key for key in keys if cache.has_in_memory(key)] == [
        "session:1", "page:1", "near:1", "else:1",
    ]  # fmt: skip
    assert other.get("near:1") is None
    assert present(cache.in_database("page:1")).expires_at == pytest.approx(time.time() + 60, abs=3)


@pytest.mark.parametrize(
    "levels", [pytest.param(("L1",), id="L1"), pytest.param(("L1", "L3"), id="L1+L3")]
)
def test_a_redis_that_is_not_used_is_not_connected_to(
    make_cache: MakeCache, levels: tuple[str, ...]
) -> None:
    cache = make_cache(levels, LOCATION="redis://127.0.0.1:1/0")

    cache.set("key", 1, tags=["tag"])
    cache.incr("key")
    cache.get_or_set("other", lambda: 1)
    cache.invalidate_tags("tag")
    cache.clear()
    cache.health()

    assert cache.hierarchy.redis_breaker.opened_count == 0
    assert cache.hierarchy.backplane.is_connected is False


@pytest.mark.parametrize(
    "levels", [pytest.param(("L1",), id="L1"), pytest.param(("L1", "L2"), id="L1+L2")]
)
def test_a_database_that_is_not_used_is_not_connected_to(
    make_cache: MakeCache, levels: tuple[str, ...]
) -> None:
    cache = make_cache(levels, DATABASE="nowhere")

    cache.set("key", 1, tags=["tag"])
    cache.incr("key")
    cache.get_or_set("other", lambda: 1)
    cache.invalidate_tags("tag")
    cache.clear()
    cache.hierarchy.keeper.flush()

    assert cache.hierarchy.database_breaker.opened_count == 0


def test_a_value_too_large_for_memory_is_kept_in_the_others(make_cache: MakeCache) -> None:
    cache = make_cache(ALL, MAX_BYTES=100_000)
    value = "x" * 200_000

    cache.set("key", value)

    assert cache.lookup("key").level == CacheLevel.REDIS
    assert cache.get("key") == value
