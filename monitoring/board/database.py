"""The connections to PostgreSQL, and how fast it answers."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

#: What clients have, of what they may have; the server's own processes are none of them.
_CONNECTIONS = """
SELECT count(*), current_setting('max_connections')::int,
    current_setting('superuser_reserved_connections')::int
FROM pg_stat_activity WHERE backend_type = 'client backend'
"""


@dataclass(frozen=True)
class PoolFacts:
    """The pool of this web process: connections it has, lends, may have, and who waits for one."""

    size: int
    in_use: int
    max_size: int
    waiting: int


@dataclass(frozen=True)
class DatabaseFacts:
    """``pool`` is None where this process has none."""

    connections: int
    max_connections: int
    latency_ms: float
    pool: PoolFacts | None

    @property
    def share(self) -> float:
        return min(self.connections / self.max_connections, 1.0)


def database_facts() -> DatabaseFacts:
    """Describe the connections, with two queries."""
    with connection.cursor() as cursor:
        began = time.perf_counter()
        cursor.execute("SELECT 1")
        latency_ms = 1000 * (time.perf_counter() - began)
        cursor.execute(_CONNECTIONS)
        [[connections, most, reserved]] = cursor.fetchall()
    return DatabaseFacts(connections, most - reserved, latency_ms, _pool())


def _pool() -> PoolFacts | None:
    pool = getattr(connection, "pool", None)
    if not settings.DATABASES["default"].get("OPTIONS", {}).get("pool") or pool is None:
        return None
    figures = pool.get_stats()
    size = figures.get("pool_size", 0)
    return PoolFacts(
        size=size,
        in_use=size - figures.get("pool_available", 0),
        max_size=figures.get("pool_max", 0),
        waiting=figures.get("requests_waiting", 0),
    )
