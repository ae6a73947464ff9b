"""One look at the database for all who follow runs in a process, however many they are.

PostgreSQL is the truth and is asked by a single thread, which holds a connection only while it
looks. Whoever follows a run sleeps until that thread has seen something new.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from django.db import InterfaceError, OperationalError, connection

from processing.live.followed_run import FollowedRun
from processing.models import ProcessingTask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from uuid import UUID

#: How often it looks: people see no difference, and the database hardly any load.
LOOK_SECONDS = 0.5
#: The least time between two looks, when somebody new follows or there is more to read.
PAUSE_SECONDS = 0.02

#: What web servers tell their processes to end with, soon or at once.
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Hub:
    """Watches all runs that somebody in this process follows, in a thread of its own."""

    def __init__(self) -> None:
        self.is_closed = False
        self._runs: dict[UUID, FollowedRun] = {}
        self._lock = threading.Lock()
        self._has_news = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def following(self, run_id: UUID) -> Iterator[FollowedRun]:
        """Have a run watched for the length of the block."""
        with self._lock:
            run = self._runs.get(run_id)
            if run is None or run.is_over:  # it may have been corrected since
                run = self._runs[run_id] = FollowedRun(run_id)
            run.follower_count += 1
        try:
            self.ensure_watching()
            yield run
        finally:
            with self._lock:
                run.follower_count -= 1
                if not run.follower_count and self._runs.get(run_id) is run:
                    del self._runs[run_id]

    def ensure_watching(self) -> None:
        """Start the thread, where it is not running, and have it look now."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="live", daemon=True)
                self._thread.start()
        self._has_news.set()

    def close(self) -> None:
        """Have all who follow a run stop; for signal handlers, too: it takes no lock of ours."""
        self.is_closed = True
        self._has_news.set()

    def _watch(self) -> None:
        while self._runs or not self.is_closed:
            self._has_news.clear()
            is_behind = self._look()
            time.sleep(PAUSE_SECONDS)
            if not is_behind and not self.is_closed:
                self._has_news.wait(LOOK_SECONDS if self._runs else None)

    def _look(self) -> bool:
        """See what is new, with one query for all runs; return whether there is more to read.

        While the database is away nothing is new.
        """
        with self._lock:
            runs = [run for run in self._runs.values() if not run.is_over]
        if self.is_closed:
            for run in runs:
                run.leave()
            return False
        try:
            rows = ProcessingTask.objects.with_recordings().in_bulk([run.pk for run in runs])
            return sum(run.look(rows.get(run.pk)) for run in runs) > 0
        except (OperationalError, InterfaceError):
            return False
        finally:
            connection.close()


@cache
def hub() -> Hub:
    """Return the hub of this process; a forked one has its own."""
    return Hub()


def renew_hub() -> None:
    """Begin anew; made here, there is one only, however many threads come at once."""
    hub.cache_clear()
    hub()


renew_hub()
os.register_at_fork(after_in_child=renew_hub)


def close_at_exit() -> None:
    """Have streams end when the process is asked to, so that it need not wait for them.

    To be called where the application is loaded; what handled the signals before still does.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    handlers = {number: signal.getsignal(number) for number in ENDING}

    def close(number: int, frame: FrameType | None) -> None:
        hub().close()
        handler = handlers[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number, handler in handlers.items():
        if callable(handler):
            signal.signal(number, close)
