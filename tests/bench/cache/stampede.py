"""Many that miss the same key at once: how often it is loaded, and how long they wait."""

import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.bench.cache.caches import LOADING, ours
from tests.bench.cache.processes import CONTEXT, Remote
from tests.bench.table import Row, Table

LOADER_MS = 200.0

#: Processes and threads in each of them.
CROWDS = ((1, 50), (4, 10))
PEERS = ("django-redis", "cashews", "dogpile")

#: One more goes before, which nobody counts.
ROUNDS = 5


@dataclass(frozen=True)
class Stampede:
    """The most loader calls of a round, and the median of the slowest callers."""

    call_count: int
    slowest_ms: float


class Callers:
    """The threads of one process, which ask at the same time as those of the others."""

    def __init__(self, name: str, thread_count: int, barrier: Any, call_count: Any) -> None:
        self._cache = LOADING[name]()
        self._thread_count = thread_count
        self._barrier = barrier
        self._call_count = call_count

    def ask(self, key: str) -> list[float]:
        """Return how many milliseconds each thread waited."""
        waited: list[float] = []

        def ask() -> None:
            self._barrier.wait()
            started = time.monotonic()
            assert self._cache.get_or_set(key, self._load) == "loaded"
            waited.append(1000 * (time.monotonic() - started))

        threads = [threading.Thread(target=ask) for _ in range(self._thread_count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(waited) == self._thread_count
        return waited

    def _load(self) -> str:
        with self._call_count.get_lock():
            self._call_count.value += 1
        time.sleep(LOADER_MS / 1000)
        return "loaded"


def bench_stampede(table: Table) -> None:
    for process_count, thread_count in CROWDS:
        name = f"{process_count} x {thread_count} callers"
        with ours():
            mine = stampede("ours", process_count, thread_count)
        table.add(Row(f"{name}, loads", mine.call_count, 1, "loads", 1.0))
        table.add(Row(f"{name}, slowest, / loader", mine.slowest_ms, LOADER_MS, "ms", 1.15))
        for peer in PEERS:
            theirs = stampede(peer, process_count, thread_count)
            table.add(Row(f"{name}, loads, / {peer}", mine.call_count, theirs.call_count, "loads"))
            table.add(Row(f"{name}, slowest, / {peer}", mine.slowest_ms, theirs.slowest_ms, "ms"))


def stampede(name: str, process_count: int, thread_count: int) -> Stampede:
    """Return what comes of it when so many ask for keys that are not there."""
    barrier = CONTEXT.Barrier(process_count * thread_count)
    call_count = CONTEXT.Value("i", 0)
    counts, slowest = [], []
    with ExitStack() as stack:
        crowd = [
            stack.enter_context(Remote(Callers, name, thread_count, barrier, call_count))
            for _ in range(process_count)
        ]
        for number in range(ROUNDS + 1):
            call_count.value = 0
            for one in crowd:
                one.tell("ask", f"{process_count}x{thread_count}:{number}")
            slowest.append(max(max(one.answer()) for one in crowd))
            counts.append(call_count.value)
    found = Stampede(max(counts[1:]), median(slowest[1:]))
    shown = " ".join(f"{ms:.0f}" for ms in slowest)
    sys.stderr.write(f"{name}, {process_count} x {thread_count}: {shown} ms, loads {counts}\n")
    return found
