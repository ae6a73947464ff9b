"""Other processes that call a provider, within a limit and behind a breaker."""

import os
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from redis import Redis

from processing.exceptions import RateLimited
from processing.providers.breaker import CircuitBreaker, CircuitPolicy
from processing.providers.rate_limit import RateLimit, RateLimiter
from tests.bench.cache.processes import Remote


@dataclass(frozen=True)
class Grant:
    """A call that was admitted at some moment between two, in seconds of Redis' clock."""

    asked_at: float
    admitted_at: float


class Caller:
    """A worker with a limiter; ``live_workers`` when Redis is away is ``share``."""

    def __init__(
        self, url: str, limit: RateLimit, share: int = 1, name: str = "t", lease: float = 15.0
    ) -> None:
        self.limiter = RateLimiter(
            url,
            name=name,
            limit=limit,
            live_workers=lambda: share,
            lease_seconds=lease,
            timeout_seconds=5,
        )
        self._redis: Any = Redis.from_url(url)
        self._stack = ExitStack()

    def grants(self, seconds: float) -> list[Grant]:
        """Call as often as may be, for so long by Redis' clock."""
        grants = []
        begun = asked_at = self.time()
        while asked_at < begun + seconds:
            try:
                with self.limiter.admitted():
                    grants.append(Grant(asked_at, self.time()))
            except RateLimited as error:
                time.sleep(error.seconds)
            asked_at = self.time()
        return grants

    def call_count(self, seconds: float) -> int:
        """Call as often as may be, for so long by our clock; return how often that was."""
        count, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                with self.limiter.admitted():
                    count += 1
            except RateLimited as error:
                time.sleep(min(error.seconds, max(end - time.monotonic(), 0)))
        return count

    def most_at_once(self, seconds: float, key: str) -> int:
        """Hold slots for a moment each; return the most that were counted at ``key`` at once."""
        most, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                with self.limiter.admitted():
                    most = max(most, int(self._redis.incr(key)))
                    time.sleep(0.003)
                    self._redis.decr(key)
            except RateLimited:
                time.sleep(0.001)
        return most

    def hold(self) -> int:
        """Take a slot and keep it; return the id of this process."""
        self._stack.enter_context(self.limiter.admitted())
        return os.getpid()

    def time(self) -> float:
        seconds, microseconds = self._redis.time()
        return float(seconds + microseconds / 1e6)


class Prober:
    """A worker with a breaker, which may begin a call and never end it."""

    def __init__(self, url: str, policy: CircuitPolicy) -> None:
        self._breaker = CircuitBreaker(url, name="t", policy=policy, timeout_seconds=5)

    def begin(self) -> int:
        """Begin a call that does not end; return the id of this process."""
        is_begun = threading.Event()

        def call() -> None:
            with self._breaker.guarding():
                is_begun.set()
                threading.Event().wait()

        threading.Thread(target=call, daemon=True).start()
        assert is_begun.wait(10)
        return os.getpid()


def remote_callers(stack: ExitStack, count: int, *arguments: Any) -> list[Remote]:
    """Start so many callers, each in a process of its own."""
    remotes = [Remote(Caller, *arguments) for _ in range(count)]
    return [stack.enter_context(remote) for remote in remotes]


def excess(grants: Iterable[Grant], *, rate: float, burst: float) -> float:
    """Return by how many the calls surely admitted in some window exceed what was allowed.

    Not above 0 when the limit was kept in every window. A call counts for a window when it
    was asked for and admitted inside of it.
    """
    by_begin = sorted(grants, key=lambda one: one.asked_at)
    most = -burst
    for begin in {one.asked_at for one in by_begin}:
        inside = sorted(one.admitted_at for one in by_begin if one.asked_at >= begin)
        for count, end in enumerate(inside, 1):
            most = max(most, count - burst - rate * (end - begin))
    return most
