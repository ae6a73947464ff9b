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

#: The most keys in one script, so that none holds up the others; and those that are looked at in
#: one step of a search.
SCRIPT_BATCH = 250
SCAN_COUNT = 1000

#: Who loads for longer than this is not known as one who loads.
LOADING_SECONDS = 3600.0

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
        self._leases = f"{namespace}:leases"
        self._repairs = f"{namespace}:repairs"
        self._redis = _client(url, timeout_seconds)
        database = self._redis.connection_pool.connection_kwargs.get("db", 0)
        self._channel = f"{namespace}:{database}:backplane"  # channels know no databases
        self._acquire = self._redis.register_script(scripts.ACQUIRE)
        self._release = self._redis.register_script(scripts.RELEASE)
        self._remove = self._redis.register_script(scripts.REMOVE)
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
        args = (key, token, math.ceil(seconds * 1000), int(LOADING_SECONDS * 1_000_000))
        return bool(self._acquire([self._lease + key, self._leases], args))

    @reaching
    def renew_leases(self, tokens: Mapping[str, str], seconds: float) -> None:
        """Have the leases that are still their tokens' end ``seconds`` from now."""
        if tokens:
            names = [self._lease + key for key in tokens]
            self._expire(names, [math.ceil(seconds * 1000), *tokens.values()])

    @reaching
    def release_lease(self, key: str, token: str) -> None:
        """Give back the lease for a key when it is still the token's."""
        self._release([self._lease + key, self._leases], (key, token))

    @reaching
    def leased_keys(self, pattern: Glob) -> list[str]:
        """Return the keys that match and have a lease, or had one until lately."""
        leased: Any = self._redis.zrange(self._leases, 0, -1)
        return pattern.among(key.decode() for key in leased)

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

    # Keys by pattern

    def held_keys(self, pattern: Glob) -> Iterator[str]:
        """Yield the keys that match and hold a value or a tombstone; some of them twice."""
        for names in self._scan(Glob.escape(self._value) + pattern.redis_superset):
            yield from pattern.among(
                name.decode(errors="replace")[len(self._value) :] for name in names
            )

    def remove_many(self, keys: Iterable[str]) -> int:
        """Hold nothing for these keys, not even a tombstone; return for how many it did."""
        return self._unlink(self._value + key for key in keys)

    def remove_matching(self, pattern: Glob) -> Iterator[int]:
        """As ``remove_many``, for all keys that match a plain pattern; yield how many each step
        of the search has removed."""
        match = Glob.escape(self._value) + pattern.redis_superset
        cursor, count = self._removed(0, match)
        yield count
        while cursor:
            cursor, count = self._removed(cursor, match)
            yield count

    # All names

    def clear(self) -> None:
        """As ``SharedLevel`` says; leases too, but not what is noted for the other level."""
        self._unlink([self._leases])
        for kind in (self._lease, self._value, self._tag):
            for names in self._scan(Glob.escape(kind) + "*"):
                self._unlink(names)

    @reaching
    def _unlink(self, names: Iterable[str | bytes]) -> int:
        """Return how many of the names there were."""
        names = list(names)
        return int(self._redis.unlink(*names)) if names else 0

    def _scan(self, match: str) -> Iterator[list[bytes]]:
        """Yield the names that match, in batches, without blocking others."""
        cursor, names = self._scanned(0, match)
        yield names
        while cursor:
            cursor, names = self._scanned(cursor, match)
            yield names

    @reaching
    def _scanned(self, cursor: int, match: str) -> tuple[int, list[bytes]]:
        found: Any = self._redis.scan(cursor, match=match, count=SCAN_COUNT)
        return found[0], found[1]

    @reaching
    def _removed(self, cursor: int, match: str) -> tuple[int, int]:
        found: Any = self._remove([], [cursor, match, SCAN_COUNT])
        return int(found[0]), found[1]


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
