"""Waiting for facts instead of for time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(fact: Callable[[], T], *, seconds: float = 60.0, every: float = 0.02) -> T:
    """Return the first truthy answer of ``fact``; AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = fact()
        if answer:
            return answer
        time.sleep(every)
    raise AssertionError(f"still not so after {seconds} s: {fact}")
