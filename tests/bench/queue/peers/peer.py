"""What the benchmark asks of a queue, ours or another's."""

import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

#: The servers, the same for all; each queue has a database of its own in either.
POSTGRES = os.environ.get("LONGHAND_BENCH_POSTGRES", "")
REDIS = os.environ.get("LONGHAND_BENCH_REDIS", "")

#: The name of the one queue in each peer.
QUEUE = "bench"

#: How often an enqueuer looks whether all is done, when its queue cannot tell it.
LOOK_SECONDS = 0.005


class Peer:
    """One queue, as its ``driver`` process uses it.

    ``modes`` are its ways of working: for each, the commands that run its two workers (one
    command where its own supervisor starts both). An argument ``{n}`` becomes the number of
    the process.
    """

    modes: ClassVar[dict[str, list[list[str]]]] = {}

    def prepare(self) -> None:
        """Have the tables, and nothing queued."""

    def enqueue(self, task: str, numbers: Iterable[int]) -> None:
        """Enqueue a job for each number in the fastest way the queue offers."""
        for number in numbers:
            self.enqueue_one(task, number)

    def enqueue_one(self, task: str, number: int) -> None:
        """Enqueue one job as a program does that has only one."""
        raise NotImplementedError

    def left(self) -> int:
        """Return how many jobs are waiting or running, 0 when all have been recorded as done."""
        raise NotImplementedError

    def gather(self, task: str, numbers: Iterable[int]) -> None:
        """Enqueue jobs and return when all are known to be done."""
        self.enqueue(task, numbers)
        while self.left():
            time.sleep(LOOK_SECONDS)


def program(name: str) -> str:
    """Return a command of the environment this runs in."""
    return str(Path(sys.executable).with_name(name))


def timed(call: Callable[[], object]) -> float:
    """Return how many seconds ``call`` takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
