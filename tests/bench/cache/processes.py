"""Other processes of the same installation."""

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

CONTEXT = multiprocessing.get_context("spawn")

END_SECONDS = 5.0


class Remote:
    """An object that ``factory`` makes in a process of its own; a context of that process."""

    def __init__(self, factory: Callable[..., Any], *arguments: Any) -> None:
        self._pipe, pipe = CONTEXT.Pipe()
        self._process = CONTEXT.Process(
            target=_serve, args=(pipe, factory, *arguments), daemon=True
        )
        self._process.start()
        pipe.close()  # so that nobody waits for the answer of a process that has ended

    def __enter__(self) -> Self:
        self.answer()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.join(END_SECONDS)
        self._process.kill()
        self._process.join()

    def tell(self, method: str, *arguments: Any) -> None:
        """Have a method called; its result is the next ``answer``."""
        self._pipe.send((method, arguments))

    def answer(self) -> Any:
        """Return the result of what was told; EOFError when the process has failed."""
        return self._pipe.recv()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Return the result of a method."""
        self.tell(method, *arguments)
        return self.answer()


def _serve(pipe: Connection, factory: Callable[..., Any], *arguments: Any) -> None:
    one = factory(*arguments)
    pipe.send(None)
    with suppress(EOFError):
        while True:
            method, given = pipe.recv()
            pipe.send(getattr(one, method)(*given))
