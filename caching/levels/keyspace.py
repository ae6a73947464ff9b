"""The part of a Redis that one cache has: its names, its leases, its backplane."""

from __future__ import annotations

import math
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from caching.exceptions import RedisIsAway
from caching.levels import scripts
from caching.patterns import Glob

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from redis.client import PubSub

P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K", bound="RedisKeyspace")

#: The most keys in one command, so that none holds up the others; fewer where it is a script.
BATCH = 1000
SCRIPT_BATCH = 250

#: The backplane waits longer than others do: no caller waits for it.
PUBSUB_TIMEOUT_SECONDS = 1.0


def reaching(method: Callable[Concatenate[K, P], T]) -> Callable[Concatenate[K, P], T]:
    """Have whatever redis-py raises in ``method`` raised as ``LevelIsAway``."""

    @wraps(method)
    def reach(keyspace: K, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(keyspace, *args, **kwargs)
        except (RedisError, OSError) as error:
            raise RedisIsAway(f"Redis: {error}") from error

    return reach


class RedisKeyspace:
    """All names begin with ``namespace``; no two caches with other namespaces meet.

    No call waits longer for Redis than ``timeout_seconds``, nor tries twice; the query string of
    ``url`` may say otherwise. Safe for threads and forks.
    """

    def __init__(self, url: str, *, namespace: str, timeout_seconds: float = 0.05) -> None:
        self._url = url
        self._namespace = namespace
        self._value = f"{namespace}:v:"
        self._tag = f"{namespace}:t:"
        self._lease = f"{namespace}:l:"
        self._repairs = f"{namespace}:repairs"
        self._redis = _client(url, timeout_seconds)
        database = self._redis.connection_pool.connection_kwargs.get("db", 0)
        self._channel = f"{namespace}:{database}:backplane"  # channels know no databases
        self._expire = self._redis.register_script(scripts.EXPIRE)

    # The connection

    @reaching
    def ping(self) -> None:
        self._redis.ping()

    def close(self) -> None:
        self._redis.connection_pool.disconnect(inuse_connections=False)

    # The backplane

    @reaching
    def publish(self, message: bytes) -> None:
        """Tell it to all that listen on the backplane."""
        self._redis.publish(self._channel, message)

    def pubsub(self) -> PubSub:
        """Return the backplane, to be listened to and closed; raises what redis-py raises."""
        client = _client(self._url, PUBSUB_TIMEOUT_SECONDS)
        pubsub: PubSub = client.pubsub()  # type: ignore[no-untyped-call]
        pubsub.subscribe(self._channel)
        return pubsub

    # Leases

    @reaching
    def acquire_lease(self, key: str, token: str, seconds: float) -> bool:
        """Take the lease for a key when nobody has it; it ends after ``seconds``."""
        life = math.ceil(seconds * 1000)
        return bool(self._redis.set(self._lease + key, token, px=life, nx=True))

    @reaching
    def renew_leases(self, tokens: Mapping[str, str], seconds: float) -> None:
        """Have the leases that are still their tokens' end ``seconds`` from now."""
        if tokens:
            names = [self._lease + key for key in tokens]
            self._expire(names, [math.ceil(seconds * 1000), *tokens.values()])

    def release_lease(self, key: str, token: str) -> None:
        """Give back the lease for a key when it is still the token's."""
        self.renew_leases({key: token}, 0)

    # Repairs

    @reaching
    def note_repairs(self, names: Collection[str]) -> None:
        if names:
            self._redis.sadd(self._repairs, *names)

    @reaching
    def repairs(self, limit: int) -> list[str]:
        noted: Any = self._redis.srandmember(self._repairs, limit)
        return [name.decode() for name in noted]

    @reaching
    def forget_repairs(self, names: Collection[str]) -> None:
        if names:
            self._redis.srem(self._repairs, *names)

    # All names

    def clear(self) -> None:
        """As ``SharedLevel`` says; leases too, but not what is noted for the other level."""
        for kind in (self._lease, self._value, self._tag):
            for names in self._scan(Glob.escape(kind) + "*"):
                self._unlink(names)

    @reaching
    def _unlink(self, names: Iterable[str | bytes]) -> None:
        names = list(names)
        if names:
            self._redis.unlink(*names)

    def _scan(self, match: str) -> Iterator[list[bytes]]:
        """Yield the names that match, in batches, without blocking others."""
        cursor, names = self._scanned(0, match)
        yield names
        while cursor:
            cursor, names = self._scanned(cursor, match)
            yield names

    @reaching
    def _scanned(self, cursor: int, match: str) -> tuple[int, list[bytes]]:
        found: Any = self._redis.scan(cursor, match=match, count=BATCH)
        return found[0], found[1]


def _client(url: str, timeout_seconds: float) -> Redis:
    """Return a client that gives up at once; the notices it does without prolong timeouts."""
    pool = ConnectionPool.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return Redis(connection_pool=pool)
