"""What may stand in CACHES, and what is said of a mistake there."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from caching.choices import LEVELS, CacheLevel
from caching.options import MAX_PREFIXES, OTHER_PREFIXES, CacheOptions, Prefixes


def options(**given: Any) -> CacheOptions:
    return CacheOptions.of("redis://somewhere", {"OPTIONS": given})


def test_a_cache_has_all_levels_unless_it_says_otherwise() -> None:
    assert options().levels == frozenset(LEVELS)
    assert options(LEVELS=["L1", "L3"]).levels == {CacheLevel.MEMORY, CacheLevel.DATABASE}


def test_what_django_has_for_all_caches_may_stand_there() -> None:
    assert options(MAX_ENTRIES=10, CULL_FREQUENCY=3).max_entries == 10


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"LEVELS": ["L4"]}, "LEVELS.*L4", id="an unknown level"),
        pytest.param({"LEVELS": []}, "at least one", id="no level"),
        pytest.param({"LEVELS": "L1"}, "LEVELS", id="text for levels"),
        pytest.param({"LEVELS": None}, "LEVELS", id="None for levels"),
        pytest.param({"LEVEL": ["L1"]}, "LEVEL", id="an unknown option"),
        pytest.param({"SERIALIZER": "pickle"}, "SERIALIZER", id="an option of another cache"),
        pytest.param({"MAX_ENTRIES": 0}, "MAX_ENTRIES", id="no entries"),
        pytest.param({"MAX_BYTES": 0}, "MAX_BYTES", id="no bytes"),
        pytest.param({"POLICIES": {"a:": {"LEVELS": ["L9"]}}}, "L9", id="of a policy"),
        pytest.param({"POLICIES": {"a:": {"LEVEL": ["L1"]}}}, "LEVEL", id="unknown in a policy"),
        pytest.param(
            {"LEVELS": ["L1"], "POLICIES": {"a:": {"LEVELS": ["L3"]}}},
            "policy",
            id="a policy that keeps nothing",
        ),
    ],
)
def test_a_mistake_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=message):
        options(**given)


def test_the_longest_beginning_decides() -> None:
    prefixes = Prefixes(
        options(
            POLICIES={
                "a:": {"LEVELS": ["L1"]},
                "a:b:": {"LEVELS": ["L1", "L2"], "TIMEOUT": 5},
                "a:c:": {"TIMEOUT": None},
            }
        )
    )

    _, short = prefixes.of("a:1")
    name, long = prefixes.of("a:b:1")
    _, endless = prefixes.of("a:c:1")
    _, other = prefixes.of("b:1")
    assert short.levels == {CacheLevel.MEMORY}
    assert (name, long.timeout) == ("a:b", 5)
    assert long.levels == {CacheLevel.MEMORY, CacheLevel.REDIS}
    assert (endless.has_timeout, endless.timeout) == (True, None)
    assert (other.levels, other.has_timeout) == (frozenset(LEVELS), False)


@pytest.mark.parametrize(
    ("key", "prefix"),
    [
        pytest.param("a:1", "a", id="before the colon"),
        pytest.param("a:b:c", "a", id="before the first colon"),
        pytest.param("alone", "", id="without a colon"),
        pytest.param("x" * 51 + ":1", "", id="too long"),
        pytest.param(":1", "", id="nothing before the colon"),
    ],
)
def test_keys_are_counted_by_what_is_before_their_colon(key: str, prefix: str) -> None:
    assert Prefixes(options()).of(key)[0] == prefix


def test_too_many_prefixes_are_counted_together() -> None:
    prefixes = Prefixes(options())

    seen = {prefixes.of(f"p{n}:1")[0] for n in range(MAX_PREFIXES * 3)}

    assert OTHER_PREFIXES in seen
    assert len(seen) <= MAX_PREFIXES + 1
