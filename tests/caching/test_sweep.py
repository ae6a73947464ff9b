"""Deleting by pattern: nothing that was there, or on its way, before it is there after it."""

import time
from collections.abc import Callable, Iterator

import hypothesis
import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st

from caching.invalidation import CacheInvalidator
from caching.patterns import Glob
from tests.caching.conftest import ALL, LEVEL_SETS, MakeCache, ProcessCache, settle
from tests.caching.loaders import Asking, Loader
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db

#: Those by which processes know of each other.
WITH_REDIS = [pytest.param(levels, id="+".join(levels)) for levels in (("L2",), ("L1", "L2"), ALL)]

#: One that Redis deletes by itself where it can, and one that it cannot.
PATTERNS = [pytest.param("k*", id="plain"), pytest.param("[k]e?", id="of classes")]


@pytest.fixture
def held() -> Loader:
    return Loader(is_held=True)


def sweep(cache: ProcessCache, pattern: str) -> Iterator[int]:
    """Delete by pattern, in steps."""
    return CacheInvalidator(cache).sweep(pattern)


# What is being loaded


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_is_stored_in_the_midst_of_it_by_who_began_before_is_not_kept(
    leveled: ProcessCache, held: Loader, pattern: str
) -> None:
    asking = Asking(leveled, held)
    held.has_begun.wait(10)

    steps = sweep(leveled, pattern)
    next(steps)
    held.may_end.set()
    asking.end()
    count = sum(steps)

    assert count == 0
    assert leveled.get("key") is None


@pytest.mark.parametrize("leveled", WITH_REDIS, indirect=True)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_another_process_stores_in_the_midst_of_it_is_not_kept(
    leveled: ProcessCache, make_cache: MakeCache, held: Loader, pattern: str
) -> None:
    elsewhere = make_cache(tuple(leveled.hierarchy.options.levels))
    asking = Asking(leveled, held)
    held.has_begun.wait(10)

    steps = sweep(elsewhere, pattern)
    next(steps)
    held.may_end.set()
    asking.end()
    list(steps)
    settle(elsewhere, leveled)

    assert elsewhere.get("key") is None
    assert leveled.get("key") is None


@pytest.mark.parametrize("leveled", WITH_REDIS, indirect=True)
def test_who_began_before_the_first_of_many_keeps_nothing_after_the_last(
    leveled: ProcessCache, make_cache: MakeCache, held: Loader
) -> None:
    elsewhere = make_cache(tuple(leveled.hierarchy.options.levels))
    asking = Asking(leveled, held)
    held.has_begun.wait(10)

    counts = [elsewhere.delete_pattern("k*") for _ in range(20)]
    settle(elsewhere, leveled)
    held.may_end.set()
    asking.end()

    assert counts == [0] * 20
    assert elsewhere.get("key") is None
    assert leveled.get("key") is None


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
def test_what_is_begun_after_it_is_kept(leveled: ProcessCache) -> None:
    leveled.set("key", "old")
    leveled.delete_pattern("k*")

    assert leveled.get_or_set("key", lambda: "new") == "new"
    assert leveled.get("key") == "new"
    assert leveled.delete_pattern("k*") == 1


# What is held


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_each_value_is_counted_once_and_what_was_deleted_before_never(
    leveled: ProcessCache, pattern: str
) -> None:
    leveled.set_many(dict.fromkeys(["key", "kex", "keys", "other"], 1))
    leveled.delete("kex")

    matching = sum(Glob(pattern).matches(key) for key in ("key", "keys"))
    assert leveled.delete_pattern(pattern) == matching
    assert leveled.delete_pattern(pattern) == 0
    assert leveled.get("other") == 1


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
def test_what_was_kept_to_be_served_stale_is_not_served_any_more(leveled: ProcessCache) -> None:
    def ask(load: Callable[[], object]) -> object:
        return leveled.get_or_set("key", load, 0.05, stale_seconds=600)

    ask(lambda: "stale")
    wait_for(lambda: leveled.get("key") is None, seconds=5)
    time.sleep(0.05)

    leveled.delete_pattern("k*")

    with pytest.raises(ZeroDivisionError):
        ask(lambda: 1 // 0)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_copy_in_another_memory_goes_though_no_level_has_the_key(
    make_cache: MakeCache, pattern: str
) -> None:
    cache, other = make_cache(("L1", "L2")), make_cache(("L1", "L2"))
    cache.set("key", "value")
    assert other.get("key") == "value"
    cache.forget_redis()
    cache.forget_memory()

    assert cache.delete_pattern(pattern) == 0

    wait_for(lambda: other.get("key") is None, seconds=1)


def test_what_is_kept_in_memory_alone_goes_and_is_counted(make_cache: MakeCache) -> None:
    cache = make_cache(ALL, POLICIES={"session:": {"LEVELS": ["L1"]}})
    cache.set_many({"session:1": 1, "session:2": 2, "page:1": 3})

    assert cache.delete_pattern("*:1") == 2
    assert cache.get_many(["session:1", "session:2", "page:1"]) == {"session:2": 2}


def test_one_that_is_stopped_has_told_of_what_it_did(make_cache: MakeCache) -> None:
    cache, other = make_cache(("L1", "L2")), make_cache(("L1", "L2"))
    cache.set("key", "value")
    assert other.get("key") == "value"

    steps = sweep(cache, "k*")
    while not next(steps):
        pass
    del steps

    wait_for(lambda: other.get("key") is None, seconds=1)
    assert cache.get("key") is None


@hypothesis.settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@hypothesis.given(
    keys=st.sets(st.text("ab:*?[]\\é%_-^", min_size=1, max_size=5), min_size=1, max_size=8),
    pattern=st.text("ab:*?é\\%_-^", min_size=1, max_size=5).filter(lambda p: not p.endswith("\\")),
)
@pytest.mark.parametrize("leveled", [("L2",)], ids=["L2"], indirect=True)
def test_redis_alone_loses_what_matches_and_nothing_else(
    leveled: ProcessCache, keys: set[str], pattern: str
) -> None:
    leveled.clear()
    leveled.set_many(dict.fromkeys(keys, 1))
    matching = {key for key in keys if Glob(pattern).matches(key)}

    assert leveled.delete_pattern(pattern, is_confirmed=True) == len(matching)
    assert leveled.get_many(keys) == dict.fromkeys(keys - matching, 1)
