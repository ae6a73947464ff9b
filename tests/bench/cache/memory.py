"""What a hit in memory takes, by one thread and by four.

Some of the peers hand out the very object that they keep, which is fast, and everybody's.
"""

# mypy: disable-error-code="import-not-found,import-untyped"

import sys
import tempfile
import threading
import time
from functools import partial
from statistics import median
from typing import Any

import cachebox
import cachetools
import diskcache
import moka_py
from django.core.cache.backends.locmem import LocMemCache

from caching.backend import MultiLevelCache
from tests.bench.cache.caches import ours
from tests.bench.cache.timing import calls, microseconds
from tests.bench.cache.values import SIZES, transcript
from tests.bench.table import Row, Table

#: What a hit may take of LocMemCache's.
LIMITS = {"1 KB": 0.5, "100 KB": 0.9}

THREADS = 4
THREAD_ROUNDS = 7
THREAD_SECONDS = 0.3


def bench_memory(table: Table) -> None:
    with ours() as cache:
        for size, limit in LIMITS.items():
            compare(table, cache, size, limit)
        table.add(Row("callers with a value of their own", isolated(cache), 4, "of 4", 1.0, False))
        one, four = throughputs(cache)
        table.add(Row("L1 hits by 4 threads, / 1 thread", four, one, "hits/ms", 0.95, False))


def compare(table: Table, cache: MultiLevelCache, size: str, limit: float) -> None:
    """Add a row for a hit of ours over one of each peer."""
    value = transcript(SIZES[size])
    locmem = LocMemCache("bench", {})
    lru: Any = cachetools.LRUCache(1000)
    box: Any = cachebox.LRUCache(1000)
    moka = moka_py.Moka(1000)
    with tempfile.TemporaryDirectory() as directory, diskcache.Cache(directory) as disk:
        for keeper in (cache, locmem, moka, disk):
            keeper.set("key", value)
        lru["key"] = box["key"] = value
        peers = {
            "LocMemCache": locmem,
            "cachetools (shared value)": lru,
            "cachebox (shared value)": box,
            "moka (shared value)": moka,
            "diskcache": disk,
        }
        gets = [calls(partial(one.get, "key")) for one in (cache, *peers.values())]
        mine, *theirs = microseconds(*gets)
    for name, their in zip(peers, theirs, strict=True):
        wanted = limit if name == "LocMemCache" else None
        table.add(Row(f"L1 hit, {size}, / {name}", mine, their, "us", wanted))


def isolated(cache: MultiLevelCache) -> int:
    """Return how many of four callers have a value that others' changes do not reach."""
    value = transcript(1)
    cache.set("isolated", value)
    value["segments"].clear()
    changed: Any = cache.get("isolated")
    changed["segments"][0]["text"] = "changed"
    cache.get_many(["isolated"])["isolated"]["segments"].clear()
    loaded: Any = cache.get_or_set("loaded", lambda: value)
    loaded["segments"].append("changed")
    seen = (
        cache.get("isolated"),
        cache.get_many(["isolated"])["isolated"],
        cache.lookup("isolated").value,
    )
    own = [one == transcript(1) for one in seen]
    own.append(cache.get("loaded")["segments"] == [])
    return own.count(True)


def throughputs(cache: MultiLevelCache) -> tuple[float, float]:
    """Return the median hits per millisecond of one thread and of four together, in turn."""
    cache.set("key", transcript(SIZES["1 KB"]))
    rounds = [(_hits(cache, 1), _hits(cache, THREADS)) for _ in range(THREAD_ROUNDS)]
    sys.stderr.write(f"hits/ms by 1 and by 4 threads: {rounds[-1][0]:.0f}, {rounds[-1][1]:.0f}\n")
    one, four = (median(side) for side in zip(*rounds, strict=True))
    return one, four


def _hits(cache: MultiLevelCache, thread_count: int) -> float:
    counts = [0] * thread_count
    barrier = threading.Barrier(thread_count)
    times: list[float] = []

    def hit(number: int) -> None:
        barrier.wait()
        started = time.perf_counter()
        count = 0
        while time.perf_counter() < started + THREAD_SECONDS:
            for _ in range(50):
                cache.get("key")
            count += 50
        counts[number] = count
        times.append(time.perf_counter() - started)

    threads = [threading.Thread(target=hit, args=(number,)) for number in range(thread_count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / max(times) / 1000
