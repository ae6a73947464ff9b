"""Loaders that a test holds, and threads that ask for what they make."""

import threading
from collections.abc import Callable
from typing import Any

from caching.backend import MultiLevelCache


class Loader:
    """Returns 1, 2, ...; waits inside until it is let go."""

    def __init__(self, *, is_held: bool = False) -> None:
        self.calls = 0
        self.has_begun = threading.Event()
        self.may_end = threading.Event()
        self.error: BaseException | None = None
        if not is_held:
            self.may_end.set()

    def __call__(self) -> int:
        self.calls += 1
        result = self.calls
        self.has_begun.set()
        assert self.may_end.wait(20)
        if self.error is not None:
            raise self.error
        return result


class Asking:
    """A thread that asks for ``key``."""

    def __init__(self, cache: MultiLevelCache, loader: Callable[[], Any], **policy: Any) -> None:
        self.answer: Any = None

        def ask() -> None:
            try:
                self.answer = cache.get_or_set("key", loader, **policy)
            except BaseException as error:  # noqa: BLE001 - whatever it was is looked at
                self.answer = error

        self.thread = threading.Thread(target=ask, daemon=True)
        self.thread.start()

    def end(self) -> Any:
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.answer
