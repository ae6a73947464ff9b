"""What Redis as a level takes beside bare Redis, when nothing is in memory."""

# mypy: disable-error-code="import-not-found"

import asyncio
from functools import partial
from typing import Any

import orjson
from django.conf import settings
from redis import Redis

from caching.backend import MultiLevelCache
from tests.bench.cache.caches import TIMEOUT, aiocache_redis, cashews_cache, django_redis, ours
from tests.bench.cache.timing import awaits, calls, microseconds
from tests.bench.cache.values import SIZES, transcript
from tests.bench.table import Row, Table

KEYS = [f"key-{number}" for number in range(100)]

#: What is not asked for by a caller.
HOUSEKEEPING = ("cmdstat_ping", "cmdstat_info", "cmdstat_config|resetstat", "cmdstat_config")


def bench_redis(table: Table) -> None:
    loop = asyncio.new_event_loop()
    asynchronous = {"cashews": cashews_cache(), "aiocache": aiocache_redis()}
    peer = django_redis()
    value = transcript(SIZES["1 KB"])
    with Redis.from_url(settings.REDIS_URL) as bare, ours("L2") as cache:
        for key in KEYS:
            cache.set(key, value)
            peer.set(key, value)
            bare.set(key, orjson.dumps(value), ex=TIMEOUT)
        for one in asynchronous.values():
            loop.run_until_complete(one.set("key", value, TIMEOUT))
        mine, theirs, djangos, *others = microseconds(
            calls(lambda: cache.get(KEYS[0])),
            calls(lambda: orjson.loads(bare.get(KEYS[0]))),
            calls(lambda: peer.get(KEYS[0])),
            *(awaits(partial(one.get, "key"), loop) for one in asynchronous.values()),
        )
        name = "L2 get, 1 KB, / "
        table.add(Row(f"{name}redis-py and orjson", mine, theirs, "us", 1.15))
        table.add(Row(f"{name}django-redis", mine, djangos, "us"))
        for peer_name, other in zip(asynchronous, others, strict=True):
            table.add(Row(f"{name}{peer_name}", mine, other, "us"))
        count = commands(bare, cache)
        table.add(Row("L2 get_many of 100, commands", count, 1, "MGET", 1.0))
        mine, theirs, djangos = microseconds(
            calls(lambda: cache.get_many(KEYS)),
            calls(lambda: [orjson.loads(data) for data in _mget(bare)]),
            calls(lambda: peer.get_many(KEYS)),
        )
        table.add(Row("L2 get_many of 100, / redis-py and orjson", mine, theirs, "us"))
        table.add(Row("L2 get_many of 100, / django-redis", mine, djangos, "us"))
    loop.run_until_complete(asynchronous["cashews"].close())
    loop.run_until_complete(asynchronous["aiocache"].close())


def commands(bare: "Redis", cache: MultiLevelCache) -> int:
    """Return how many commands Redis is given for 100 keys; AssertionError when not by MGET."""
    bare.config_resetstat()
    found = cache.get_many(KEYS)
    given: dict[str, Any] = bare.info("commandstats")
    counts = {name: one["calls"] for name, one in given.items() if name not in HOUSEKEEPING}
    assert len(found) == len(KEYS)
    assert "cmdstat_mget" in counts, counts
    return int(sum(counts.values()))


def _mget(bare: "Redis") -> list[bytes]:
    found: Any = bare.mget(KEYS)
    return list(found)
