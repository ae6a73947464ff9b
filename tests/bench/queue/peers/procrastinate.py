"""Procrastinate on PostgreSQL."""

# mypy: disable-error-code="import-not-found, untyped-decorator"

import os
from collections.abc import Iterable
from typing import Any, ClassVar

import psycopg
from procrastinate import App, PsycopgConnector

from tests.bench.queue.peers.peer import POSTGRES, QUEUE, Peer, program
from tests.bench.queue.tasks import TASKS

app = App(connector=PsycopgConnector(conninfo=POSTGRES))

_LEFT = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"

#: Set for workers that run the documented recipe for stalled jobs.
RECIPE_VARIABLE = "LONGHAND_BENCH_RETRY_STALLED"


def _defined(name: str) -> Any:
    task = TASKS[name]

    async def run(number: int) -> None:
        task(number)

    # async, which spares each job a thread; what would block its loop is a thread's
    function = run if name in ("noop", "greet", "spin") else task
    return app.task(name=name, queue=QUEUE, pass_context=False)(function)


_TASKS = {name: _defined(name) for name in TASKS}

if RECIPE_VARIABLE in os.environ:
    # https://procrastinate.readthedocs.io/en/stable/howto/production/retry_stalled_jobs.html,
    # at every 10th second instead of every 10th minute
    @app.periodic(cron="* * * * * */10")
    @app.task(queueing_lock="retry_stalled_jobs", queue=QUEUE, pass_context=True)
    async def retry_stalled_jobs(context: Any, timestamp: int) -> None:
        for job in await app.job_manager.get_stalled_jobs():
            await app.job_manager.retry_job(job)


_WORKER = [
    *(program("procrastinate"), "--app", "tests.bench.queue.peers.procrastinate.app"),
    *("--log-level", "error", "worker", "--queues", QUEUE, "--name", "bench{n}"),
]


class Procrastinate(Peer):
    """Several jobs at once in each worker, so that one runs while others wait for the server,
    and no row kept of what succeeded: the fastest of what was tried (concurrency 1, 10, 20)."""

    modes: ClassVar[dict[str, list[list[str]]]] = {
        "async": [[*_WORKER, "--concurrency", "20", "--delete-jobs", "successful"]] * 2,
        "rescue": [["/usr/bin/env", f"{RECIPE_VARIABLE}=1", *_WORKER, "--concurrency", "2"]],
    }

    def __init__(self) -> None:
        app.open()  # outside of a loop it is the synchronous one of its two connectors
        self._connection = psycopg.connect(POSTGRES, autocommit=True)

    def prepare(self) -> None:
        found = self._connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone()
        if found is None or found[0] is None:
            app.schema_manager.apply_schema()
        self._connection.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")

    def enqueue(self, task: str, numbers: Iterable[int]) -> None:
        app.tasks[task].batch_defer(*({"number": number} for number in numbers))

    def enqueue_one(self, task: str, number: int) -> None:
        app.tasks[task].defer(number=number)

    def left(self) -> int:
        row = self._connection.execute(_LEFT).fetchone()
        return int(row[0]) if row else 0


PEER = Procrastinate
