"""Rows that one worker claimed together, on their way from waiting to recorded."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobs.models import Work

#: A batch is claimed to last about this long, so that no other worker misses its rows.
BATCH_SECONDS = 0.4

#: The most rows of a batch: more make a claim no cheaper per row.
MAX_BATCH = 100

#: The next batch is at most this many times as large as the one before.
GROWTH = 4


@dataclass
class Pace:
    """How many rows of a queue to claim at once, from how long the last ones took."""

    limit: int = 1
    seconds_per_row: float = math.inf

    def observe(self, count: int, seconds: float) -> None:
        """Learn that ``count`` rows took ``seconds`` in all."""
        latest = seconds / count
        known = latest if math.isinf(self.seconds_per_row) else self.seconds_per_row
        self.seconds_per_row = max(latest, (known + latest) / 2)
        self.limit = max(1, min(self.rows_in(BATCH_SECONDS), GROWTH * self.limit, MAX_BATCH))

    def rows_in(self, seconds: float) -> int:
        """Return how many rows one thread does in ``seconds``, at most ``MAX_BATCH``."""
        return int(min(seconds / max(self.seconds_per_row, 1e-9), MAX_BATCH))


class Batch:
    """What a worker holds: rows that wait for it, and rows that are done but not recorded.

    Safe for several threads: a row is taken once, by whoever comes first.
    """

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._waiting: deque[Work] = deque()
        self._done: list[Work] = []
        self._taken_count = 0
        self._is_closed = False
        self.touched = time.monotonic()

    def add(self, works: Iterable[Work]) -> None:
        """Put claimed rows in line."""
        with self._lock:
            self._waiting.extend(works)
            self._lock.notify_all()
            self.touched = time.monotonic()

    def take(self) -> Work | None:
        """Return the next row that waits; it is the caller's until it calls ``finish`` or
        ``drop``."""
        with self._lock:
            self.touched = time.monotonic()
            if not self._waiting:
                return None
            self._taken_count += 1
            return self._waiting.popleft()

    def wait(self) -> Work | None:
        """Take the next row as soon as one waits; None when there will be no more."""
        with self._lock:
            self._lock.wait_for(lambda: self._waiting or self._is_closed)
            return self.take()

    def close(self) -> None:
        """Let nobody wait any longer."""
        with self._lock:
            self._is_closed = True
            self._lock.notify_all()

    def take_all(self) -> list[Work]:
        """Return all rows that wait; they are the caller's."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
            return taken

    def finish(self, work: Work) -> None:
        """Add a row that is done, and is to be recorded."""
        with self._lock:
            self._taken_count -= 1
            self._done.append(work)

    def drop(self) -> None:
        """Forget a row that was taken: what became of it is recorded."""
        with self._lock:
            self._taken_count -= 1

    def take_finished(self) -> list[Work]:
        """Return the rows that are done; the caller records them."""
        with self._lock:
            taken, self._done = self._done, []
            return taken

    @property
    def waiting_count(self) -> int:
        """How many rows nobody has taken yet."""
        return len(self._waiting)

    @property
    def held_count(self) -> int:
        """How many rows wait or are being done."""
        with self._lock:
            return len(self._waiting) + self._taken_count

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits and nothing is to be recorded."""
        return not self._waiting and not self._done
