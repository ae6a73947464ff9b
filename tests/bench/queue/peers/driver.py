"""``python -m tests.bench.queue.peers.driver NAME``: enqueues for the benchmark, as its users do.

Reads requests from its standard input, one JSON array of a name and arguments per line, and
answers each with one line of JSON.
"""

import json
import os
import sys
import time
from importlib import import_module
from typing import Any

from tests.bench.queue.peers.peer import Peer, timed
from tests.bench.queue.scoreboard import board


class Driver:
    """The requests that all queues answer."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    def modes(self) -> dict[str, list[list[str]]]:
        return self.peer.modes

    def prepare(self) -> None:
        self.peer.prepare()

    def left(self) -> int:
        return self.peer.left()

    def enqueue(self, task: str, first: int, count: int) -> float:
        """Return the seconds it takes to enqueue ``count`` jobs in bulk."""
        return timed(lambda: self.peer.enqueue(task, range(first, first + count)))

    def gather(self, task: str, first: int, count: int) -> float:
        """Return the seconds until ``count`` jobs are enqueued, done and known to be done."""
        return timed(lambda: self.peer.gather(task, range(first, first + count)))

    def pace(self, task: str, first: int, count: int, per_second: float) -> None:
        """Enqueue ``count`` jobs one by one, at a steady rate."""
        began = time.monotonic()
        for index in range(count):
            time.sleep(max(0.0, began + index / per_second - time.monotonic()))
            board().send(first + index)
            self.peer.enqueue_one(task, first + index)

    def enqueue_ones(self, task: str, first: int, count: int) -> float:
        """Return the seconds it takes to enqueue ``count`` jobs one by one."""

        def enqueue() -> None:
            for number in range(first, first + count):
                self.peer.enqueue_one(task, number)

        return timed(enqueue)


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    peer = import_module(f"tests.bench.queue.peers.{sys.argv[1]}").PEER()
    driver = Driver(peer)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        # what a queue can be asked beyond the rest is its own method
        operation = getattr(driver, name, None) or getattr(peer, name)
        answer: Any = operation(*arguments)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
