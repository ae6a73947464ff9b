"""What the benchmarked queues are given to do: the same functions for ours and every peer."""

import os
import time
from collections.abc import Callable

from tests.bench.queue.scoreboard import board

#: How many turns ``spin`` makes: work of about ``SPIN_SECONDS`` on an idle processor.
SPIN_VARIABLE = "LONGHAND_BENCH_SPIN"
SPIN_SECONDS = 0.020

NAP_SECONDS = 0.100
GREET_SECONDS = 0.050
HOLD_SECONDS = 3600.0


def noop(number: int) -> None:
    """Begin, and nothing else."""
    board().start(number)


def greet(number: int) -> None:
    """Show which process works, and keep it for a moment so that the next one has to."""
    board().start(number)
    time.sleep(GREET_SECONDS)


def spin(number: int) -> None:
    """Keep a processor busy; a given amount of work, not of time."""
    board().start(number)
    turn(int(os.environ[SPIN_VARIABLE]))


def nap(number: int) -> None:
    """Wait, as for an answer from a network."""
    board().start(number)
    time.sleep(NAP_SECONDS)


def hold(number: int) -> None:
    """Keep the worker until somebody kills it; the next time, begin and end."""
    if board().start(number):
        time.sleep(HOLD_SECONDS)


TASKS: dict[str, Callable[[int], None]] = {
    task.__name__: task for task in (noop, greet, spin, nap, hold)
}


def turn(turns: int) -> int:
    """Do arithmetic ``turns`` times."""
    value = 1
    for _ in range(turns):
        value = (value * 1_103_515_245 + 12_345) & 0x7FFFFFFF
    return value


def calibrated_turns() -> int:
    """Return how many turns take ``SPIN_SECONDS`` at the best this processor does."""
    turns = 20_000
    best = min(_seconds(turns) for _ in range(50))
    return round(turns * SPIN_SECONDS / best)


def _seconds(turns: int) -> float:
    started = time.perf_counter()
    turn(turns)
    return time.perf_counter() - started
