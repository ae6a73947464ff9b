"""Two processes with one cache: what one writes the other does not overlook for good."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings

from config import env
from tests.caching.conftest import MakeCache, ProcessCache, settle
from tests.caching.processes import lines, note, other_process
from tests.caching.test_backend import at_once
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db

CHANGES = [
    pytest.param(lambda cache: cache.set("key", "new"), "new", id="set"),
    pytest.param(lambda cache: cache.set_many({"key": "new"}), "new", id="set_many"),
    pytest.param(lambda cache: cache.delete("key"), None, id="delete"),
    pytest.param(lambda cache: cache.delete_many(["key"]), None, id="delete_many"),
    pytest.param(lambda cache: cache.delete_pattern("k*"), None, id="delete_pattern"),
    pytest.param(lambda cache: cache.invalidate_tags("tag"), None, id="tag"),
    pytest.param(lambda cache: cache.clear(), None, id="clear"),
    pytest.param(lambda cache: cache.touch("key", 0), None, id="touch"),
    pytest.param(lambda cache: cache.touch("key", 0.2), None, id="touch briefly"),
    pytest.param(lambda cache: cache.set("key", "new", -1), None, id="expired"),
]


@pytest.mark.parametrize("levels", [("L1", "L2"), ("L1", "L2", "L3")], ids="+".join)
@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_a_write_is_seen_by_another_process(
    make_cache: MakeCache,
    levels: tuple[str, ...],
    change: Callable[[ProcessCache], object],
    expected: Any,
) -> None:
    cache, other = make_cache(levels), make_cache(levels)
    cache.set("key", "old", tags=["tag"])
    settle(cache, other)
    assert other.get("key") == "old"
    assert other.has_in_memory("key")

    change(cache)

    wait_for(lambda: other.get("key") == expected, seconds=1, every=0.001)


def test_a_count_is_one_for_all(cache: ProcessCache, other: ProcessCache) -> None:
    cache.set("n", 0)
    both = [cache, other]

    at_once(4, lambda number: [both[number % 2].incr("n") for _ in range(50)])

    settle(cache, other)
    settle(other, cache)
    assert (cache.get("n"), other.get("n")) == (200, 200)


def serve_and_write(cache: ProcessCache, directory: Path) -> list[Any]:
    assert cache.get("key") == "old"
    note(directory, "had")
    wait_for(lambda: cache.get("key") == "new", seconds=20, every=0.001)
    cache.set("answer", "theirs")
    return [cache.get("key"), cache.incr("n")]


def test_a_process_of_its_own_sees_and_is_seen(cache: ProcessCache, tmp_path: Path) -> None:
    cache.set_many({"key": "old", "n": 1, "answer": "mine"})
    function = "tests.caching.test_two_processes.serve_and_write"
    with other_process(function, cache, tmp_path) as other:
        wait_for(lambda: lines(tmp_path, "had"), seconds=30)

        cache.set("key", "new")

        wait_for(lambda: cache.get("answer") == "theirs", seconds=10, every=0.001)
        assert other.result() == ["new", 2]
    assert cache.get("n") == 2


def test_without_redis_a_copy_in_memory_is_served_for_a_second(make_cache: MakeCache) -> None:
    cache, other = make_cache(("L1", "L3")), make_cache(("L1", "L3"))
    cache.set("key", "old")
    other.get("key")

    cache.set("key", "new")

    wait_for(lambda: other.get("key") == "new", seconds=1.5)


# Races


def agreed(key: str, *caches: ProcessCache) -> None:
    """Assert that all levels agree with the level that decides, once all is told."""
    for cache in caches:
        settle(cache, *(one for one in caches if one is not cache))
    decided = caches[0].in_database(key)
    payload = None if decided is None else decided.payload
    for cache in caches:
        slot = cache.hierarchy.memory.get(cache.make_key(key))
        assert slot is None or slot.entry.payload == payload
    copy = caches[0].in_redis(key)
    assert copy is None or copy.payload is None or copy.payload == payload


@pytest.mark.parametrize("kind", ["set", "delete", "incr", "set_many", "mixed"])
def test_readers_that_promote_leave_nothing_old_behind(
    cache: ProcessCache, other: ProcessCache, kind: str
) -> None:
    cache.set("key", 0)
    is_over = threading.Event()

    def read(reader: ProcessCache) -> None:
        while not is_over.is_set():
            reader.get("key")
            reader.forget_memory()
            reader.hierarchy.redis.forget([reader.make_key("key")])

    def write(number: int) -> None:
        for turn in range(150):
            value = 1000 * number + turn
            verb = kind if kind != "mixed" else ("set", "delete", "set_many")[turn % 3]
            if verb == "delete":
                cache.delete("key")
                other.set("key", value)
            elif verb == "set_many":
                cache.set_many({"key": value})
            elif verb == "incr":
                cache.incr("key")
            else:
                [cache, other][turn % 2].set("key", value)

    readers = [threading.Thread(target=read, args=(reader,)) for reader in (cache, other)]
    for thread in readers:
        thread.start()
    write(1)
    is_over.set()
    for thread in readers:
        thread.join()

    agreed("key", cache, other)


def test_writers_in_a_race_agree_at_last(
    cache: ProcessCache, other: ProcessCache, make_cache: MakeCache
) -> None:
    caches = [cache, other, make_cache()]
    verbs: list[Callable[[ProcessCache, int], object]] = [
        lambda cache, value: cache.set("key", value),
        lambda cache, value: cache.delete("key"),
        lambda cache, value: cache.get_or_set("key", lambda: -value),
        lambda cache, value: cache.touch("key", 100 + value),
        lambda cache, value: cache.add("key", value),
        lambda cache, value: cache.get("key"),
    ]

    def use(number: int) -> None:
        for turn in range(100):
            verbs[(turn * 7 + number * 5) % len(verbs)](caches[number % 3], turn)

    for _ in range(3):
        at_once(6, use)
        agreed("key", *caches)


def test_a_write_that_was_overtaken_is_not_kept_in_memory(
    cache: ProcessCache, other: ProcessCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = cache.hierarchy.database.put

    def overtaken(*args: Any, **options: Any) -> int:
        version = put(*args, **options)
        other.delete("key")
        settle(other, cache)
        return version

    monkeypatch.setattr(cache.hierarchy.database, "put", overtaken)
    cache.set("key", "old")

    assert cache.get("key") is None
    assert other.get("key") is None


def test_a_write_that_a_thread_of_its_process_overtakes_is_not_kept_in_memory(
    cache: ProcessCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = cache.hierarchy.database.put

    def overtaken(*args: Any, **options: Any) -> int:
        version = put(*args, **options)
        monkeypatch.undo()
        cache.set("key", "new")
        return version

    monkeypatch.setattr(cache.hierarchy.database, "put", overtaken)
    cache.set("key", "old")

    assert cache.get("key") == "new"


# The backplane


def test_after_a_gap_in_the_backplane_memory_is_not_trusted(
    cache: ProcessCache, other: ProcessCache, redis_connection: redis.Redis
) -> None:
    cache.set_many({"key": "old", "tagged": "old"}, tags=["tag"])
    other.get_many(["key", "tagged"])

    redis_connection.client_kill_filter(_type="pubsub")
    cache.set("key", "new")  # while nobody listens
    cache.invalidate_tags("tag")

    wait_for(lambda: other.get("key") == "new", seconds=2)
    wait_for(lambda: other.get("tagged") is None, seconds=2)
    wait_for(lambda: other.hierarchy.backplane.is_connected, seconds=2)
    assert other.get("key") == "new"


def test_caches_in_other_databases_of_one_redis_do_not_hear_each_other(
    make_cache: MakeCache,
) -> None:
    levels = ("L1", "L2")
    cache, same = make_cache(levels), make_cache(levels)
    elsewhere = make_cache(levels, LOCATION=env.with_query(settings.REDIS_URL, db=15))
    cache.set("key", "value", tags=["tag"])

    elsewhere.invalidate_tags("tag")
    elsewhere.clear()
    settle(same, cache)

    assert cache.lookup("key").level == "L1"
