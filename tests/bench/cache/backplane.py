"""How long a process serves from memory what another one has overwritten."""

import time
from functools import partial

from caching.choices import CacheLevel
from tests.bench.cache.caches import opened, ours
from tests.bench.cache.processes import Remote
from tests.bench.percentiles import percentile
from tests.bench.table import Row, Table
from tests.waiting import wait_for

WRITES = 200
P99_MS = 10.0

#: How often the reader looks; it leaves its processor to others meanwhile.
LOOK_SECONDS = 0.0002


class Reader:
    """Another process, which has a key in memory."""

    def __init__(self) -> None:
        self._cache = opened()

    def has_in_memory(self, value: int) -> bool:
        """Read the key; say whether it is that value, and in memory from then on."""
        self._cache.get("key")
        hit = self._cache.lookup("key")
        return hit.level is CacheLevel.MEMORY and hit.value == value

    def sees(self, value: int) -> float:
        """Read until the key has that value; return the time of ``time.monotonic``."""
        while self._cache.get("key") != value:
            time.sleep(LOOK_SECONDS)
        return time.monotonic()


def bench_backplane(table: Table) -> None:
    seen, written = [], []
    with ours() as cache, Remote(Reader) as reader:
        cache.set("key", 0)
        for value in range(1, WRITES + 1):
            wait_for(partial(reader.ask, "has_in_memory", value - 1))
            reader.tell("sees", value)
            time.sleep(10 * LOOK_SECONDS)
            started = time.monotonic()
            cache.set("key", value)
            written.append(1000 * (time.monotonic() - started))
            seen.append(1000 * (reader.answer() - started))
    table.add(Row("write begun to seen elsewhere, p99", percentile(seen, 0.99), P99_MS, "ms", 1.0))
    table.add(Row("write begun to seen elsewhere, p50", percentile(seen, 0.5), P99_MS, "ms"))
    table.add(Row("... of which the write, p50", percentile(written, 0.5), P99_MS, "ms"))
