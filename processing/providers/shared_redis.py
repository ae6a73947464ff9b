"""The Redis in which all workers share what they know of a provider; it may be away."""

import logging
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.connection import ConnectionPool
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

#: How long a Redis that did not answer is left alone.
REST_SECONDS = 1.0


class RedisIsAway(Exception):
    """Redis does not answer, or not what was asked: go on without it."""


class SharedRedis:
    """Scripts in a Redis, which is asked once, for ``timeout_seconds`` at most.

    One that is away is not asked for ``REST_SECONDS``; the log says that what is ``shared`` there
    is not. The query string of ``url`` may set other timeouts. Safe for threads and forks.
    """

    def __init__(
        self, url: str, *, timeout_seconds: float, shared: str = "limits and breakers"
    ) -> None:
        pool = ConnectionPool.from_url(
            url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        self.client = Redis(connection_pool=pool)
        self._shared = shared
        self.is_away = False
        self._rests_until = 0.0

    def script(self, source: str) -> Script:
        """Return a script, to be called by ``call``."""
        return self.client.register_script(source)

    def call(self, command: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a command of Redis answers; ``RedisIsAway`` for whatever goes wrong."""
        if self.is_away:
            now = time.monotonic()
            if now < self._rests_until:
                raise RedisIsAway
            self._rests_until = now + REST_SECONDS  # one caller finds out for all of them
        try:
            answer = command(*args, **kwargs)
        except (RedisError, OSError) as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            if not self.is_away:
                self.is_away = True
                logger.warning("%s are not shared without Redis: %s", self._shared, error)
            raise RedisIsAway(str(error)) from error
        if self.is_away:
            self.is_away = False
            logger.warning("%s are shared again: Redis is back", self._shared)
        return answer

    def read(self, *keys: str) -> tuple[float, list[dict[str, str]]]:
        """Return the time of Redis in microseconds, and hashes as they are now."""

        def read() -> list[Any]:
            with self.client.pipeline(transaction=False) as pipeline:
                pipeline.time()
                for key in keys:
                    pipeline.hgetall(key)
                return pipeline.execute()

        (seconds, microseconds), *hashes = self.call(read)
        decoded = [{k.decode(): v.decode() for k, v in one.items()} for one in hashes]
        return 1e6 * seconds + microseconds, decoded
