"""What Django promises of every cache, kept by each set of levels."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests.caching.conftest import LEVEL_SETS, ProcessCache
from tests.waiting import wait_for

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True),
]

VALUES = [
    pytest.param(None, id="None"),
    pytest.param(False, id="False"),
    pytest.param(0, id="zero"),
    pytest.param(2**70, id="large int"),
    pytest.param(-1.5, id="float"),
    pytest.param("", id="empty text"),
    pytest.param("é\0🗝", id="text"),
    pytest.param(b"", id="no bytes"),
    pytest.param(bytes(range(256)) * 64, id="bytes"),
    pytest.param([], id="empty list"),
    pytest.param({}, id="empty dict"),
    pytest.param({"a": [1, (2, 3)], 4: {"b"}}, id="nested"),
    pytest.param(Decimal("1.10"), id="decimal"),
]


class Unstorable:
    pass


def at_once(count: int, call: Callable[[int], Any]) -> list[Any]:
    barrier = threading.Barrier(count, timeout=30)

    def run(number: int) -> Any:
        barrier.wait()
        return call(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


# Getting and setting


def test_what_was_never_set_is_the_default(leveled: ProcessCache) -> None:
    assert leveled.get("key") is None
    assert leveled.get("key", "default") == "default"
    assert not leveled.has_key("key")
    assert "key" not in leveled


@pytest.mark.parametrize("value", VALUES)
def test_a_value_comes_back_with_its_type(leveled: ProcessCache, value: Any) -> None:
    leveled.set("key", value)
    near = leveled.get("key", "default")
    leveled.forget_memory()

    far = leveled.get("key", "default" if leveled.hierarchy.has_redis else value)

    assert (near, type(near)) == (value, type(value))
    assert type(far) in (type(value), str)
    assert "key" in leveled or leveled.hierarchy.options.levels == {"L1"}


def test_none_is_told_from_nothing(leveled: ProcessCache) -> None:
    leveled.set("key", None)

    assert leveled.get("key", "default") is None
    assert leveled.has_key("key")
    assert leveled.get_many(["key", "other"]) == {"key": None}
    assert leveled.add("key", "new") is False
    assert leveled.get_or_set("key", "new") is None


def test_a_later_value_takes_the_place_of_an_earlier(leveled: ProcessCache) -> None:
    leveled.set("key", "old")
    leveled.set("key", "new")

    assert leveled.get("key") == "new"


def test_what_a_caller_does_to_its_value_changes_nobody_elses(leveled: ProcessCache) -> None:
    value = {"list": [1]}
    leveled.set("key", value)
    value["list"].append(2)
    leveled.get("key")["list"].append(3)
    leveled.get_many(["key"])["key"]["list"].append(4)
    leveled.get_or_set("key", {})["list"].append(5)
    leveled.lookup("key").value["list"].append(6)

    assert leveled.get("key") == {"list": [1]}


def test_what_a_loader_made_is_not_shared_with_who_called_it(leveled: ProcessCache) -> None:
    made: list[int] = []

    leveled.get_or_set("key", lambda: made).append(1)
    made.append(2)

    assert leveled.get("key") == []


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda cache: cache.set("key", Unstorable()), id="set"),
        pytest.param(lambda cache: cache.set("key", Unstorable(), 0), id="set without time"),
        pytest.param(
            lambda cache: cache.set_many({"other": 1, "key": Unstorable()}), id="set_many"
        ),
        pytest.param(lambda cache: cache.get_or_set("key2", Unstorable), id="get_or_set"),
        pytest.param(lambda cache: cache.add("key2", Unstorable()), id="add"),
    ],
)
def test_what_cannot_be_stored_is_a_type_error_that_names_the_key_and_changes_nothing(
    leveled: ProcessCache, write: Callable[[ProcessCache], object]
) -> None:
    leveled.set("key", "old")

    with pytest.raises(TypeError, match="key"):
        write(leveled)

    assert leveled.get_many(["key", "key2", "other"]) == {"key": "old"}


# Adding


def test_add_writes_where_there_is_nothing(leveled: ProcessCache) -> None:
    assert leveled.add("key", "first") is True
    assert leveled.add("key", "second") is False
    assert leveled.get("key") == "first"


def test_add_writes_where_the_value_has_expired(leveled: ProcessCache) -> None:
    leveled.set("key", "old", 0.05)
    wait_for(lambda: not leveled.has_key("key"), seconds=5)

    assert leveled.add("key", "new") is True
    assert leveled.get("key") == "new"


def test_add_writes_where_the_value_was_deleted(leveled: ProcessCache) -> None:
    leveled.set("key", "old")
    leveled.delete("key")

    assert leveled.add("key", "new") is True
    assert leveled.get("key") == "new"


def test_add_writes_where_a_tag_was_invalidated(leveled: ProcessCache) -> None:
    leveled.set("key", "old", tags=["tag"])
    leveled.invalidate_tags("tag")

    assert leveled.add("key", "new", tags=["tag"]) is True
    assert leveled.get("key") == "new"


def test_add_writes_after_everything_was_cleared(leveled: ProcessCache) -> None:
    leveled.set("key", "old")
    leveled.clear()

    assert leveled.add("key", "new") is True
    assert leveled.get("key") == "new"


def test_of_many_who_add_at_once_one_does(leveled: ProcessCache) -> None:
    added = at_once(8, lambda number: leveled.add("key", number))

    assert added.count(True) == 1
    assert leveled.get("key") == added.index(True)


def test_adding_without_time_keeps_nothing(leveled: ProcessCache) -> None:
    assert leveled.add("key", "value", 0) is True
    assert leveled.get("key") is None


# Time


@pytest.mark.parametrize("timeout", [pytest.param(0, id="zero"), pytest.param(-1, id="negative")])
def test_what_has_no_time_left_is_not_kept(leveled: ProcessCache, timeout: int) -> None:
    leveled.set_many({"a": "old", "b": "old", "c": "old"})

    leveled.set("a", "new", timeout)
    leveled.set_many({"b": "new"}, timeout)
    touched = leveled.touch("c", timeout)

    assert leveled.get_many(["a", "b", "c"]) == {}
    assert touched is True


def test_a_value_expires_when_its_time_is_over_and_not_before(leveled: ProcessCache) -> None:
    began = time.time()
    leveled.set_many({"a": 1, "b": 1}, 1)
    leveled.set("endless", 1, None)
    leveled.set("c", 1, 600)
    leveled.touch("c", 1)
    has_all = len(leveled.get_many(["a", "b", "c"])) == 3
    read_at = time.time()

    wait_for(lambda: not leveled.get_many(["a", "b", "c"]), seconds=5, every=0.005)

    assert has_all or read_at - began >= 1
    assert 1 <= time.time() - began < 2
    assert leveled.get("endless") == 1


def test_without_a_timeout_it_is_that_of_the_cache(leveled: ProcessCache) -> None:
    leveled.set("key", "value")

    entry = leveled.hierarchy.lookup.found(leveled._key("key", None)).entry

    assert entry is not None
    assert entry.expires_at == pytest.approx(time.time() + 300, abs=5)


def test_touch_moves_the_end_and_keeps_the_value(leveled: ProcessCache) -> None:
    leveled.set("key", {"a": 1}, 0.3)

    assert leveled.touch("key", 600) is True
    time.sleep(0.35)

    assert leveled.get("key") == {"a": 1}


def test_touch_takes_the_end_away(leveled: ProcessCache) -> None:
    leveled.set("key", "value", 0.3)

    assert leveled.touch("key", None) is True
    time.sleep(0.35)

    assert leveled.get("key") == "value"


def test_touch_finds_nothing_where_there_is_nothing(leveled: ProcessCache) -> None:
    leveled.set("deleted", 1)
    leveled.delete("deleted")

    assert leveled.touch("never") is False
    assert leveled.touch("deleted") is False
    assert leveled.get_many(["never", "deleted"]) == {}


def test_touch_does_not_bring_back_what_has_expired(leveled: ProcessCache) -> None:
    leveled.set("key", "value", 0.05)
    wait_for(lambda: not leveled.has_key("key"), seconds=5)

    assert leveled.touch("key", 600) is False
    assert leveled.get("key") is None


def test_touch_does_not_find_what_a_tag_has_invalidated(leveled: ProcessCache) -> None:
    leveled.set("key", "value", tags=["tag"])
    leveled.invalidate_tags("tag")

    assert leveled.touch("key", 600) is False
    assert leveled.get("key") is None


def test_expire_is_touch(leveled: ProcessCache) -> None:
    leveled.set("key", "value", None)

    assert leveled.expire("key", 0) is True
    assert leveled.get("key") is None
    assert leveled.expire("key", 5) is False
