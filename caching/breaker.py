"""Not asking a level that is away, so that it costs its callers nothing until it is back."""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from weakref import WeakSet

from caching.exceptions import LevelIsAway

logger = logging.getLogger(__name__)

PROBE_SECONDS = 0.25


class Breaker:
    """Guards the calls of one process to one level: ``with breaker: level.get(key)``.

    The first call that raises ``opens_on`` opens it; while it is open every other raises that
    at once. A thread of its own then calls ``probe`` every ``probe_seconds``, and once that
    raises nothing ``recover``, which makes good what the level missed; when that raises nothing
    either, the breaker closes. Safe for threads and forks.
    """

    def __init__(
        self,
        name: str,
        *,
        probe: Callable[[], None],
        recover: Callable[[], None],
        probe_seconds: float = PROBE_SECONDS,
        opens_on: type[LevelIsAway] = LevelIsAway,
    ) -> None:
        self.is_open = False
        #: Closed for a moment, and repaired once more: write there, but do not read there yet.
        self.is_settling = False
        self.opened_count = 0
        self.spared_count = 0
        self.away_since: float | None = None
        self._name = name
        self._probe = probe
        self._recover = recover
        self._probe_seconds = probe_seconds
        self._opens_on = opens_on
        self._is_over = threading.Event()
        self._spared_before = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.is_settling = False
        _breakers.add(self)

    def __enter__(self) -> None:
        if self.is_open:
            self._spare()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, self._opens_on):
            self._open(error)

    def stop(self) -> None:
        """Probe no more; it stays as it is."""
        self._is_over.set()

    def _spare(self) -> None:
        with self._lock:
            self.spared_count += 1
            if self.is_open and self._thread is None:  # as in a process forked meanwhile
                self._start()
        raise self._opens_on(f"{self._name} is away")

    def _open(self, error: LevelIsAway) -> None:
        with self._lock:
            if self.is_open:
                return
            self.is_open = True
            self.opened_count += 1
            self.away_since = time.monotonic()
            self._spared_before = self.spared_count
            self._start()
        logger.warning("the cache goes on without %s until it is back: %s", self._name, error)

    def _close(self) -> None:
        with self._lock:
            away_since, self.away_since = self.away_since, None
            spared_count = self.spared_count - self._spared_before
            self._thread = None
            self.is_settling = True
            self.is_open = False
        seconds = time.monotonic() - (away_since or 0)
        logger.warning(
            "%s is back in the cache after %.1f s; calls that were spared: %d",
            self._name,
            seconds,
            spared_count,
        )

    def _start(self) -> None:
        name = f"cache-probe-{self._name}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        with suppress(RuntimeError):  # no more threads to be had: the next call tries again
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        last_problem = ""
        while not self._is_over.wait(self._probe_seconds):
            try:
                self._probe()
                self._recover()
            except LevelIsAway:
                continue
            except Exception as error:  # a level that cannot be repaired must not be read
                if repr(error) != last_problem:
                    logger.exception("%s cannot be brought back into the cache", self._name)
                last_problem = repr(error)
            else:
                self._close()
                self._recover_the_last()
                return

    def _recover_the_last(self) -> None:
        """Recover once more: what was written as the breaker closed may have come too late."""
        try:
            with suppress(LevelIsAway), self:
                self._recover()
        finally:
            self.is_settling = False

    def _after_fork(self) -> None:
        """Neither a thread nor who held the lock is there any more."""
        self._lock = threading.Lock()
        self._thread = None


_breakers: WeakSet[Breaker] = WeakSet()


def _after_fork() -> None:
    for breaker in _breakers:
        breaker._after_fork()


os.register_at_fork(after_in_child=_after_fork)
