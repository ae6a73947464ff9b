"""The memory of one process: bounded, the least recently used goes first, no late copies."""

import math
import random
import threading
import time
from typing import Any

import pytest

from caching.codec import encode
from caching.entries import Entry
from caching.levels.memory import READS_TO_DECODED, MemoryLevel
from caching.patterns import Glob

MEGABYTE = 1024**2


def entry(value: object, version: int = 1) -> Entry:
    return Entry(encode(value, key="key"), version=version)


def put(memory: MemoryLevel, key: str, value: object = "value", version: int = 1) -> None:
    memory.put(key, entry(value, version), value, until=math.inf, ticket=memory.ticket(key))


def put_and_drop(memory: MemoryLevel) -> None:
    put(memory, "key")
    memory.drop("key")


def holds(memory: MemoryLevel, key: str) -> bool:
    return key in dict(memory.items())


@pytest.fixture
def memory() -> MemoryLevel:
    return MemoryLevel(max_bytes=MEGABYTE, max_entries=1000)


@pytest.mark.parametrize("kind", ["str", "list"])
def test_no_more_bytes_are_held_than_allowed_and_they_are_used(
    memory: MemoryLevel, kind: str
) -> None:
    generator = random.Random(7)  # noqa: S311 - sizes, not secrets
    for number in range(5000):
        text = "x" * generator.randrange(3000)
        put(memory, f"key-{number}", text if kind == "str" else [text])

    by_hand = sum(memory.size_of(key, slot) for key, slot in memory.items())
    assert 0.9 * MEGABYTE < memory.size_bytes <= MEGABYTE
    assert by_hand == pytest.approx(memory.size_bytes, rel=0.1)
    assert memory.eviction_count == 5000 - len(memory)


def test_no_more_entries_are_held_than_allowed(memory: MemoryLevel) -> None:
    for number in range(3000):
        put(memory, f"key-{number}", 1)

    assert 900 <= len(memory) <= 1000


def test_overwriting_counts_once(memory: MemoryLevel) -> None:
    for number in range(2000):
        put(memory, "key", "x" * (number % 50 * 100), version=number + 1)

    assert len(memory) == 1
    assert memory.size_bytes < 12_000
    assert memory.eviction_count == 0


def test_what_was_used_longest_ago_makes_room(memory: MemoryLevel) -> None:
    for number in range(100):
        put(memory, f"key-{number}", "x" * 4000)
    memory.get("key-0")

    for number in range(100, 130):
        put(memory, f"key-{number}", "x" * 4000)

    assert holds(memory, "key-0")
    assert not holds(memory, "key-1")
    assert holds(memory, "key-129")


def test_shrinking_forgets_what_was_used_longest_ago(memory: MemoryLevel) -> None:
    for number in range(10):
        put(memory, f"key-{number}", "x" * 1000)
    memory.get("key-0")

    count = memory.shrink(memory.size_bytes // 2)

    assert count == 5
    assert [key for key in range(10) if holds(memory, f"key-{key}")] == [0, 6, 7, 8, 9]


def test_what_is_larger_than_all_is_not_held_and_pushes_nothing_out(memory: MemoryLevel) -> None:
    put(memory, "small")
    put(memory, "key", "old")

    put(memory, "key", "x" * 2 * MEGABYTE, version=2)

    assert not holds(memory, "key")
    assert holds(memory, "small")


def test_an_older_write_does_not_take_the_place_of_a_later(memory: MemoryLevel) -> None:
    put(memory, "key", "later", version=2)
    put(memory, "key", "older", version=1)

    slot = memory.get("key")
    assert slot is not None
    assert slot.value == "later"


def test_a_copy_is_kept_when_nothing_happened(memory: MemoryLevel) -> None:
    ticket = memory.ticket("key")

    memory.promote("key", entry("copy"), "copy", until=math.inf, ticket=ticket)

    assert holds(memory, "key")


@pytest.mark.parametrize(
    "happens",
    [
        pytest.param(lambda memory: memory.drop("key"), id="drop"),
        pytest.param(lambda memory: memory.drop("key", version=5), id="drop of a version"),
        pytest.param(lambda memory: memory.drop_matching(Glob("k*")), id="drop by pattern"),
        pytest.param(lambda memory: memory.clear(), id="clear"),
        pytest.param(put_and_drop, id="put and drop"),
    ],
)
@pytest.mark.parametrize("verb", ["promote", "put"])
def test_a_copy_from_before_a_drop_is_refused(
    memory: MemoryLevel, happens: object, verb: str
) -> None:
    ticket = memory.ticket("key")
    assert callable(happens)
    happens(memory)

    getattr(memory, verb)("key", entry("old"), "old", until=math.inf, ticket=ticket)

    assert not holds(memory, "key")


def test_a_drop_spares_the_version_that_it_tells_of(memory: MemoryLevel) -> None:
    put(memory, "key", version=7)

    memory.drop("key", version=7)
    is_spared = holds(memory, "key")
    memory.drop("key", version=8)

    assert is_spared
    assert not holds(memory, "key")


def test_a_drop_by_pattern_counts_what_nobody_else_has(memory: MemoryLevel) -> None:
    put(memory, "a:shared", version=7)
    put(memory, "a:alone", version=0)
    put(memory, "b:alone", version=0)
    over = time.time() - 1
    memory.put("a:over", entry(1, 0), 1, until=over, ticket=memory.ticket("a:over"))

    assert memory.drop_matching(Glob("a:*")).total() == 1
    assert list(memory.keys()) == ["b:alone"]


def test_what_is_over_is_purged(memory: MemoryLevel) -> None:
    ticket = memory.ticket("over")
    memory.put("over", entry(1), 1, until=time.time() - 1, ticket=ticket)
    put(memory, "kept")

    assert memory.purge() == 1
    assert len(memory) == 1


def test_threads_do_not_break_the_count(memory: MemoryLevel) -> None:
    def use(number: int) -> None:
        for turn in range(2000):
            key = f"key-{(turn * 7 + number) % 300}"
            put(memory, key, "x" * (turn % 5000), version=turn)
            memory.get(key)
            if turn % 11 == 0:
                memory.drop(key)
            if turn % 500 == 0:
                memory.purge()

    threads = [threading.Thread(target=use, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    by_hand = sum(memory.size_of(key, slot) for key, slot in memory.items())
    assert memory.size_bytes == by_hand <= MEGABYTE


def read(memory: MemoryLevel, key: str) -> object:
    slot = memory.get(key)
    assert slot is not None
    return memory.copy(key, slot)


def test_what_is_read_is_kept_decoded_and_takes_more(memory: MemoryLevel) -> None:
    put(memory, "key", [{"word": "so"}] * 10)
    before = memory.size_bytes

    values = [read(memory, "key") for _ in range(3)]

    assert values == [[{"word": "so"}] * 10] * 3
    assert memory.size_bytes > before + 10 * 100


def test_a_caller_that_changes_what_it_read_changes_nothing_else(memory: MemoryLevel) -> None:
    put(memory, "key", {"words": [{"word": "so"}], "tags": {"a"}})

    for _ in range(3):
        value: Any = read(memory, "key")
        value["words"][0]["word"] = "changed"
        value["words"].append("more")
        value["tags"].clear()

    assert read(memory, "key") == {"words": [{"word": "so"}], "tags": {"a"}}


def test_no_more_than_a_share_of_the_bytes_is_for_decoded_values(memory: MemoryLevel) -> None:
    for number in range(900):
        put(memory, f"key-{number}", [[number] * 50])
        for _ in range(READS_TO_DECODED):
            read(memory, f"key-{number}")

    decoded_bytes = [slot.value_bytes for _, slot in memory.items()]
    assert 0 < sum(decoded_bytes) < 0.5 * MEGABYTE
    assert decoded_bytes.count(0) > 300


def test_a_value_that_was_dropped_while_it_was_decoded_is_not_kept(memory: MemoryLevel) -> None:
    put(memory, "key", [{"word": "so"}])
    slot = memory.get("key")
    assert slot is not None
    slot.reads_to_decoded = 1
    memory.drop("key")

    assert memory.copy("key", slot) == [{"word": "so"}]
    assert not holds(memory, "key")
