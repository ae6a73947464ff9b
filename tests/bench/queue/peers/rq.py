"""rq: a worker that forks for each job, and ``SimpleWorker``, which does not."""

# mypy: disable-error-code="import-not-found"

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, ClassVar

from redis import Redis
from rq import Queue, Retry
from rq.registry import StartedJobRegistry

from tests.bench.queue.peers.peer import QUEUE, REDIS, Peer, program
from tests.bench.queue.tasks import TASKS

_WORKER = [program("rq"), "worker", "--url", REDIS, "--quiet", "--disable-job-desc-logging"]


@cache
def queue() -> Queue:
    return Queue(QUEUE, connection=Redis.from_url(REDIS))


class Rq(Peer):
    """Keeps no results, so that a job that is done leaves nothing to be written or expired."""

    modes: ClassVar[dict[str, list[list[str]]]] = {
        "forking": [[*_WORKER, QUEUE]] * 2,
        "simple": [[*_WORKER, "--worker-class", "rq.SimpleWorker", QUEUE]] * 2,
        # Abandoned jobs are looked for when a worker starts and every 10 minutes, and an idle
        # worker looks only when its wait for a job ends, after 405 s. So: the shortest waits
        # its options allow, for all workers. The 60 s it adds to a job's heartbeat are fixed;
        # the 30 s between heartbeats are an option.
        "rescue": [
            [*_WORKER, "--maintenance-interval", "1", "--worker-ttl", "20", QUEUE],
        ],
    }

    def prepare(self) -> None:
        queue().connection.flushdb()

    def enqueue(self, task: str, numbers: Iterable[int]) -> None:
        function = TASKS[task]
        data = [Queue.prepare_data(function, (number,), **_options(task)) for number in numbers]
        queue().enqueue_many(data)

    def enqueue_one(self, task: str, number: int) -> None:
        function: Callable[[int], None] = TASKS[task]
        queue().enqueue(function, args=(number,), **_renamed(_options(task)))

    def left(self) -> int:
        running = StartedJobRegistry(queue=queue()).get_job_count(cleanup=False)
        return int(queue().count + running)


def _options(task: str) -> dict[str, Any]:
    # without a retry a job whose worker died is not begun again
    retry = Retry(max=3) if task == "hold" else None
    return {"result_ttl": 0, "timeout": 7200, "retry": retry}


def _renamed(options: dict[str, Any]) -> dict[str, Any]:
    return {("job_timeout" if name == "timeout" else name): v for name, v in options.items()}


PEER = Rq
