"""Workers of a command's own, on machines where nobody runs any."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from processing.services import local_workers


class OwnWorkers:
    """Sees to it that somebody works while we wait: workers of our own when nobody else does.

    They serve ``queue_names``; all queues, where what is needed is a transcript.
    """

    def __init__(
        self, stack: ExitStack, *, say: Callable[[str], None], queue_names: Sequence[str] = ()
    ) -> None:
        self._stack = stack
        self._queue_names = queue_names
        self._say = say
        self._own: local_workers.LocalWorkers | None = None
        self._look_at = 0.0

    def check(self) -> None:
        """Start workers when none live; raise ``WorkersDied`` when ours have ended."""
        if self._own is not None:
            self._own.check()
        elif time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + 1.0
            if not local_workers.are_running(*self._queue_names):
                self._say("No worker is running; starting some for this call.")
                self._own = self._stack.enter_context(
                    local_workers.local_workers(0, *self._queue_names)
                )
