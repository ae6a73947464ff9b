"""What every shared level does, whatever it is made of.

A test module of a level subclasses ``SharedLevelContract`` and has two fixtures: ``level``, which
is empty, and ``second``, another instance on the same store, as another process has one.
"""

import time

import pytest

from caching import codec
from caching.entries import Entry, Tag
from caching.levels.base import TAG_MARK, LevelSize, SharedLevel
from caching.patterns import Glob


def entry(
    value: object = "value",
    *,
    expires_in: float | None = 60.0,
    kept_for: float | None = None,
    tags: tuple[Tag, ...] = (),
    prefix: str = "",
) -> Entry:
    """Return an entry made now; without ``kept_for`` it is gone when it expires."""
    now = time.time()
    expires_at = None if expires_in is None else now + expires_in
    return Entry(
        codec.encode(value, key="key"),
        stored_at=now,
        expires_at=expires_at,
        discard_at=expires_at if kept_for is None else now + kept_for,
        tags=tags,
        prefix=prefix,
    )


def stale(value: object = "value") -> Entry:
    """Return an entry that has expired and is kept."""
    return entry(value, expires_in=-1, kept_for=60)


def in_a_minute() -> float:
    return time.time() + 60


def value_of(held: Entry | None) -> object:
    """Return the decoded value of what a level returned; it must have one."""
    assert held is not None
    assert held.payload is not None
    return codec.decode(held.payload)


class SharedLevelContract:
    # Reading and writing

    def test_nothing_is_held_for_a_key_that_was_never_written(self, level: SharedLevel) -> None:
        assert level.get("key") is None
        assert level.get_many(["key", "other"]) == {}

    def test_an_entry_comes_back_as_it_was_put(
        self, level: SharedLevel, second: SharedLevel
    ) -> None:
        put = entry({"n": [1, None, "é"]}, kept_for=90, tags=(("a", 3), ("b", 2**40)), prefix="p")

        version = level.put("key", put)

        held = second.get("key")
        assert held is not None
        assert (held.payload, held.tags, held.prefix) == (put.payload, put.tags, put.prefix)
        assert held.stored_at == pytest.approx(put.stored_at, abs=0.001)
        assert held.expires_at == pytest.approx(put.expires_at, abs=0.001)
        assert held.discard_at == pytest.approx(put.discard_at, abs=0.001)
        assert held.version == version > 0

    def test_an_entry_without_end_comes_back_without_one(self, level: SharedLevel) -> None:
        level.put("key", entry(expires_in=None))

        held = level.get("key")

        assert held is not None
        assert (held.expires_at, held.discard_at) == (None, None)

    @pytest.mark.parametrize(
        "key",
        [
            pytest.param(":1:with:colons", id="colons"),
            pytest.param("ключ 🗝", id="other scripts"),
            pytest.param("50%_[a]*?\\", id="signs of patterns"),
            pytest.param("k" * 250, id="as long as keys may be"),
        ],
    )
    def test_any_key_will_do(self, level: SharedLevel, key: str) -> None:
        version = level.put(key, entry("mine"))

        assert value_of(level.get(key)) == "mine"
        assert level.put_many({key: entry("later")})[key] > version
        assert value_of(level.get_many([key])[key]) == "later"
        assert list(level.delete_many([key], discard_at=in_a_minute())) == [key]

    def test_a_large_value_comes_back(self, level: SharedLevel) -> None:
        value = bytes(range(256)) * 4096

        level.put("key", entry(value))

        assert value_of(level.get("key")) == value

    def test_get_many_leaves_out_what_is_not_held(self, level: SharedLevel) -> None:
        level.put("a", entry(1))
        level.put("b", entry(2))

        held = level.get_many(["b", "missing", "a"])

        assert {key: value_of(found) for key, found in held.items()} == {"a": 1, "b": 2}

    def test_many_verbs_take_nothing_for_an_answer(self, level: SharedLevel) -> None:
        assert level.get_many([]) == {}
        assert level.put_many({}) == {}
        assert level.delete_many([], discard_at=in_a_minute()) == {}
        assert level.tag_versions([]) == {}
        assert level.bump_tags([]) == {}

    def test_put_many_writes_each_and_returns_their_versions(
        self, level: SharedLevel, second: SharedLevel
    ) -> None:
        first = level.put("b", entry("old"))

        versions = level.put_many({"a": entry(1), "b": entry(2, prefix="p")})

        held = second.get_many(["a", "b"])
        assert {key: found.version for key, found in held.items()} == versions
        assert (value_of(held["a"]), value_of(held["b"])) == (1, 2)
        assert versions["b"] > first

    def test_put_many_takes_more_than_a_thousand(self, level: SharedLevel) -> None:
        versions = level.put_many({f"key {n}": entry(n) for n in range(2500)})

        assert len(versions) == 2500
        assert len(level.get_many(versions)) == 2500

    # Versions

    def test_a_later_write_has_a_larger_version(
        self, level: SharedLevel, second: SharedLevel
    ) -> None:
        versions = [level.put("key", entry(1)), second.put("key", entry(2))]

        versions.append(level.put("key", entry(3)))

        assert versions == sorted(set(versions))

    def test_a_put_that_expects_what_is_held_is_made(self, level: SharedLevel) -> None:
        version = level.put("key", entry("old"))

        written = level.put("key", entry("new"), expected=version)

        assert written > version
        assert value_of(level.get("key")) == "new"

    def test_a_put_that_expects_nothing_is_made_where_nothing_is_held(
        self, level: SharedLevel
    ) -> None:
        assert level.put("key", entry("new"), expected=0) > 0
        assert value_of(level.get("key")) == "new"

    def test_a_put_that_expects_an_older_version_changes_nothing(
        self, level: SharedLevel, second: SharedLevel
    ) -> None:
        version = level.put("key", entry("old"))
        later = second.put("key", entry("later"))

        written = level.put("key", entry("too late"), expected=version)

        held = level.get("key")
        assert written == 0
        assert held is not None
        assert (value_of(held), held.version) == ("later", later)

    def test_a_put_that_expects_nothing_is_refused_where_something_is_held(
        self, level: SharedLevel
    ) -> None:
        level.put("key", entry("old"))

        assert level.put("key", entry("new"), expected=0) == 0
        assert value_of(level.get("key")) == "old"

    def test_a_put_that_expects_a_version_is_refused_where_nothing_is_held(
        self, level: SharedLevel
    ) -> None:
        assert level.put("key", entry("new"), expected=1) == 0
        assert level.get("key") is None

    def test_versions_do_not_begin_again_after_everything_was_forgotten(
        self, level: SharedLevel
    ) -> None:
        version = level.put("key", entry("old"))
        level.clear()

        assert level.put("key", entry("new")) > version

    # Time

    def test_what_is_stale_is_held(self, level: SharedLevel) -> None:
        level.put("key", stale())

        held = level.get("key")

        assert held is not None
        assert not held.is_fresh(time.time())

    def test_what_is_past_its_end_is_not_held(self, level: SharedLevel) -> None:
        level.put("key", entry(expires_in=-10))
        level.put_many({"other": entry(expires_in=-10)})
        time.sleep(0.01)  # its end may be rounded up to the next millisecond

        assert level.get("key") is None
        assert level.get_many(["key", "other"]) == {}
        assert level.put("key", entry(), expected=0) > 0

    def test_touch_moves_the_expiry_and_nothing_else(
        self, level: SharedLevel, second: SharedLevel
    ) -> None:
        version = level.put("key", entry("kept", tags=(("a", 1),), prefix="p"))
        expires_at, discard_at = time.time() + 600, time.time() + 900

        touched = second.touch("key", expires_at=expires_at, discard_at=discard_at)

        held = level.get("key")
        assert held is not None
        assert (value_of(held), held.tags, held.prefix) == ("kept", (("a", 1),), "p")
        assert held.expires_at == pytest.approx(expires_at, abs=0.001)
        assert held.discard_at == pytest.approx(discard_at, abs=0.001)
        assert held.version == touched > version

    def test_touch_takes_the_end_away(self, level: SharedLevel) -> None:
        level.put("key", entry())

        level.touch("key", expires_at=None, discard_at=None)

        held = level.get("key")
        assert held is not None
        assert (held.expires_at, held.discard_at) == (None, None)

    def test_touch_finds_nothing_in_what_is_not_fresh(self, level: SharedLevel) -> None:
        level.put("stale", stale())
        level.put("deleted", entry())
        level.delete_many(["deleted"], discard_at=in_a_minute())
        later = {"expires_at": in_a_minute(), "discard_at": in_a_minute()}

        assert level.touch("stale", **later) == 0
        assert level.touch("deleted", **later) == 0
        assert level.touch("never written", **later) == 0
        assert level.get("never written") is None

    # Deleting

    def test_delete_puts_a_tombstone_with_a_larger_version(
        self, level: SharedLevel, second: SharedLevel
    ) -> None:
        version = level.put("key", entry())
        discard_at = in_a_minute()

        versions = level.delete_many(["key"], discard_at=discard_at)

        held = second.get("key")
        assert held is not None
        assert held.is_tombstone
        assert held.discard_at == pytest.approx(discard_at, abs=0.001)
        assert held.version == versions["key"] > version

    def test_delete_puts_tombstones_also_where_there_was_nothing_fresh(
        self, level: SharedLevel
    ) -> None:
        level.put("stale", stale())

        versions = level.delete_many(["stale", "never written"], discard_at=in_a_minute())

        held = level.get_many(["stale", "never written"])
        assert versions == {}
        assert [found.is_tombstone for found in held.values()] == [True, True]
        assert level.put("never written", entry(), expected=0) == 0

    def test_what_was_deleted_is_not_found_a_second_time(self, level: SharedLevel) -> None:
        level.put("key", entry())
        level.delete_many(["key"], discard_at=in_a_minute())

        assert level.delete_many(["key"], discard_at=in_a_minute()) == {}

    def test_a_reader_that_read_before_a_delete_cannot_bring_the_value_back(
        self, level: SharedLevel, second: SharedLevel
    ) -> None:
        read = level.put("key", entry("old"))
        second.delete_many(["key"], discard_at=in_a_minute())

        assert level.put("key", entry("old again"), expected=read) == 0
        assert level.put("key", entry("new")) > read

    def test_a_tombstone_ends(self, level: SharedLevel) -> None:
        version = level.put("key", entry())
        level.delete_many(["key"], discard_at=time.time() - 10)
        time.sleep(0.01)  # its end may be rounded up to the next millisecond

        assert level.get("key") is None
        assert level.put("key", entry("new"), expected=0) > version

    def test_clear_forgets_entries_tombstones_and_tags(
        self, level: SharedLevel, second: SharedLevel
    ) -> None:
        level.put_many({f"key {n}": entry(n) for n in range(1500)})
        level.delete_many(["deleted"], discard_at=in_a_minute())
        level.bump_tags(["tag"])

        second.clear()

        assert level.get_many(["deleted", *(f"key {n}" for n in range(1500))]) == {}
        assert level.tag_versions(["tag"]) == {}

    # Looking around

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            pytest.param("*", {"user:1", "user:2", "post:1", "user_1"}, id="all"),
            pytest.param("user:*", {"user:1", "user:2"}, id="a prefix"),
            pytest.param("*:1", {"user:1", "post:1"}, id="an end"),
            pytest.param("user_*", {"user_1"}, id="no wildcard of SQL"),
            pytest.param("nobody*", set(), id="none"),
        ],
    )
    def test_keys_are_those_that_match(
        self, level: SharedLevel, pattern: str, expected: set[str]
    ) -> None:
        level.put_many({key: entry() for key in ("user:1", "user:2", "post:1", "user_1")})

        assert sorted(level.keys(Glob(pattern))) == sorted(expected)

    def test_keys_are_those_of_fresh_values(self, level: SharedLevel) -> None:
        level.put_many({"fresh": entry(), "endless": entry(expires_in=None), "stale": stale()})
        level.put("deleted", entry())
        level.delete_many(["deleted"], discard_at=in_a_minute())

        assert sorted(level.keys(Glob("*"))) == ["endless", "fresh"]

    def test_keys_come_in_batches_and_all_of_them_come(self, level: SharedLevel) -> None:
        written = level.put_many({f"key {n}": entry(n) for n in range(2500)})

        assert set(level.keys(Glob("key*"))) == set(written)

    def test_sizes_are_counted_by_prefix(self, level: SharedLevel) -> None:
        level.put_many({f"user:{n}": entry("x" * 100, prefix="user") for n in range(3)})
        level.put("post:1", entry(b"y" * 5000, prefix="post"))
        level.put("plain", entry())

        sizes = {size.prefix: size for size in level.sizes()}

        assert {prefix: size.entry_count for prefix, size in sizes.items()} == {
            "user": 3,
            "post": 1,
            "": 1,
        }
        assert sizes["user"].size_bytes > 0
        assert 0 < sizes[""].size_bytes < sizes["post"].size_bytes

    def test_nothing_has_no_sizes(self, level: SharedLevel) -> None:
        empty: list[LevelSize] = []

        assert level.sizes() == empty

    def test_purge_removes_nothing_that_somebody_may_have(self, level: SharedLevel) -> None:
        level.put_many({"fresh": entry(), "endless": entry(expires_in=None), "stale": stale()})
        level.delete_many(["deleted"], discard_at=in_a_minute())

        level.purge(100)

        assert len(level.get_many(["fresh", "endless", "stale", "deleted"])) == 4

    # Tags

    def test_a_tag_that_was_never_bumped_is_not_known(self, level: SharedLevel) -> None:
        assert level.tag_versions(["tag"]) == {}

    def test_a_tag_gets_a_version_that_it_never_had(
        self, level: SharedLevel, second: SharedLevel
    ) -> None:
        first = level.bump_tags(["a", "b"])
        again = second.bump_tags(["a"])

        assert again["a"] > first["a"] > 0
        assert level.tag_versions(["a", "b", "c"]) == {"a": again["a"], "b": first["b"]}

    def test_a_tag_that_was_forgotten_gets_a_version_that_it_never_had(
        self, level: SharedLevel
    ) -> None:
        before = level.bump_tags(["tag"])
        level.clear()

        assert level.bump_tags(["tag"])["tag"] > before["tag"]

    def test_tags_and_keys_have_names_of_their_own(self, level: SharedLevel) -> None:
        level.put("same", entry("value"))
        level.bump_tags(["same"])

        level.delete_many(["same"], discard_at=in_a_minute())

        assert list(level.tag_versions(["same"])) == ["same"]

    # Repairs

    def test_repairs_are_remembered_until_they_are_made(
        self, level: SharedLevel, second: SharedLevel
    ) -> None:
        level.note_repairs(["a", "b", TAG_MARK + "tag"])
        level.note_repairs(["b"])

        assert sorted(second.repairs(10)) == [TAG_MARK + "tag", "a", "b"]
        second.forget_repairs(["b", TAG_MARK + "tag"])
        assert level.repairs(10) == ["a"]

    def test_repairs_are_handed_out_up_to_a_limit(self, level: SharedLevel) -> None:
        level.note_repairs([f"key {n}" for n in range(20)])

        assert len(set(level.repairs(5))) == 5

    def test_no_repairs_may_be_noted_and_forgotten(self, level: SharedLevel) -> None:
        level.note_repairs([])
        level.forget_repairs([])
        level.forget_repairs(["never noted"])

        assert level.repairs(10) == []

    # Being there

    def test_a_level_that_is_there_answers(self, level: SharedLevel) -> None:
        level.ping()

    def test_a_level_that_was_closed_connects_again(self, level: SharedLevel) -> None:
        version = level.put("key", entry())
        level.close()

        held = level.get("key")

        assert held is not None
        assert held.version == version
