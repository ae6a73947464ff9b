"""huey on Redis: two worker processes under one consumer."""

# mypy: disable-error-code="import-not-found"

from typing import ClassVar

from huey import RedisHuey

from tests.bench.queue.peers.peer import QUEUE, REDIS, Peer, program
from tests.bench.queue.tasks import TASKS

huey = RedisHuey(QUEUE, url=REDIS, results=False)

_TASKS = {name: huey.task(name=name)(task) for name, task in TASKS.items()}


class Huey(Peer):
    """No results; its default wait for a job, which blocks in Redis. It keeps no record of
    what runs: a job is gone from Redis when it begins."""

    modes: ClassVar[dict[str, list[list[str]]]] = {
        "processes": [
            [
                *(program("huey_consumer"), "tests.bench.queue.peers.huey.huey", "--quiet"),
                *("--worker-type", "process", "--workers", "2", "--no-periodic"),
            ]
        ],
    }

    def prepare(self) -> None:
        huey.storage.conn.flushdb()

    def enqueue_one(self, task: str, number: int) -> None:
        _TASKS[task](number)

    def left(self) -> int:
        return int(huey.pending_count())


PEER = Huey
