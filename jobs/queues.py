"""The doorbells: the only module that speaks to rq's queues.

An rq job here carries nothing but the name of the queue it rings. A ring that is lost costs
one sweep, a ring too many costs one empty claim; so no failure here is an error.
"""

import logging
import time
from functools import cache

import django_rq
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

logger = logging.getLogger(__name__)

#: Rings waiting on one queue beyond this many would only find empty claims.
MAX_WAITING_RINGS = 32

#: What the rq job of a ring claims to call. Nothing calls it: ``jobs.worker`` looks only at the
#: queue a ring came from.
RING = "ring"

RECONNECT_SECONDS = 0.5

#: A ring nobody answered for this long has been replaced by the sweeper many times.
RING_TTL_SECONDS = 3600


@cache
def get_queue(queue_name: str) -> Queue:
    """Return the rq queue; cached, because django-rq opens a new connection pool each time."""
    queue: Queue = django_rq.get_queue(queue_name, serializer=JSONSerializer)
    return queue


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
    queue = get_queue(queue_name)
    try:
        count = min(times, MAX_WAITING_RINGS - queue.count)
        for _ in range(count):
            queue.enqueue(RING, ttl=RING_TTL_SECONDS, result_ttl=0, failure_ttl=0)
    except RedisError as error:
        logger.warning("could not ring %s: %s", queue_name, error)
        return 0
    return max(count, 0)
