"""Redis goes away and comes back: nobody sees an error, and nothing old is served after it."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from caching.exceptions import LevelIsAway
from caching.invalidation import CacheInvalidator
from tests.caching.conftest import ALL, MakeCache, ProcessCache, settle
from tests.caching.loaders import Asking, Loader
from tests.caching.servers import OwnRedis, redis_is_back
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db

Verb = Callable[[OwnRedis], object]


@pytest.fixture
def own_redis() -> Iterator[OwnRedis]:
    with tempfile.TemporaryDirectory() as directory:
        own = OwnRedis(Path(directory))
        yield own
        own.stop()


@pytest.fixture
def pair(
    own_redis: OwnRedis, make_cache: MakeCache, request: pytest.FixtureRequest
) -> list[ProcessCache]:
    """A cache in two processes, on a Redis of their own."""
    levels = getattr(request, "param", ALL)
    return [make_cache(levels, LOCATION=own_redis.url, REDIS_TIMEOUT_SECONDS=0.1) for _ in range(2)]


OUTAGES = [
    pytest.param(OwnRedis.kill, OwnRedis.start, id="killed"),
    pytest.param(OwnRedis.freeze, OwnRedis.thaw, id="frozen"),
    pytest.param(lambda own: own.pause(0.7), lambda own: None, id="paused"),
]

ALL_AND_WITHOUT_DATABASE = [
    pytest.param(ALL, id="L1+L2+L3"),
    pytest.param(("L1", "L2"), id="L1+L2"),
]


def fill(*caches: ProcessCache) -> None:
    """Have values that are about to change in all levels and all memories."""
    caches[0].clear()
    caches[0].set_many({"overwritten": "old", "deleted": "old", "kept": "kept"}, None)
    caches[0].set_many({"many": "old", "loaded": "old", "touched": "old"}, None)
    caches[0].set("tagged", "old", None, tags=["tag"])
    settle(caches[0], *caches[1:])
    for cache in caches:
        cache.get_many(["overwritten", "deleted", "kept", "many", "loaded", "tagged", "touched"])


def change(cache: ProcessCache) -> None:
    cache.set("overwritten", "new", None)
    cache.set_many({"many": "new"}, None)
    cache.delete("deleted")
    cache.touch("touched", 0.1)
    cache.delete("loaded")
    cache.get_or_set("loaded", lambda: "new", None)
    cache.invalidate_tags("tag")
    time.sleep(0.1)


#: What may be there after it: a miss is always right.
RIGHT: dict[str, set[Any]] = {
    "overwritten": {"new", None},
    "many": {"new", None},
    "loaded": {"new", None},
    "kept": {"kept", None},
    "deleted": {None},
    "tagged": {None},
    "touched": {None},
}


def wrong(cache: ProcessCache) -> dict[str, Any]:
    """Return what a cache serves and should not."""
    return {key: value for key in RIGHT if (value := cache.get(key)) not in RIGHT[key]}


def serves_nothing_old(cache: ProcessCache, *, seconds: float = 2) -> None:
    """Wait until it does not; it may have to hear of what changed."""
    deadline = time.monotonic() + seconds
    while wrong(cache) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert wrong(cache) == {}


@pytest.mark.parametrize("pair", ALL_AND_WITHOUT_DATABASE, indirect=True)
@pytest.mark.parametrize(("begin", "end"), OUTAGES)
def test_nothing_old_is_served_after_redis_was_away(
    own_redis: OwnRedis, pair: list[ProcessCache], begin: Verb, end: Verb
) -> None:
    cache, other = pair
    fill(cache, other)

    begin(own_redis)
    change(cache)
    seen = {key: cache.get(key) for key in ("overwritten", "many", "loaded", "deleted", "tagged")}
    time.sleep(0.5)
    end(own_redis)
    redis_is_back(cache, other)

    assert seen == dict.fromkeys(("overwritten", "many", "loaded"), "new") | dict.fromkeys(
        ("deleted", "tagged")
    )
    assert wrong(cache) == {}
    serves_nothing_old(other)
    cache.forget_memory()
    other.forget_memory()
    assert (wrong(cache), wrong(other)) == ({}, {})
    assert cache.hierarchy.database.repairs(10) == []


@pytest.mark.parametrize(("begin", "end"), OUTAGES)
def test_what_is_cleared_while_redis_is_away_stays_away(
    own_redis: OwnRedis, pair: list[ProcessCache], begin: Verb, end: Verb
) -> None:
    cache, other = pair
    fill(cache, other)

    begin(own_redis)
    cache.clear()
    time.sleep(0.5)
    end(own_redis)
    redis_is_back(cache, other)

    wait_for(lambda: other.get_many(RIGHT) == {}, seconds=2)
    assert cache.get_many(RIGHT) == {}


@pytest.mark.parametrize("prefix", ["session:", "page:"])
def test_what_has_levels_of_its_own_is_not_served_old_either(
    own_redis: OwnRedis, make_cache: MakeCache, prefix: str
) -> None:
    policies = {"session:": {"LEVELS": ["L1", "L2"]}, "page:": {"LEVELS": ["L2"]}}
    cache = make_cache(ALL, LOCATION=own_redis.url, REDIS_TIMEOUT_SECONDS=0.1, POLICIES=policies)
    cache.set_many({prefix + "a": "old", prefix + "b": "old", prefix + "c": "old"}, None)

    own_redis.freeze()
    cache.set(prefix + "a", "new")
    cache.set_many({prefix + "b": "new"})
    cache.delete(prefix + "c")
    own_redis.thaw()
    redis_is_back(cache)
    cache.forget_memory()

    found = cache.get_many([prefix + "a", prefix + "b", prefix + "c"])
    assert set(found.values()) <= {"new"}
    assert prefix + "c" not in found


@pytest.mark.parametrize("pair", ALL_AND_WITHOUT_DATABASE, indirect=True)
@pytest.mark.parametrize(("begin", "end"), OUTAGES)
def test_traffic_goes_on_without_an_error(
    own_redis: OwnRedis, pair: list[ProcessCache], begin: Verb, end: Verb
) -> None:
    errors: list[BaseException] = []
    is_over = threading.Event()
    fill(*pair)

    def use(cache: ProcessCache, number: int) -> None:
        mine = f"mine:{number}"
        try:
            for turn in range(100_000):
                cache.set(mine, turn, tags=[mine])
                cache.get("kept")
                cache.get_many(["kept", mine, "never"])
                cache.get_or_set(f"loaded:{turn % 7}", lambda: "value")
                cache.add(f"added:{turn % 5}", turn)
                cache.delete(f"added:{turn % 5}")
                cache.touch(mine, 60)
                cache.invalidate_tags(mine)
                cache.set_many({mine: turn})
                list(cache.get_keys("mine:*"))
                if is_over.is_set():
                    break
        except BaseException as error:  # noqa: BLE001 - whatever it was is looked at
            errors.append(error)

    threads = [threading.Thread(target=use, args=(cache, n)) for n, cache in enumerate(pair)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    begin(own_redis)
    time.sleep(0.8)
    end(own_redis)
    redis_is_back(*pair, seconds=3)
    is_over.set()
    for thread in threads:
        thread.join()

    assert errors == []
    assert all(cache.get("mine:0") in (pair[0].get("mine:0"), None) for cache in pair)


def test_everything_goes_on_when_redis_forgets_everything(
    own_redis: OwnRedis, pair: list[ProcessCache]
) -> None:
    cache, other = pair
    fill(cache, other)

    own_redis.client.flushall()
    change(cache)
    settle(cache, other)

    assert (wrong(cache), wrong(other)) == ({}, {})
    assert cache.get("kept") == other.get("kept") == "kept"


def test_a_call_costs_little_while_redis_is_away(
    own_redis: OwnRedis, pair: list[ProcessCache]
) -> None:
    cache = pair[0]
    cache.set("key", "value")
    own_redis.freeze()
    cache.set("key", "new")

    began = time.monotonic()
    for _ in range(100):
        cache.get("key")
        cache.get("never")
    took = time.monotonic() - began
    own_redis.thaw()

    assert took < 1


# What happens at the very moment


def test_a_write_is_noted_when_redis_goes_away_in_the_midst_of_it(
    own_redis: OwnRedis, pair: list[ProcessCache], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = pair[0]
    cache.set("key", "old", None)
    put = cache.hierarchy.database.put

    def put_then_lose_redis(*args: Any, **options: Any) -> int:
        version = put(*args, **options)
        own_redis.freeze()
        with pytest.raises(LevelIsAway), cache.hierarchy.redis_breaker:  # another thread's call
            cache.hierarchy.redis.ping()
        return version

    monkeypatch.setattr(cache.hierarchy.database, "put", put_then_lose_redis)
    cache.set("key", "new", None)
    own_redis.thaw()
    redis_is_back(cache)
    cache.forget_memory()

    assert cache.get("key") == "new"


def test_a_write_at_the_end_of_the_repair_is_not_forgotten(
    own_redis: OwnRedis, pair: list[ProcessCache]
) -> None:
    cache = pair[0]
    cache.set("key", "old", None)
    own_redis.freeze()
    cache.set("other", "new")
    breaker = cache.hierarchy.redis_breaker
    recover = breaker._recover

    def recover_then_write() -> None:
        recover()
        if not written:
            cache.set("key", "new", None)
            written.append("key")

    written: list[str] = []
    breaker._recover = recover_then_write
    own_redis.thaw()
    wait_for(lambda: written, seconds=5)
    redis_is_back(cache)
    cache.forget_memory()

    wait_for(lambda: cache.get("key") == "new", seconds=1)


# Deleting by pattern


@pytest.mark.parametrize("pair", ALL_AND_WITHOUT_DATABASE, indirect=True)
@pytest.mark.parametrize("pattern", ["del*", "d[e]l*", "del" + "*" * 1000], ids=len)
def test_what_a_pattern_deletes_while_redis_is_away_is_not_served_after_it(
    own_redis: OwnRedis, pair: list[ProcessCache], pattern: str
) -> None:
    cache, other = pair
    cache.set("deleted", "old", None)
    settle(cache, other)
    assert other.get("deleted") == "old"
    cache.forget_memory()

    own_redis.freeze()
    cache.delete_pattern(pattern)
    seen = cache.get("deleted")
    own_redis.thaw()
    redis_is_back(cache, other)

    assert seen is None
    wait_for(lambda: other.get("deleted") is None, seconds=2)
    assert cache.get("deleted") is None


@pytest.mark.parametrize("pair", [pytest.param(("L1", "L2"), id="L1+L2")], indirect=True)
def test_who_began_while_redis_was_away_does_not_bring_back_what_a_pattern_deleted(
    own_redis: OwnRedis, pair: list[ProcessCache]
) -> None:
    cache, other = pair
    loader = Loader(is_held=True)
    own_redis.freeze()
    asking = Asking(cache, loader)
    loader.has_begun.wait(10)
    own_redis.thaw()
    redis_is_back(cache, other)

    other.delete_pattern("k*")
    settle(other, cache)
    loader.may_end.set()

    assert asking.end() == 1
    assert cache.get("key") is None
    assert other.get("key") is None


def test_redis_that_goes_away_in_the_midst_of_a_pattern_serves_nothing_old(
    own_redis: OwnRedis, pair: list[ProcessCache]
) -> None:
    cache, other = pair
    cache.set_many({f"a:{n}": "old" for n in range(2500)}, None)

    steps = CacheInvalidator(cache).sweep("a:*")
    for _ in range(4):
        next(steps)
    own_redis.freeze()
    list(steps)
    seen = cache.get_many(f"a:{n}" for n in range(2500))
    own_redis.thaw()
    redis_is_back(cache, other)

    assert seen == {}
    assert other.get_many(f"a:{n}" for n in range(2500)) == {}
    assert cache.get_many(f"a:{n}" for n in range(2500)) == {}
