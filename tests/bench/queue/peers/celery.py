"""Celery on Redis: a pool of processes, and one of threads."""

# mypy: disable-error-code="import-not-found"

from collections.abc import Iterable
from typing import Any, ClassVar

from celery import Celery, group

from tests.bench.queue import tasks
from tests.bench.queue.peers.peer import QUEUE, REDIS, Peer, program

#: ``redis+socket:///path?virtual_host=n`` is how kombu writes a database of a unix socket.
_URL = REDIS.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")

#: How long an unacknowledged job is left to a node that may be dead. The default is an hour;
#: it must be longer than the longest job, which would else be run twice.
VISIBILITY_SECONDS = 60

app = Celery("bench", broker=_URL, backend=_URL)
app.conf.update(
    task_default_queue=QUEUE,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_SECONDS,
        # looks for what is overdue every 5 s instead of every 100 s
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
    },
)

_TASKS = {
    name: app.task(
        name=name,
        # what it takes to survive a worker: docs, "acks_late" and "reject_on_worker_lost"
        acks_late=name == "hold",
        reject_on_worker_lost=name == "hold",
    )(task)
    for name, task in tasks.TASKS.items()
}

_NODE = [
    *(program("celery"), "--app", "tests.bench.queue.peers.celery", "--quiet"),
    *("worker", "--loglevel", "ERROR", "--hostname", "bench{n}@%h"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
]


class CeleryPeer(Peer):
    """The optimising guide's settings: results ignored, a large prefetch for short jobs."""

    modes: ClassVar[dict[str, list[list[str]]]] = {
        "prefork": [[*_NODE, "--pool", "prefork", "-c", "2", "--prefetch-multiplier", "128"]],
        # one process each, and so no pipe between them: faster where nothing can hang
        "solo": [[*_NODE, "--pool", "solo", "--prefetch-multiplier", "128"]] * 2,
        # with the default prefetch, as the guide has it for jobs that take a while
        "cpu": [[*_NODE, "--pool", "prefork", "-c", "2"]],
        "threads": [[*_NODE, "--pool", "threads", "-c", "10", "--prefetch-multiplier", "1"]] * 2,
        "rescue": [[*_NODE, "--pool", "prefork", "-c", "1", "--prefetch-multiplier", "1"]],
    }

    def prepare(self) -> None:
        with app.connection_for_write() as connection:
            connection.default_channel.client.flushdb()

    def enqueue(self, task: str, numbers: Iterable[int]) -> None:
        # one connection for all, the way the guide does bulk
        with app.producer_pool.acquire(block=True) as producer:
            for number in numbers:
                _TASKS[task].apply_async((number,), producer=producer)

    def enqueue_one(self, task: str, number: int) -> None:
        _TASKS[task].apply_async((number,))

    def left(self) -> int:
        with app.connection_for_read() as connection:
            client: Any = connection.default_channel.client
            return int(client.llen(QUEUE) + client.hlen("unacked"))

    def gather(self, task: str, numbers: Iterable[int]) -> None:
        signatures = [_TASKS[task].s(n).set(ignore_result=False) for n in numbers]
        group(signatures).apply_async().get()


PEER = CeleryPeer
