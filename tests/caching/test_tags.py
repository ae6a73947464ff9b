"""Tags: one write makes many entries misses, wherever they are."""

from pathlib import Path

import pytest

from tests.caching.conftest import (
    LEVEL_SETS,
    MakeCache,
    ProcessCache,
    settle,
)
from tests.caching.processes import lines, note, other_process
from tests.caching.test_backend import at_once
from tests.caching.test_backend_many import trips
from tests.waiting import wait_for

__all__ = ["trips"]

pytestmark = pytest.mark.django_db

HASHED = "call:3f1a" + "0" * 60


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
def test_a_tag_invalidates_what_bears_it_and_nothing_else(leveled: ProcessCache) -> None:
    leveled.set_many({"a": 1, "b": 2}, tags=["one", "two"])
    leveled.set("c", 3, tags=["two"])
    leveled.set("d", 4)

    leveled.invalidate_tags("one")

    assert leveled.get_many("abcd") == {"c": 3, "d": 4}


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
def test_what_is_stored_after_the_invalidation_is_valid(leveled: ProcessCache) -> None:
    leveled.set("a", "old", tags=["tag"])
    leveled.invalidate_tags("tag")
    leveled.set("a", "new", tags=["tag"])
    leveled.get_or_set("b", lambda: "new", tags=["tag"])

    assert leveled.get_many("ab") == {"a": "new", "b": "new"}
    leveled.invalidate_tags("tag", "other")
    assert leveled.get_many("ab") == {}


@pytest.mark.parametrize(
    "leveled",
    [pytest.param(("L1",), id="L1"), pytest.param(("L1", "L3"), id="L1+L3")],
    indirect=True,
)
def test_what_was_invalidated_stays_so_while_the_house_is_kept(leveled: ProcessCache) -> None:
    leveled.clear()
    leveled.set("a", "old", tags=["tag"])
    leveled.set("b", "kept")
    leveled.invalidate_tags("tag")

    leveled.hierarchy.keeper._look(2**40)

    assert leveled.get_many("ab") == {"b": "kept"}


@pytest.mark.parametrize(
    "tag",
    ["'", '"', "\\", "{a,b}", "%s", "*", "#", "é🗝", "x" * 3000, "a b", "NULL", ""],
    ids=lambda tag: ascii(tag[:9]),
)
def test_any_tag_will_do(cache: ProcessCache, tag: str) -> None:
    cache.set("a", 1, tags=["first", tag, "last"])
    cache.forget_memory()
    cache.forget_redis()
    found = cache.get("a")

    cache.invalidate_tags(tag)

    assert found == 1
    assert cache.get("a") is None


def has(cache: ProcessCache, directory: Path) -> str:
    """Have the entry in this process's memory, then wait until it is invalid."""
    assert cache.get(HASHED) == "value"
    assert cache.has_in_memory(HASHED)
    note(directory, "had")
    wait_for(lambda: cache.get(HASHED) is None, seconds=20, every=0.001)
    return "invalid"


def test_a_tag_reaches_hashed_keys_in_the_memory_of_another_process(
    cache: ProcessCache, tmp_path: Path
) -> None:
    cache.set(HASHED, "value", tags=["transcript:1"])
    with other_process("tests.caching.test_tags.has", cache, tmp_path) as other:
        wait_for(lambda: lines(tmp_path, "had"), seconds=30)

        cache.invalidate_tags("transcript:1")

        assert other.result() == "invalid"


def test_promoted_copies_keep_their_tags(cache: ProcessCache, other: ProcessCache) -> None:
    cache.set("key", "value", tags=["tag"])
    settle(cache, other)
    cache.forget_redis()
    assert other.lookup("key").level == "L3"
    assert other.lookup("key").level == "L1"

    cache.invalidate_tags("tag")
    settle(cache, other)

    assert other.get("key") is None
    other.forget_memory()
    assert other.get("key") is None


def test_tags_survive_the_loss_of_redis(
    cache: ProcessCache, other: ProcessCache, make_cache: MakeCache
) -> None:
    cache.set("key", "old", tags=["tag"])
    other.get("key")
    copy = other.in_redis("key")
    assert copy is not None
    cache.invalidate_tags("tag")
    cache.forget_redis()
    other.hierarchy.redis.promote(other.make_key("key"), copy)

    assert make_cache().get("key") is None
    assert cache.get("key") is None


@pytest.mark.parametrize(
    "leveled",
    [pytest.param(("L1", "L2"), id="L1+L2"), pytest.param(("L1", "L2", "L3"), id="L1+L2+L3")],
    indirect=True,
)
def test_an_invalidation_costs_the_same_however_many_bear_the_tag(
    leveled: ProcessCache, trips: list[str]
) -> None:
    leveled.set_many({f"key-{n}": n for n in range(2)}, tags=["few"])
    leveled.set_many({f"key-{n}": n for n in range(2, 2000)}, tags=["many"])
    leveled.invalidate_tags("other")

    trips.clear()
    leveled.invalidate_tags("few")
    few = list(trips)
    trips.clear()
    leveled.invalidate_tags("many")

    assert trips == few
    assert len(few) <= 3
    assert leveled.get_many([f"key-{n}" for n in range(2000)]) == {}


def test_of_two_invalidations_at_once_all_know_the_later(
    cache: ProcessCache, other: ProcessCache, make_cache: MakeCache
) -> None:
    third = make_cache()
    both = [cache, other]
    for cache_of_one in (*both, third):
        cache_of_one.set("mine", 1, tags=["tag"])

    for _ in range(50):
        at_once(2, lambda number: both[number].invalidate_tags("tag"))
    settle(cache, other, third)
    settle(other, cache, third)

    stored = cache.hierarchy.database.tag_versions(["tag"])["tag"]
    known = {dict(c.hierarchy.tags.current(["tag"]))["tag"] for c in (*both, third)}
    assert known == {stored}


def test_an_older_invalidation_that_is_heard_late_changes_nothing(cache: ProcessCache) -> None:
    cache.set("old", 1, tags=["tag"])
    before = dict(cache.hierarchy.tags.current(["tag"]))
    cache.invalidate_tags("tag")

    cache.hierarchy.tags_bumped({"tag": before["tag"]})

    assert cache.get("old") is None


@pytest.mark.parametrize("levels", [("L1", "L2"), ("L1", "L2", "L3")], ids="+".join)
def test_who_clears_forgets_the_versions_of_tags_too(
    make_cache: MakeCache, levels: tuple[str, ...]
) -> None:
    cache, other = make_cache(levels), make_cache(levels)
    cache.invalidate_tags("tag")
    cache.clear()
    settle(cache, other)  # what is stored before that is heard of is a miss

    cache.set("mine", "value", tags=["tag"])
    other.set("theirs", "value", tags=["tag"])

    settle(cache, other)
    settle(other, cache)
    assert (cache.get("theirs"), other.get("mine")) == ("value", "value")
