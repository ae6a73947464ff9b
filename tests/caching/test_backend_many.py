"""Deleting, counting, many keys at once and async, by each set of levels."""

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from redis.connection import AbstractConnection

from caching.levels.connections import Connections
from caching.levels.keyspace import SCRIPT_BATCH
from tests.caching.conftest import LEVEL_SETS, ProcessCache
from tests.caching.test_backend import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("leveled", LEVEL_SETS, indirect=True),
]


# Deleting


def test_delete_says_whether_there_was_something(leveled: ProcessCache) -> None:
    leveled.set("key", "value")

    assert leveled.delete("key") is True
    assert leveled.delete("key") is False
    assert leveled.delete("never") is False
    assert leveled.get("key") is None


def test_delete_does_not_find_what_a_tag_has_invalidated(leveled: ProcessCache) -> None:
    leveled.set("key", "value", tags=["tag"])
    leveled.invalidate_tags("tag")

    assert leveled.delete("key") is False


def test_what_is_set_after_a_delete_is_there(leveled: ProcessCache) -> None:
    leveled.set("key", "old")
    leveled.delete("key")
    leveled.set("key", "new")
    leveled.forget_memory() if leveled.hierarchy.has_database else None

    assert leveled.get("key") == "new"


def test_delete_many_deletes_those_and_no_others(leveled: ProcessCache) -> None:
    leveled.set_many({"a": 1, "b": 2, "c": 3})

    leveled.delete_many(["a", "c", "never"])
    leveled.delete_many([])

    assert leveled.get_many("abc") == {"b": 2}


def test_clear_forgets_everything_of_every_version(leveled: ProcessCache) -> None:
    leveled.set_many({"a": 1, "b": 2}, None)
    leveled.set("a", 1, version=2)

    leveled.clear()
    leveled.set("c", 3)

    assert leveled.get_many("abc") == {"c": 3}
    assert leveled.get("a", version=2) is None
    assert list(leveled.get_keys()) == ["c"]


def test_closing_ends_nothing(leveled: ProcessCache) -> None:
    leveled.set("key", "value")

    leveled.close()

    assert leveled.get("key") == "value"


# Counting


def test_incr_and_decr_return_and_keep_what_they_made(leveled: ProcessCache) -> None:
    leveled.set("n", 5)

    assert leveled.incr("n") == 6
    assert leveled.incr("n", 10) == 16
    assert leveled.incr("n", -1) == 15
    assert leveled.decr("n", 5) == 10
    assert leveled.increment("n") == 11
    assert leveled.get("n") == 11


def test_incr_of_nothing_is_a_value_error(leveled: ProcessCache) -> None:
    with pytest.raises(ValueError, match="never"):
        leveled.incr("never")
    with pytest.raises(ValueError, match="never"):
        leveled.decr("never")
    assert leveled.get("never") is None


def test_incr_keeps_the_end_and_the_tags(leveled: ProcessCache) -> None:
    leveled.set("n", 1, 600, tags=["tag"])
    before = leveled.hierarchy.lookup.found(leveled._key("n", None)).entry

    leveled.incr("n")

    after = leveled.hierarchy.lookup.found(leveled._key("n", None)).entry
    assert before is not None
    assert after is not None
    assert after.expires_at == pytest.approx(before.expires_at, abs=0.001)
    leveled.invalidate_tags("tag")
    assert leveled.get("n") is None


def test_no_count_of_threads_is_lost(leveled: ProcessCache) -> None:
    leveled.set("n", 0)

    at_once(4, lambda number: [leveled.incr("n") for _ in range(200)])

    assert leveled.get("n") == 800


def test_a_count_goes_on_from_what_was_set_meanwhile(leveled: ProcessCache) -> None:
    leveled.set("n", 0)

    def write(number: int) -> None:
        if number:
            leveled.set("n", 1_000_000)
        else:
            [leveled.incr("n") for _ in range(300)]

    at_once(2, write)

    assert leveled.get("n") >= 1_000_000


# Versions


def test_versions_of_a_key_are_kept_apart(leveled: ProcessCache) -> None:
    leveled.set("key", "one")
    leveled.set("key", "two", version=2)

    assert leveled.get("key") == leveled.get("key", version=1) == "one"
    assert leveled.get("key", version=2) == "two"
    assert leveled.get_many(["key"], version=2) == {"key": "two"}
    assert leveled.has_key("key", version=3) is False
    assert leveled.delete("key", version=2) is True
    assert leveled.get("key") == "one"


def test_incr_version_moves_a_value(leveled: ProcessCache) -> None:
    leveled.set("key", "value")

    assert leveled.incr_version("key") == 2
    assert (leveled.get("key"), leveled.get("key", version=2)) == (None, "value")
    assert leveled.decr_version("key", version=2) == 1
    assert leveled.get("key") == "value"
    with pytest.raises(ValueError, match="never"):
        leveled.incr_version("never")


# Many


def test_set_many_and_get_many_take_nothing_for_an_answer(leveled: ProcessCache) -> None:
    assert leveled.set_many({}) == []
    assert leveled.get_many([]) == {}


def test_keys_may_come_from_an_iterator(leveled: ProcessCache) -> None:
    leveled.set_many({"a": 1, "b": 2})

    assert leveled.get_many(iter(["a", "a", "b"])) == {"a": 1, "b": 2}
    leveled.delete_many(iter(["a"]))
    assert leveled.get_many(iter("ab")) == {"b": 2}


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What this thread sent to the servers, a word for each time."""
    sent: list[str] = []
    me = threading.get_ident()
    execute = Connections.execute
    send: Callable[..., Any] = AbstractConnection.send_packed_command

    def count_execute(self: Connections, *args: Any) -> Any:
        if threading.get_ident() == me:
            sent.append("PostgreSQL")
        return execute(self, *args)

    def count_send(self: AbstractConnection, *args: Any, **options: Any) -> Any:
        if threading.get_ident() == me:
            sent.append("Redis")
        return send(self, *args, **options)

    monkeypatch.setattr(Connections, "execute", count_execute)
    monkeypatch.setattr(AbstractConnection, "send_packed_command", count_send)
    return sent


def test_a_thousand_keys_cost_hardly_more_round_trips_than_ten(
    leveled: ProcessCache, trips: list[str]
) -> None:
    few, many = ({f"key-{n}": n for n in range(count)} for count in (10, 1000))
    leveled.set_many(few)
    leveled.get_many(few)
    leveled.delete_many(few)
    costs: list[list[str]] = []

    def costing(values: dict[str, int]) -> None:
        trips.clear()
        leveled.set_many(values)
        leveled.forget_memory() if leveled.hierarchy.has_database else None
        found = leveled.get_many(values)
        leveled.delete_many(values)
        costs.append(list(trips))
        assert found == values

    costing(few)
    costing(many)

    of_few, of_many = costs
    assert of_many.count("PostgreSQL") == of_few.count("PostgreSQL") <= 3
    assert of_few.count("Redis") <= 5
    assert of_many.count("Redis") - of_few.count("Redis") <= 2 * (1000 // SCRIPT_BATCH - 1)


# Async


def test_the_interface_is_there_for_coroutines(leveled: ProcessCache) -> None:
    async def use() -> None:
        await leveled.aset("a", 1)
        assert await leveled.aget("a") == 1
        assert await leveled.aadd("a", 2) is False
        assert await leveled.aset_many({"b": 2, "c": None}) == []
        assert await leveled.aget_many(["a", "b", "c", "d"]) == {"a": 1, "b": 2, "c": None}
        assert await leveled.aincr("a", 2) == 3
        assert await leveled.adecr("a") == 2
        assert await leveled.atouch("a", 60) is True
        assert await leveled.ahas_key("c") is True
        assert await leveled.aget_or_set("d", lambda: 4) == 4
        assert await leveled.aincr_version("d") == 2
        assert await leveled.adelete("a") is True
        await leveled.adelete_many(["b"])
        assert await leveled.aget_many("abc") == {"c": None}
        await leveled.aclear()
        assert await leveled.aget("c") is None
        await leveled.aclose()

    asyncio.run(use())


def test_a_coroutine_that_counts_keeps_the_end(leveled: ProcessCache) -> None:
    leveled.set("n", 1, None)

    asyncio.run(leveled.aincr("n"))

    found = leveled.hierarchy.lookup.found(leveled._key("n", None))
    assert (found.value, found.entry and found.entry.expires_at) == (2, None)


def test_coroutines_that_ask_at_once_load_once(leveled: ProcessCache) -> None:
    calls: list[int] = []

    def load() -> str:
        calls.append(1)
        threading.Event().wait(0.1)
        return "value"

    async def ask() -> list[Any]:
        return await asyncio.gather(*(leveled.aget_or_set("key", load) for _ in range(8)))

    assert asyncio.run(ask()) == ["value"] * 8
    assert len(calls) == 1
