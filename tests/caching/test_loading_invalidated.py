"""What is invalidated or written while it is loaded: the outdated value is not kept."""

import time
from collections.abc import Callable

import pytest

from tests.caching.conftest import ALL, LEVEL_SETS, MakeCache, ProcessCache, settle
from tests.caching.loaders import Asking, Loader

pytestmark = pytest.mark.django_db

CHANGES: dict[str, Callable[[ProcessCache], object]] = {
    "delete": lambda cache: cache.delete("key"),
    "delete_many": lambda cache: cache.delete_many(["other", "key"]),
    "delete_pattern": lambda cache: cache.delete_pattern("k*"),
    "tag": lambda cache: cache.invalidate_tags("tag"),
    "clear": lambda cache: cache.clear(),
    "expired": lambda cache: cache.set("key", "x", 0),
}


@pytest.fixture
def held() -> Loader:
    return Loader(is_held=True)


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
@pytest.mark.parametrize("name", CHANGES)
def test_what_is_invalidated_while_it_is_loaded_is_not_kept(
    leveled: ProcessCache, held: Loader, name: str
) -> None:
    asking = Asking(leveled, held, tags=["tag"])
    held.has_begun.wait(10)

    CHANGES[name](leveled)
    held.may_end.set()

    assert asking.end() == 1
    assert leveled.get("key") is None
    assert leveled.get_or_set("key", held, tags=["tag"]) == 2


@pytest.mark.parametrize(
    ("leveled", "name"),
    [
        pytest.param(levels, name, id=f"{'+'.join(levels)}-{name}")
        for levels in (("L1", "L2"), ("L1", "L3"), ALL)
        for name in CHANGES
        if "L2" in levels or name != "delete_pattern"  # without Redis, nobody knows who loads
    ],
    indirect=["leveled"],
)
def test_what_another_process_invalidates_while_it_is_loaded_is_not_kept(
    leveled: ProcessCache, held: Loader, make_cache: MakeCache, name: str
) -> None:
    elsewhere = make_cache(tuple(leveled.hierarchy.options.levels))
    asking = Asking(leveled, held, tags=["tag"])
    held.has_begun.wait(10)

    CHANGES[name](elsewhere)
    settle(elsewhere, leveled) if leveled.hierarchy.has_redis else None
    held.may_end.set()
    asking.end()
    time.sleep(0 if leveled.hierarchy.has_redis else 1.1)

    assert elsewhere.get("key") is None
    assert leveled.get("key") is None


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
def test_who_asks_after_the_invalidation_does_not_get_what_was_begun_before(
    leveled: ProcessCache, held: Loader
) -> None:
    early = Asking(leveled, held)
    held.has_begun.wait(10)
    leveled.delete("key")

    late = leveled.get_or_set("key", lambda: "late")
    held.may_end.set()

    assert (early.end(), late) == (1, "late")
    assert leveled.get("key") == "late"


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
def test_what_is_set_while_it_is_loaded_wins(leveled: ProcessCache, held: Loader) -> None:
    asking = Asking(leveled, held)
    held.has_begun.wait(10)

    leveled.set("key", "set")
    held.may_end.set()
    asking.end()

    assert leveled.get("key") == "set"
    leveled.forget_memory() if leveled.hierarchy.has_redis else None
    assert leveled.get("key") == "set"


def test_what_is_cleared_while_it_is_loaded_is_valid_at_no_level(
    cache: ProcessCache, other: ProcessCache, held: Loader
) -> None:
    asking = Asking(cache, held)
    held.has_begun.wait(10)

    other.clear()
    held.may_end.set()
    asking.end()

    left = [cache.in_redis("key"), cache.in_database("key")]
    assert [e for e in left if e and e.payload and cache.hierarchy.tags.are_current(e.tags)] == []
    assert other.get("key") is None
