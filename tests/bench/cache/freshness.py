"""What is invalidated while it is being loaded: whether the next read is fresh."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from tests.bench.cache.caches import LOADING, ours
from tests.bench.cache.processes import Remote
from tests.bench.table import Row, Table

#: So many loads are overtaken in each way.
LOADS = 20

#: How ours is told, and peers are, which have not all of it: a method and its argument.
WAYS: dict[str, Callable[[str], tuple[str, str]]] = {
    "key": lambda key: ("delete", key),
    "tag": lambda key: ("invalidate_tags", f"tag:{key}"),
    "pattern": lambda key: ("delete_pattern", f"{key}*"),
}
PEERS = ("django-redis", "cashews", "dogpile", "cachetools")

OLD, NEW = "old", "new"


class Side:
    """One process: it loads, invalidates or reads."""

    def __init__(self, name: str) -> None:
        self._cache = LOADING[name]()
        self._go = threading.Event()

    def begin(self, key: str, policy: dict[str, Any]) -> None:
        """Begin to load what is old; return once the loader has read it."""
        self._go.clear()
        has_read = threading.Event()

        def load() -> str:
            has_read.set()
            assert self._go.wait(10)
            return OLD

        ask = partial(self._cache.get_or_set, key, load, **policy)
        self._thread = threading.Thread(target=ask)
        self._thread.start()
        assert has_read.wait(10)

    def finish(self) -> None:
        """Have the load end."""
        self._go.set()
        self._thread.join()

    def invalidate(self, method: str, argument: str) -> None:
        getattr(self._cache, method)(argument)

    def read(self, key: str) -> Any:
        return self._cache.get_or_set(key, lambda: NEW)


def bench_freshness(table: Table) -> None:
    with ours():
        counts = {way: fresh("ours", way) for way in WAYS}
    for way, count in counts.items():
        table.add(Row(f"loads overtaken by {way}, fresh", count, LOADS, "reads", 1.0, False))
    for peer in PEERS:
        row = f"loads overtaken by key, fresh, / {peer}"
        table.add(Row(row, counts["key"], fresh(peer, "key"), "reads", is_less_better=False))


def fresh(name: str, way: str) -> int:
    """Return how many keys are read fresh, by the process that loaded and by the other one.

    Another process than the one that loads invalidates, but for what is in one process only.
    """
    count = 0
    with ExitStack() as stack:
        loader = stack.enter_context(Remote(Side, name))
        other = loader if name == "cachetools" else stack.enter_context(Remote(Side, name))
        for number in range(LOADS):
            key = f"fresh:{way}-{number}-"
            loader.ask("begin", key, {"tags": (f"tag:{key}",)} if way == "tag" else {})
            other.ask("invalidate", *WAYS[way](key))
            loader.ask("finish")
            count += {loader.ask("read", key), other.ask("read", key)} == {NEW}
    return count
