"""Loading: once for all who ask, with what was there before to fall back on."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caching.loading import RETRY_SECONDS
from tests.caching.conftest import LEVEL_SETS, ProcessCache
from tests.caching.loaders import Asking, Loader
from tests.caching.processes import lines, meet, note, other_process
from tests.caching.test_backend import at_once
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def held() -> Loader:
    return Loader(is_held=True)


# Once


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
def test_fifty_threads_that_ask_at_once_load_once(leveled: ProcessCache) -> None:
    loader = Loader()

    def load() -> int:
        time.sleep(0.05)
        return loader()

    answers = at_once(50, lambda number: leveled.get_or_set("key", load))

    assert answers == [1] * 50
    assert loader.calls == 1


def ask_with_threads(cache: ProcessCache, directory: Path, count: int) -> list[Any]:
    def load() -> int:
        note(directory, "loads")
        time.sleep(0.2)
        return len(lines(directory, "loads"))

    meet(directory, count)
    return at_once(10, lambda number: cache.get_or_set("key", load))


def test_four_processes_of_ten_threads_load_once(cache: ProcessCache, tmp_path: Path) -> None:
    function = "tests.caching.test_loading.ask_with_threads"
    with (
        other_process(function, cache, tmp_path, 4) as first,
        other_process(function, cache, tmp_path, 4) as second,
        other_process(function, cache, tmp_path, 4) as third,
    ):
        mine = ask_with_threads(cache, tmp_path, 4)
        theirs = [other.result() for other in (first, second, third)]

    assert len(lines(tmp_path, "loads")) == 1
    assert [mine, *theirs] == [[1] * 10] * 4


def load_for_ever(cache: ProcessCache, directory: Path) -> None:
    def load() -> None:
        note(directory, "began")
        time.sleep(60)

    cache.get_or_set("key", load)


def test_a_loader_that_is_killed_is_replaced(cache: ProcessCache, tmp_path: Path) -> None:
    with other_process("tests.caching.test_loading.load_for_ever", cache, tmp_path) as other:
        wait_for(lambda: lines(tmp_path, "began"), seconds=30)
        asking = Asking(cache, lambda: "mine")
        other.process.kill()
        killed_at = time.monotonic()
        answer = asking.end()

    assert answer == "mine"
    assert time.monotonic() - killed_at < 5


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
def test_the_error_of_a_loader_reaches_all_who_waited_and_the_next_one_loads_again(
    leveled: ProcessCache, held: Loader
) -> None:
    held.error = LookupError("not today")
    askers = [Asking(leveled, held) for _ in range(5)]
    held.has_begun.wait(10)
    flight = leveled.hierarchy.flights._flights[leveled.make_key("key")]
    wait_for(lambda: flight.waiter_count == 4, seconds=10)

    held.may_end.set()

    assert {asker.end() for asker in askers} == {held.error}
    assert held.calls == 1
    held.error = None
    assert leveled.get_or_set("key", held) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_who_waits_for_one_who_is_interrupted_loads_itself(
    cache: ProcessCache, held: Loader, error: type[BaseException]
) -> None:
    held.error = error()
    first = Asking(cache, held)
    held.has_begun.wait(10)
    second = Asking(cache, lambda: "mine")

    held.may_end.set()

    assert isinstance(first.end(), error)
    assert second.end() == "mine"


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
def test_none_is_a_result_that_is_kept(leveled: ProcessCache) -> None:
    calls: list[int] = []

    def load() -> None:
        calls.append(1)

    leveled.get_or_set("key", load)
    leveled.get_or_set("key", load)

    assert len(calls) == 1


def test_none_may_have_a_time_of_its_own(cache: ProcessCache) -> None:
    cache.get_or_set("none", lambda: None, 600, negative_timeout=5)
    cache.get_or_set("some", lambda: 1, 600, negative_timeout=5)
    cache.get_or_set("briefly", lambda: None, 600, negative_timeout=0)

    ends = {
        key: entry.expires_at - entry.stored_at
        for key in ("none", "some")
        if (entry := cache.in_database(key)) is not None and entry.expires_at is not None
    }
    assert ends == {"none": pytest.approx(5, abs=0.01), "some": pytest.approx(600, abs=0.01)}
    assert not cache.has_key("briefly")


def test_jitter_spreads_what_was_loaded_together(cache: ProcessCache) -> None:
    for number in range(40):
        cache.get_or_set(f"key-{number}", lambda: 1, 1000, jitter=0.2)

    entries = cache.hierarchy.database.get_many([cache.make_key(f"key-{n}") for n in range(40)])

    lives = [e.expires_at - e.stored_at for e in entries.values() if e.expires_at is not None]
    assert len(lives) == 40
    assert 800 <= min(lives) < max(lives) <= 1000.01
    assert max(lives) - min(lives) > 100


# Stale


def expired(cache: ProcessCache, **policy: Any) -> None:
    """Have a value that has expired and is kept."""
    cache.get_or_set("key", lambda: "stale", 0.05, stale_seconds=600, **policy)
    wait_for(lambda: not cache.has_key("key"), seconds=5)


def fail() -> None:
    raise LookupError("not today")


@pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True)
def test_what_is_stale_is_served_while_its_loader_fails(leveled: ProcessCache) -> None:
    loader = Loader()
    loader.error = LookupError("not today")
    expired(leveled)

    answers = [leveled.get_or_set("key", loader, stale_seconds=600) for _ in range(20)]

    assert answers == ["stale"] * 20
    assert loader.calls == 1
    loader.error = None
    time.sleep(RETRY_SECONDS)
    assert leveled.get_or_set("key", loader, stale_seconds=600) == 2


def test_what_is_stale_is_not_served_to_who_does_not_want_it(cache: ProcessCache) -> None:
    expired(cache)

    with pytest.raises(LookupError):
        cache.get_or_set("key", fail)
    assert cache.get("key") is None


@pytest.mark.parametrize(
    "invalidate",
    [
        pytest.param(lambda cache: cache.delete("key"), id="delete"),
        pytest.param(lambda cache: cache.invalidate_tags("tag"), id="tag"),
        pytest.param(lambda cache: cache.clear(), id="clear"),
    ],
)
def test_what_was_invalidated_is_not_served_stale(
    cache: ProcessCache, invalidate: Callable[[ProcessCache], object]
) -> None:
    expired(cache, tags=["tag"])

    invalidate(cache)

    with pytest.raises(LookupError):
        cache.get_or_set("key", fail, stale_seconds=600)


def test_a_slow_loader_goes_on_behind_while_what_is_stale_is_served(
    cache: ProcessCache, held: Loader
) -> None:
    expired(cache)

    began = time.monotonic()
    answer = cache.get_or_set("key", held, stale_seconds=600, soft_timeout_seconds=0.1)
    took = time.monotonic() - began
    held.may_end.set()

    assert answer == "stale"
    assert 0.1 <= took < 1
    wait_for(lambda: cache.get("key") == 1, seconds=5)
    assert held.calls == 1


# Early


def test_what_is_to_expire_is_loaded_anew_behind(cache: ProcessCache, held: Loader) -> None:
    policy: dict[str, Any] = {"timeout": 2.0, "early_refresh": 0.05}
    cache.get_or_set("key", lambda: "first", **policy)
    time.sleep(0.15)

    began = time.monotonic()
    answers = [cache.get_or_set("key", held, **policy) for _ in range(20)]
    took = time.monotonic() - began
    held.may_end.set()

    assert answers == ["first"] * 20
    assert took < 1
    wait_for(lambda: cache.get("key") == 1, seconds=2)
    assert held.calls == 1


def test_what_was_touched_is_refreshed_too(cache: ProcessCache) -> None:
    loader = Loader()
    policy: dict[str, Any] = {"timeout": 30.0, "early_refresh": 0.001}
    cache.get_or_set("key", loader, **policy)
    cache.touch("key", 30)
    time.sleep(0.1)

    cache.get_or_set("key", loader, **policy)

    wait_for(lambda: cache.get("key") == 2, seconds=5)


def test_a_loader_that_fails_early_is_not_asked_again_at_once(cache: ProcessCache) -> None:
    loader = Loader()
    policy: dict[str, Any] = {"timeout": 30.0, "early_refresh": 0.001}
    cache.get_or_set("key", lambda: "first", **policy)
    loader.error = LookupError("not today")
    time.sleep(0.05)

    deadline = time.monotonic() + RETRY_SECONDS / 2
    answers = set()
    while time.monotonic() < deadline:
        answers.add(cache.get_or_set("key", loader, **policy))

    assert answers == {"first"}
    assert loader.calls == 1
