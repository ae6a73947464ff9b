"""What it takes to invalidate 10,000 of 100,000 entries, and what others notice of it."""

# mypy: disable-error-code="import-not-found,import-untyped"

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from statistics import median
from typing import Any

from django.conf import settings
from django_redis.cache import RedisCache
from redis import Redis

from caching.backend import MultiLevelCache
from config import env
from tests.bench.cache.caches import TIMEOUT, opened, ours
from tests.bench.cache.processes import Remote
from tests.bench.cache.values import transcript
from tests.bench.percentiles import percentile
from tests.bench.table import Row, Table

ENTRIES, GROUP = 100_000, 10_000
BATCH = 1_000

#: So many groups are invalidated by their tag, one after the other while another process reads.
TAGS = 5
PAUSE_SECONDS = 0.4

#: After an invalidation, others may notice it for so long.
ECHO_SECONDS = 0.05

PATTERN_ROUNDS = 5
LIMIT_MS = 10.0

VALUE = transcript(1)

#: When something began and ended, by ``time.monotonic``.
Span = tuple[float, float]

#: Redis's databases of the peers, with as many entries as ours.
BARE_DATABASE, DJANGO_DATABASE = 1, 2


class Reader:
    """Another process, which reads the last group, and not from its memory."""

    def __init__(self) -> None:
        self._cache = opened("L2", "L3")

    def read(self, seconds: float) -> list[Span]:
        """Read in turn for so long; return when each GET began and ended."""
        keys = list(_keys(ENTRIES // GROUP - 1))
        spans: list[Span] = []
        end = time.monotonic() + seconds
        while (began := time.monotonic()) < end:
            assert self._cache.get(keys[len(spans) % GROUP]) is not None
            spans.append((began, time.monotonic()))
        return spans


def bench_invalidation(table: Table) -> None:
    with ours() as cache, Remote(Reader) as reader:
        by_tag(table, cache, reader)
    three_levels = pattern_seconds([_Ours("L1", "L2", "L3")])
    two = pattern_seconds([_Ours("L1", "L2"), _Bare(), _DjangoRedis()])
    mine, bare, django = (1000 * side for side in two)
    name = "10,000 of 100,000 by pattern"
    table.add(Row(f"{name}, L1+L2, / SCAN and UNLINK", mine, bare, "ms", 1.3))
    table.add(Row(f"{name}, L1+L2+L3, / SCAN and UNLINK", 1000 * three_levels[0], bare, "ms"))
    table.add(Row(f"{name}, L1+L2, / django-redis", mine, django, "ms"))


def by_tag(table: Table, cache: MultiLevelCache, reader: Remote) -> None:
    for group in range(ENTRIES // GROUP):
        _fill(partial(cache.set_many, tags=[f"group:{group}"]), _keys(group))
    seconds = PAUSE_SECONDS * (TAGS + 2)
    idle = reader.ask("read", seconds)
    reader.tell("read", seconds)
    invalidations: list[Span] = []
    for group in range(TAGS):
        time.sleep(PAUSE_SECONDS)
        began = time.monotonic()
        cache.invalidate_tags(f"group:{group}")
        invalidations.append((began, time.monotonic()))
        assert not cache.get_many(_keys(group))
    busy = [
        (began, ended)
        for began, ended in reader.answer()
        if any(ended > first and began < last + ECHO_SECONDS for first, last in invalidations)
    ]
    assert len(cache.get_many(_keys(TAGS))) == GROUP
    name = "10,000 of 100,000 by tag"
    table.add(Row(f"{name}", median(_ms(invalidations)), LIMIT_MS, "ms", 1.0))
    table.add(Row(f"{name}, slowest other GET", max(_ms(busy)), LIMIT_MS, "ms", 1.0))
    table.add(Row(f"{name}, other GETs, p99", percentile(_ms(busy), 0.99), LIMIT_MS, "ms"))
    table.add(Row("slowest GET while nothing is invalidated", max(_ms(idle)), LIMIT_MS, "ms"))


def _ms(spans: list[Span]) -> list[float]:
    return [1000 * (ended - began) for began, ended in spans]


def pattern_seconds(sides: list[Any]) -> list[float]:
    """Return the median seconds in which each deletes by pattern, in turn."""
    for side in sides:
        side.open()
        for group in range(1, ENTRIES // GROUP):
            _fill(side.put, _keys(group))
    rounds = []
    for _ in range(PATTERN_ROUNDS):
        for side in sides:
            _fill(side.put, _keys(0))
        rounds.append([_seconds(side.delete) for side in sides])
    for side in sides:
        side.close()
    return [median(times) for times in zip(*rounds, strict=True)]


class _Ours:
    def __init__(self, *levels: str) -> None:
        self._context = ours(*levels)

    def open(self) -> None:
        self._cache = self._context.__enter__()

    def put(self, data: dict[str, Any]) -> None:
        self._cache.set_many(data)

    def delete(self) -> int:
        return self._cache.delete_pattern("group-0:*")

    def close(self) -> None:
        self._context.__exit__(None, None, None)


class _Bare:
    """SCAN and UNLINK, by hand."""

    def open(self) -> None:
        self._redis = Redis.from_url(env.with_query(settings.REDIS_URL, db=BARE_DATABASE))

    def put(self, data: dict[str, Any]) -> None:
        with self._redis.pipeline(transaction=False) as pipeline:
            for key in data:
                pipeline.set(key, b"0" * 200, ex=TIMEOUT)
            pipeline.execute()

    def delete(self) -> int:
        count = 0
        names = self._redis.scan_iter(match="group-0:*", count=BATCH)
        while batch := list(islice(names, BATCH)):
            count += int(self._redis.unlink(*batch))
        return count

    def close(self) -> None:
        self._redis.flushdb()
        self._redis.close()


class _DjangoRedis:
    """Its ``delete_pattern``, with as many keys in a SCAN as it has by default."""

    def open(self) -> None:
        url = env.with_query(settings.REDIS_URL, db=DJANGO_DATABASE)
        self._cache: Any = RedisCache(url, {"KEY_PREFIX": "bench", "TIMEOUT": TIMEOUT})

    def put(self, data: dict[str, Any]) -> None:
        self._cache.set_many(data)

    def delete(self) -> int:
        return int(self._cache.delete_pattern("group-0:*"))

    def close(self) -> None:
        self._cache.clear()


def _keys(group: int) -> Iterator[str]:
    return (f"group-{group}:{number}" for number in range(GROUP))


def _fill(put: Callable[[dict[str, Any]], object], keys: Iterator[str]) -> None:
    while batch := dict.fromkeys(islice(keys, BATCH), VALUE):
        put(batch)


def _seconds(delete: Callable[[], int]) -> float:
    started = time.perf_counter()
    count = delete()
    seconds = time.perf_counter() - started
    assert count == GROUP, count
    return seconds
