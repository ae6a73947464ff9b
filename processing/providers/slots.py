"""The slots that this process holds of a limited concurrency."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from weakref import WeakSet

from processing.providers.shared_redis import RedisIsAway


class HeldSlots:
    """Tokens of slots, which a thread renews for as long as any are held.

    Nobody else may have a slot until its lease ends, so that those of a process that was killed
    are free again soon. ``renew`` is called every ``renew_seconds`` with all tokens; it makes good
    also what a Redis that was away has forgotten. A child process holds none of its parent's.
    """

    def __init__(self, renew: Callable[[Sequence[str]], None], *, renew_seconds: float) -> None:
        self._renew = renew
        self._renew_seconds = renew_seconds
        self._tokens: set[str] = set()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        _all.add(self)

    @property
    def count(self) -> int:
        return len(self._tokens)

    def hold(self, token: str) -> None:
        """Keep a slot until it is dropped."""
        with self._lock:
            self._keep(token)

    def hold_below(self, limit: int, token: str) -> bool:
        """Keep a slot, unless this process holds ``limit`` already."""
        with self._lock:
            if len(self._tokens) >= limit:
                return False
            self._keep(token)
            return True

    def drop(self, token: str) -> None:
        """Keep a slot no longer: when this returns it is not renewed again."""
        with self._lock:
            self._tokens.discard(token)

    def _keep(self, token: str) -> None:
        self._tokens.add(token)
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="slot-renewal", daemon=True)
            with suppress(RuntimeError):  # no more threads to be had: the next slot tries again
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while True:
            time.sleep(self._renew_seconds)
            with self._lock:
                if not self._tokens:
                    self._thread = None
                    return
                with suppress(RedisIsAway):
                    self._renew(sorted(self._tokens))

    def _after_fork(self) -> None:
        self._tokens = set()
        self._thread = None
        self._lock = threading.Lock()


_all: WeakSet[HeldSlots] = WeakSet()


def _after_fork() -> None:
    for slots in _all:
        slots._after_fork()


os.register_at_fork(after_in_child=_after_fork)
