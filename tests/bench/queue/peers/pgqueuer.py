"""pgqueuer on PostgreSQL, by asyncpg on uvloop, as its own benchmark runs it, or by psycopg."""

# mypy: disable-error-code="import-not-found"

import asyncio
import json
import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar

import asyncpg
import psycopg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.core.completion import CompletionWatcher
from pgqueuer.db import AsyncpgDriver, PsycopgDriver
from pgqueuer.queries import Queries

from tests.bench.queue.peers.peer import POSTGRES, Peer
from tests.bench.queue.scoreboard import board
from tests.bench.queue.tasks import NAP_SECONDS, TASKS


async def work(driver: str, **options: int) -> None:
    """Be a worker. Not by ``pgq run``: with the newest typer it fails to read its log level."""
    pgq = PgQueuer(await _DRIVERS[driver]())
    for name in TASKS:
        _define(pgq, name)
    await pgq.run(**options)


async def _asyncpg() -> AsyncpgDriver:
    return AsyncpgDriver(await asyncpg.connect(POSTGRES))


async def _psycopg() -> PsycopgDriver:
    return PsycopgDriver(await psycopg.AsyncConnection.connect(POSTGRES, autocommit=True))


_DRIVERS = {"asyncpg": _asyncpg, "psycopg": _psycopg}


def _define(pgq: PgQueuer, name: str) -> None:
    task = TASKS[name]

    async def run(job: Any) -> None:
        task(int(job.payload))

    async def nap(job: Any) -> None:
        board().start(int(job.payload))
        await asyncio.sleep(NAP_SECONDS)

    pgq.entrypoint(name)(nap if name == "nap" else run)


_WORKER = [sys.executable, "-m", "tests.bench.queue.peers.pgqueuer"]


class Pgqueuer(Peer):
    """All tables durable, which is its default."""

    driver = "asyncpg"
    modes: ClassVar[dict[str, list[list[str]]]] = {
        "asyncpg": [[*_WORKER, "asyncpg", '{"batch_size": 50}']] * 2,
        "psycopg": [[*_WORKER, "psycopg", '{"batch_size": 50}']] * 2,
        # ten at once is the least that its batch of five allows
        "naps": [[*_WORKER, "asyncpg", '{"batch_size": 5, "max_concurrent_tasks": 10}']] * 2,
    }

    def __init__(self) -> None:
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._driver = self._runner.run(_DRIVERS[self.driver]())
        self._queries = Queries(self._driver)

    def prepare(self) -> None:
        self._runner.run(self._prepare())

    async def _prepare(self) -> None:
        if not await self._queries.has_table("pgqueuer"):
            await self._queries.install()
        await self._queries.clear_queue()
        await self._queries.clear_queue_log()

    def enqueue(self, task: str, numbers: Iterable[int]) -> None:
        self._runner.run(self._enqueue(task, numbers))

    async def _enqueue(self, task: str, numbers: Iterable[int]) -> list[Any]:
        payloads = [b"%d" % number for number in numbers]
        ids = await self._queries.enqueue([task] * len(payloads), payloads, [0] * len(payloads))
        return list(ids)

    def enqueue_one(self, task: str, number: int) -> None:
        self._runner.run(self._queries.enqueue(task, b"%d" % number))

    def left(self) -> int:
        sizes = self._runner.run(self._queries.queue_size())
        return sum(size.count for size in sizes)

    def gather(self, task: str, numbers: Iterable[int]) -> None:
        self._runner.run(self._gather(task, numbers))

    async def _gather(self, task: str, numbers: Iterable[int]) -> None:
        async with CompletionWatcher(
            self._driver, queries=self._queries, debounce=timedelta(milliseconds=10)
        ) as watcher:
            ids = await self._enqueue(task, numbers)
            await asyncio.gather(*(watcher.wait_for(id_) for id_ in ids))


PEER = Pgqueuer

if __name__ == "__main__":
    uvloop.run(work(sys.argv[1], **json.loads(sys.argv[2])))
