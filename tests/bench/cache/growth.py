"""What a hit in memory takes as memory fills, and whether memory is as large as it says."""

import gc
import random
import sys
import time
from statistics import median
from typing import Any

import psutil

from tests.bench.cache.caches import opened
from tests.bench.cache.processes import Remote
from tests.bench.cache.values import SIZES, transcript
from tests.bench.percentiles import percentile
from tests.bench.table import Row, Table

ENTRIES = (1_000, 100_000, 1_000_000)
ROUNDS = 5
GETS = 20_000

#: How far the process may be from what memory says it holds.
TOLERANCE = 0.1


class Grower:
    """A process whose memory grows, and which does nothing else."""

    def hits(self) -> list[tuple[float, float]]:
        """Return what a hit takes among so many entries, in microseconds: the median of the
        rounds, and the slowest in milliseconds."""
        cache = opened("L1", MAX_BYTES=4 * 1024**3, MAX_ENTRIES=2 * ENTRIES[-1])
        found, held = [], 0
        for count in ENTRIES:
            for number in range(held, count):
                cache.set(f"key-{number}", {"number": number}, None)
            held = count
            means, slowest = [], 0.0
            for _ in range(ROUNDS):
                keys = [f"key-{random.randrange(count)}" for _ in range(GETS)]  # noqa: S311
                times = []
                for key in keys:
                    started = time.perf_counter()
                    cache.get(key)
                    times.append(time.perf_counter() - started)
                means.append(1e6 * percentile(times, 0.5))
                slowest = max(slowest, 1000 * max(times))
            found.append((median(means), slowest))
        assert cache.get("key-0") == {"number": 0}
        return found

    def resident(self) -> tuple[float, float]:
        """Feed a bounded memory; return by how many MiB the process grew, and what is held."""
        cache = opened("L1")
        value: Any = transcript(SIZES["1 KB"])
        cache.set("warm", value)
        assert cache.get("warm") == value
        cache.clear()
        gc.collect()
        process = psutil.Process()
        before = process.memory_info().rss
        for number in range(ENTRIES[-1]):
            cache.set(f"key-{number}", value)
        gc.collect()
        grown = process.memory_info().rss - before
        memory = cache.hierarchy.memory
        sys.stderr.write(f"{len(memory)} entries held, {memory.eviction_count} evicted\n")
        return grown / 1024**2, memory.size_bytes / 1024**2


def bench_growth(table: Table) -> None:
    with Remote(Grower) as grower:
        (first, first_slowest), *others = grower.ask("hits")
    for count, (took, slowest) in zip(ENTRIES[1:], others, strict=True):
        name = f"L1 hit of {count:,} entries, / of {ENTRIES[0]:,}"
        table.add(Row(name, took, first, "us"))
        table.add(Row(f"{name}, slowest", slowest, first_slowest, "ms"))
    with Remote(Grower) as grower:
        grown, held = grower.ask("resident")
    name = "process grown, / bytes held in a bounded L1"
    table.add(Row(f"{name}, at most", grown, held, "MiB", 1 + TOLERANCE))
    table.add(Row(f"{name}, at least", grown, held, "MiB", 1 - TOLERANCE, False))
