"""The doorbells: the only module that speaks to rq's queues.

A ring says which queue it is for and nothing else: it is an entry in the list that rq keeps
for a queue, with no rq job behind it. A ring that is lost costs one sweep, a ring too many
costs one empty claim; so no failure here is an error.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, cast

import django_rq
from django.db import transaction
from redis import Redis
from redis.commands.core import Script
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

logger = logging.getLogger(__name__)

#: Rings waiting on one queue beyond this many would only find empty claims.
MAX_WAITING_RINGS = 32

#: What is written for a ring. Nobody reads it.
RING = "ring"

#: One round trip, and no more rings than may wait.
RING_SCRIPT = """
local count = math.min(ARGV[1], ARGV[2] - redis.call('LLEN', KEYS[1]))
for _ = 1, count do redis.call('RPUSH', KEYS[1], ARGV[3]) end
return math.max(count, 0)
"""

RECONNECT_SECONDS = 0.5


@dataclass
class Ring:
    """What rq's worker takes for the rq job it heard of."""

    id: str = RING
    redis_server_version: Any = None


class DoorbellQueue(Queue):
    """An rq queue whose entries are rings: whatever they contain is never looked at."""

    @classmethod
    def dequeue_any(  # type: ignore[override]  # a ring in place of a job
        cls, queues: Iterable[Queue], timeout: int | None, connection: Redis, **_: Any
    ) -> tuple[Ring, Queue] | None:
        """Return the next ring and its queue, as rq does with jobs."""
        by_key = {queue.key: queue for queue in queues}
        heard = cls.lpop(list(by_key), timeout, connection=connection)
        if heard is None:
            return None
        key = heard[0]
        return Ring(), by_key[key.decode() if isinstance(key, bytes) else key]

    def ring(self, times: int) -> int:
        """Add up to ``times`` rings, no more than may wait; return how many."""
        return int(self._ring(keys=[self.key], args=[times, MAX_WAITING_RINGS, RING]))

    @cached_property
    def _ring(self) -> Script:
        return self.connection.register_script(RING_SCRIPT)


@cache
def get_queue(queue_name: str) -> DoorbellQueue:
    """Return the rq queue; cached, because django-rq opens a new connection pool each time."""
    queue = django_rq.get_queue(queue_name, queue_class=DoorbellQueue, serializer=JSONSerializer)
    return cast("DoorbellQueue", queue)


def wait_for_redis(queue_name: str) -> None:
    """Return once the Redis of a queue answers, however long it is away."""
    is_told = False
    while True:
        try:
            get_queue(queue_name).connection.ping()
        except RedisError as error:
            if not is_told:
                logger.warning("waiting for Redis: %s", error)
            is_told = True
            time.sleep(RECONNECT_SECONDS)
        else:
            return


def ring(queue_name: str, times: int = 1) -> int:
    """Wake up to ``times`` workers of a queue; return how many rings were sent.

    Sends fewer when enough rings wait already, none when Redis is away (which is logged:
    the sweeper rings again for whatever is ready).
    """
    try:
        return get_queue(queue_name).ring(times)
    except RedisError as error:
        logger.warning("could not ring %s: %s", queue_name, error)
        return 0


def ring_on_commit(queue_name: str) -> None:
    """Ring once the transaction commits, or at once outside of one.

    Not through a ``partial``: Django 5.2 cannot report one that fails (ticket 36487).
    """
    transaction.on_commit(lambda: _ring(queue_name), robust=True)


def _ring(queue_name: str) -> None:
    ring(queue_name)
