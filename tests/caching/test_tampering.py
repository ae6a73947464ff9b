"""What nobody of ours wrote: on the backplane, in Redis and in the table it harms nobody."""

import pickle
import time
from typing import Any

import pytest
import redis

from caching.entries import Entry
from caching.health import statistics_of
from caching.levels.database import DatabaseLevel
from caching.packing import pack
from caching.statistics import Event
from tests.caching.conftest import ProcessCache, settle

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\x00garbage", id="bytes"),
        pytest.param(b"\x80\x04\x95pickle", id="pickle"),
        pytest.param(b"\xc0", id="nil"),
        pytest.param(b"\x93\xc4\x01x\xa4keys\xc0", id="no keys"),
        pytest.param(b"\x93\xc4\x01x\xa4keys\x81\xa3key\xa3abc", id="a version that is text"),
        pytest.param(b"\x93\xc4\x01x\xa4tags\x81\xc0\xc0", id="a tag that is nil"),
        pytest.param(b"\x93\xc4\x01x\xa4tags\x81\xa3tag\xa3abc", id="a tag version of text"),
        pytest.param(b"\x93\xc4\x01x\xa7nothing\x80", id="of another kind"),
    ],
)
def test_garbage_on_the_backplane_harms_nobody(
    cache: ProcessCache, other: ProcessCache, redis_connection: redis.Redis, garbage: bytes
) -> None:
    cache.set("key", "old", tags=["tag"])
    other.get("key")

    redis_connection.publish(cache.hierarchy.redis._channel, garbage)
    cache.set("key", "new", tags=["tag"])
    settle(cache, other)

    assert other.get("key") == "new"
    cache.invalidate_tags("tag")
    settle(cache, other)
    assert other.get("key") is None


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"garbage", id="text"),
        pytest.param(
            b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07garbage\x94.", id="pickle"
        ),
        pytest.param(b"\xc5" + bytes(20), id="a header that is cut off"),
        pytest.param(b"\xc5" + b"\xff" * 60, id="a header of ones"),
    ],
)
def test_what_cannot_be_decoded_is_a_miss_and_is_counted(
    cache: ProcessCache,
    redis_connection: redis.Redis,
    cache_tables: DatabaseLevel,
    garbage: bytes,
) -> None:
    cache.set_many({"near": "value", "far": "value"})
    redis_connection.set(cache.hierarchy.redis._value + cache.make_key("near"), garbage)
    cache_tables._execute(
        "UPDATE cache_entries SET payload = %b WHERE key = %s", (garbage, cache.make_key("far"))
    )
    redis_connection.delete(cache.hierarchy.redis._value + cache.make_key("far"))
    cache.forget_memory()

    assert cache.get_many(["near", "far"]) == {"near": "value"}
    statistics = statistics_of(cache.hierarchy)
    counts = [statistics.total(Event.UNDECODABLE, level) for level in ("L2", "L3")]
    assert counts == [1, 1]
    cache.set("far", "new")
    assert cache.get("far") == "new"


exploded: list[int] = []


def explode() -> None:
    exploded.append(1)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (explode, ())


@pytest.mark.parametrize("level", ["L2", "L3"])
def test_a_pickle_is_never_loaded(
    cache: ProcessCache, redis_connection: redis.Redis, cache_tables: DatabaseLevel, level: str
) -> None:
    bomb = pickle.dumps(Bomb())
    packed = pack(Entry(bomb, version=2**50, stored_at=time.time()))
    if level == "L2":
        name = cache.hierarchy.redis._value + cache.make_key("key")
        redis_connection.set(name, bomb)
        redis_connection.set(name + "2", packed)
    else:
        cache.set_many({"key": 1, "key2": 2})
        cache.forget_memory()
        cache.forget_redis()
        cache_tables._execute("UPDATE cache_entries SET payload = %b", (packed,))

    assert cache.get_many(["key", "key2"]) == {}
    assert cache.get("key", "default") == cache.get("key2", "default") == "default"
    assert exploded == []
