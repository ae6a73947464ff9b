"""Threads that start at the same moment, each with a database connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connections

T = TypeVar("T")

#: A thread that has not started by then will not; the test fails instead of hanging.
PATIENCE_SECONDS = 30


def at_once(functions: Sequence[Callable[[], T]]) -> list[T]:
    """Run ``functions`` at once and return what each returned, in their order."""
    barrier = Barrier(len(functions))

    def run(function: Callable[[], T]) -> T:
        try:
            connections["default"].ensure_connection()
            barrier.wait(PATIENCE_SECONDS)
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))
