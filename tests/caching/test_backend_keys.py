"""From a caller's key to the one that is kept, and the warnings on the way."""

import warnings
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache.backends.base import CacheKeyWarning

from tests.caching.conftest import LEVEL_SETS, MakeCache, ProcessCache

pytestmark = pytest.mark.django_db


def shouted(key: str, prefix: str, version: int) -> str:
    return f"{prefix}!{version}!{key}".upper()


def complete_keys(cache: ProcessCache) -> set[str]:
    return {key for key, _ in cache.hierarchy.memory.items()}


def test_a_key_is_prefixed_and_versioned_as_django_does(make_cache: MakeCache) -> None:
    cache = make_cache(KEY_PREFIX="mine", VERSION=3)

    cache.set("key", "value")

    assert cache.get("key") == cache.get("key", version=3) == "value"
    assert complete_keys(cache) == {"mine:3:key"}


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(shouted, id="callable"),
        pytest.param("tests.caching.test_backend_keys.shouted", id="path"),
    ],
)
def test_a_key_function_makes_the_key(make_cache: MakeCache, function: Any) -> None:
    cache = make_cache(KEY_PREFIX="mine", KEY_FUNCTION=function)

    cache.set("key", "value")

    assert cache.get("KEY") == "value"
    assert complete_keys(cache) == {"MINE!1!KEY"}


def test_caches_with_other_prefixes_do_not_meet(make_cache: MakeCache) -> None:
    mine, theirs = make_cache(KEY_PREFIX="mine"), make_cache(KEY_PREFIX="theirs")

    mine.set("key", "mine")
    theirs.set("other", "theirs")

    assert theirs.get("key") is None
    assert list(mine.get_keys()) == ["key"]
    assert list(theirs.get_keys("*")) == ["other"]


def test_caches_with_other_namespaces_do_not_meet_in_redis(make_cache: MakeCache) -> None:
    mine = make_cache(("L1", "L2"), NAMESPACE=f"mine-{uuid4()}")
    theirs = make_cache(("L1", "L2"), NAMESPACE=f"theirs-{uuid4()}")

    mine.set("key", "mine")
    theirs.invalidate_tags("*")
    theirs.clear()
    mine.forget_memory()

    assert theirs.get("key") is None
    assert mine.get("key") == "mine"


@pytest.mark.parametrize(
    ("one", "another"),
    [
        pytest.param(1, True, id="1 and True"),
        pytest.param(1, 1.0, id="1 and 1.0"),
        pytest.param("1", 1.0, id="text and number"),
    ],
)
def test_keys_that_are_written_otherwise_are_others(
    cache: ProcessCache, one: Any, another: Any
) -> None:
    cache.set(one, "one")

    assert cache.get(another) is None


def test_a_number_is_the_key_that_it_is_written_as(cache: ProcessCache) -> None:
    cache.set(1, "one")

    assert cache.get("1") == "one"
    assert cache.get_many([1]) == {1: "one"}


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
@pytest.mark.parametrize(
    "key",
    [
        pytest.param("k" * 251, id="long"),
        pytest.param("a b", id="space"),
        pytest.param("a\nb", id="newline"),
        pytest.param("a\x7fb", id="delete"),
        pytest.param("a\0b", id="nul"),
    ],
)
def test_a_key_that_memcached_would_refuse_is_warned_of_each_time_and_works(
    leveled: ProcessCache, key: str
) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        leveled.set(key, "value")
        found = leveled.get(key)
        leveled.get(key)
        leveled.delete(key)

    assert found == "value"
    assert [warning.category for warning in warned] == [CacheKeyWarning] * 4


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
@pytest.mark.parametrize(
    "key", [pytest.param("k" * 10_000, id="10,000"), pytest.param("é" * 2_000, id="4,000 bytes")]
)
@pytest.mark.filterwarnings("ignore::django.core.cache.CacheKeyWarning")
def test_a_very_long_key_works(leveled: ProcessCache, key: str) -> None:
    leveled.set(key, "value", tags=["tag"])

    assert leveled.get(key) == "value"
    assert leveled.delete(key) is True


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
@pytest.mark.parametrize(
    "key", ["ключ", "🗝", "50%_[a]*?\\", "{a}:{b}", "';--", 'a"b', "a:b:c", ":", ""], ids=ascii
)
def test_any_other_key_works_without_a_warning(leveled: ProcessCache, key: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        leveled.set(key, "value")
        found = leveled.get(key)

    assert found == "value"
    assert list(leveled.get_keys()) == [key]
