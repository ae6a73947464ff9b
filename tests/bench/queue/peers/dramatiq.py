"""Dramatiq on Redis: processes of threads."""

# mypy: disable-error-code="import-not-found"

from typing import ClassVar

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from redis import Redis

from tests.bench.queue.peers.peer import QUEUE, REDIS, Peer, program
from tests.bench.queue.tasks import TASKS

broker = RedisBroker(client=Redis.from_url(REDIS))
dramatiq.set_broker(broker)

_ACTORS = {
    name: dramatiq.actor(task, actor_name=name, queue_name=QUEUE) for name, task in TASKS.items()
}


class Dramatiq(Peer):
    """Two processes of 32 threads, where the default is 8: its threads wait for Redis one by
    one for each job, and with more of them more of that goes on at once."""

    modes: ClassVar[dict[str, list[list[str]]]] = {
        "threads": [
            [
                *(program("dramatiq"), "--processes", "2", "--threads", "32"),
                *("--skip-logging", "tests.bench.queue.peers.dramatiq"),
            ]
        ],
    }

    def prepare(self) -> None:
        broker.client.flushdb()

    def enqueue_one(self, task: str, number: int) -> None:
        _ACTORS[task].send(number)

    def left(self) -> int:
        return int(broker.client.hlen(f"dramatiq:{QUEUE}.msgs"))


PEER = Dramatiq
