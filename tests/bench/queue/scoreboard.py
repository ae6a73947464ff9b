"""When each job was sent and begun, in memory that all processes of a run share.

A task of any queue notes its time here in less than a microsecond, and the benchmark sees it
without asking a server, so that watching a queue costs the queue nothing.
"""

import mmap
import os
import time
from functools import cache
from pathlib import Path

#: Where the shared memory is.
VARIABLE = "LONGHAND_BENCH_BOARD"

SLOTS = 2_000_000

#: What is known of a job: when it was sent, begun, begun again, and by which process.
FIELDS = ("sent", "started", "restarted", "pid", "parent")
_SIZE = len(FIELDS)
_SENT, _STARTED, _RESTARTED, _PID, _PARENT = range(_SIZE)


class Scoreboard:
    """One slot per job, numbered from 0; a number is used once in a run."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._cells = memoryview(mmap.mmap(file.fileno(), 0)).cast("d")
        self._reserved = 0

    @staticmethod
    def create(path: Path) -> None:
        """Make the shared memory; what is not written to takes no space."""
        with path.open("wb") as file:
            file.truncate(SLOTS * _SIZE * 8)

    def reserve(self, count: int) -> int:
        """Return the first of ``count`` numbers that this process has not given out before."""
        first = self._reserved
        self._reserved += count
        return first

    def send(self, number: int) -> None:
        """Note that the job is about to be enqueued."""
        self._cells[number * _SIZE + _SENT] = time.time()

    def start(self, number: int) -> bool:
        """Note that the job has begun; False when it had begun before."""
        now = time.time()
        slot = number * _SIZE
        is_first = not self._cells[slot + _STARTED]
        if is_first:
            self._cells[slot + _STARTED] = now
        elif not self._cells[slot + _RESTARTED]:
            self._cells[slot + _RESTARTED] = now
        self._cells[slot + _PID] = os.getpid()
        self._cells[slot + _PARENT] = os.getppid()
        return is_first

    def sent(self, number: int) -> float:
        return self._cells[number * _SIZE + _SENT]

    def started(self, number: int) -> float:
        return self._cells[number * _SIZE + _STARTED]

    def restarted(self, number: int) -> float:
        return self._cells[number * _SIZE + _RESTARTED]

    def have_started(self, first: int, count: int) -> bool:
        """Whether every one of ``count`` jobs has begun."""
        return all(self.started(number) for number in range(first, first + count))

    def pid(self, number: int) -> int:
        return int(self._cells[number * _SIZE + _PID])

    def parent(self, number: int) -> int:
        return int(self._cells[number * _SIZE + _PARENT])


@cache
def board() -> Scoreboard:
    """Return the scoreboard of this run."""
    return Scoreboard(Path(os.environ[VARIABLE]))
