"""A level that is away is not asked until it is back and repaired."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from caching.breaker import Breaker
from caching.exceptions import LevelIsAway
from tests.waiting import wait_for

pytestmark = pytest.mark.redis

SOON = 0.01


class Level:
    """A level that is there or away, and remembers what was asked of it."""

    def __init__(self) -> None:
        self.is_away = False
        self.calls: list[str] = []
        self.breaker = self.guarded_by(probe_seconds=SOON)

    def guarded_by(self, *, probe_seconds: float) -> Breaker:
        return Breaker("Redis", probe=self.ping, recover=self.recover, probe_seconds=probe_seconds)

    def ping(self) -> None:
        self._called("ping")

    def recover(self) -> None:
        self._called("recover")

    def get(self) -> str:
        with self.breaker:
            self._called("get")
        return "value"

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.is_away:
            raise LevelIsAway("connection refused")


@pytest.fixture
def level() -> Iterator[Level]:
    level = Level()
    yield level
    level.is_away = False
    wait_for(lambda: not probing_threads(), seconds=10)


@pytest.fixture
def away(level: Level) -> Level:
    """A level that is away, as its breaker knows."""
    level.is_away = True
    with pytest.raises(LevelIsAway, match="refused"):
        level.get()
    return level


def is_back(level: Level) -> Callable[[], bool]:
    return lambda: not level.breaker.is_open


def wait_until_back(level: Level) -> None:
    level.is_away = False
    wait_for(is_back(level), seconds=10, every=0.001)


def probing_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "cache-probe" in thread.name]


def test_a_level_that_is_there_is_asked(level: Level) -> None:
    assert level.get() == "value"
    assert (level.breaker.is_open, level.breaker.away_since) == (False, None)


def test_the_first_call_that_fails_opens_it(away: Level) -> None:
    assert away.breaker.is_open
    assert away.breaker.opened_count == 1
    assert away.breaker.away_since == pytest.approx(time.monotonic(), abs=5)


def test_no_call_reaches_a_level_while_it_is_open(away: Level) -> None:
    with pytest.raises(LevelIsAway, match="Redis is away"):
        away.get()

    assert away.calls.count("get") == 1
    assert away.breaker.spared_count == 1


def test_what_is_wrong_with_a_call_opens_nothing(level: Level) -> None:
    with pytest.raises(ZeroDivisionError), level.breaker:
        1 / 0  # noqa: B018

    assert not level.breaker.is_open
    assert level.get() == "value"


def test_it_is_probed_without_a_caller_and_closes_when_the_level_is_back(away: Level) -> None:
    wait_for(lambda: away.calls.count("ping") > 2, seconds=10)
    assert away.breaker.is_open
    assert "recover" not in away.calls

    wait_until_back(away)
    wait_for(lambda: away.calls.count("recover") == 2, seconds=10)

    assert away.calls[-3:] == ["ping", "recover", "recover"]  # once more for what came too late
    assert away.breaker.away_since is None
    assert away.get() == "value"


def test_it_stays_open_until_the_level_is_repaired() -> None:
    is_recovering, may_recover = threading.Event(), threading.Event()

    def recover() -> None:
        is_recovering.set()
        assert may_recover.wait(10)

    breaker = Breaker("Redis", probe=lambda: None, recover=recover, probe_seconds=SOON)
    with pytest.raises(LevelIsAway), breaker:
        raise LevelIsAway("gone")

    assert is_recovering.wait(10)
    with pytest.raises(LevelIsAway, match="is away"), breaker:
        pass
    may_recover.set()
    wait_for(lambda: not breaker.is_open, seconds=10)


@pytest.mark.parametrize("error", [LevelIsAway("again"), ValueError("a bug")], ids=["away", "bug"])
def test_it_stays_open_when_the_repair_fails_and_tries_again(error: Exception) -> None:
    attempts: list[int] = []

    def recover() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise error

    breaker = Breaker("Redis", probe=lambda: None, recover=recover, probe_seconds=SOON)
    with pytest.raises(LevelIsAway), breaker:
        raise LevelIsAway("gone")

    wait_for(lambda: not breaker.is_open, seconds=10)

    assert len(attempts) >= 3


def test_a_repair_that_has_a_bug_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    attempts: list[int] = []

    def recover() -> None:
        attempts.append(1)
        if len(attempts) < 5:
            raise ValueError("a bug")

    breaker = Breaker("Redis", probe=lambda: None, recover=recover, probe_seconds=SOON)
    with pytest.raises(LevelIsAway), breaker:
        raise LevelIsAway("gone")
    wait_for(lambda: not breaker.is_open, seconds=10)

    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR", "WARNING"]


def test_it_opens_again_when_the_level_leaves_again(away: Level) -> None:
    wait_until_back(away)
    away.is_away = True

    with pytest.raises(LevelIsAway, match="refused"):
        away.get()

    assert away.breaker.opened_count == 2
    wait_until_back(away)


def test_it_is_logged_once_when_a_level_leaves_and_once_when_it_is_back(
    level: Level, caplog: pytest.LogCaptureFixture
) -> None:
    level.is_away = True
    with pytest.raises(LevelIsAway):
        level.get()
    with pytest.raises(LevelIsAway):
        level.get()
    wait_until_back(level)
    wait_for(lambda: len(caplog.messages) == 2, seconds=10)

    left, back = caplog.messages
    assert left == "the cache goes on without Redis until it is back: connection refused"
    assert back.startswith("Redis is back in the cache after 0.")
    assert back.endswith("spared: 1")
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_a_thread_probes_while_it_is_open_and_no_longer(away: Level) -> None:
    assert probing_threads() == ["cache-probe-Redis"]

    wait_until_back(away)

    wait_for(lambda: not probing_threads(), seconds=10)


def test_threads_that_fail_together_open_it_once(level: Level) -> None:
    together = threading.Barrier(8, timeout=10)

    def fail() -> None:
        with suppress(LevelIsAway), level.breaker:
            together.wait()
            raise LevelIsAway("gone")

    level.is_away = True
    threads = [threading.Thread(target=fail) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert level.breaker.opened_count == 1
    assert len(probing_threads()) == 1
    wait_until_back(level)


def test_a_process_that_was_forked_while_it_was_open_probes_by_itself() -> None:
    parent = os.getpid()

    def probe() -> None:
        if os.getpid() == parent:
            raise LevelIsAway("only for the parent")

    breaker = Breaker("Redis", probe=probe, recover=lambda: None, probe_seconds=SOON)
    with pytest.raises(LevelIsAway), breaker:
        raise LevelIsAway("gone")

    child = os.fork()
    if child == 0:
        os._exit(_exit_code_of_child(breaker))

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert breaker.is_open
    parent = 0  # from here on it is back for the parent too
    wait_for(lambda: not breaker.is_open, seconds=10)


def _exit_code_of_child(breaker: Breaker) -> int:
    """Return 0 when the first call is spared and a later one is not."""
    try:
        with breaker:
            return 1
    except LevelIsAway:
        pass
    try:
        wait_for(lambda: not breaker.is_open, seconds=10)
        with breaker:
            return 0
    except BaseException:  # noqa: BLE001  nothing of the child may reach the test runner
        return 2


def test_a_process_that_was_forked_while_the_lock_was_held_does_not_wait_for_it(
    level: Level,
) -> None:
    with level.breaker._lock:
        child = os.fork()
        if child == 0:
            level.breaker.is_open = True
            os._exit(_exit_code_of_child(level.breaker))

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_closed_breaker_costs_less_than_a_microsecond(level: Level) -> None:
    def seconds_of_a_thousand() -> float:
        breaker = level.breaker
        start = time.perf_counter()
        for _ in range(1000):
            with breaker:
                pass
        return time.perf_counter() - start

    assert min(seconds_of_a_thousand() for _ in range(20)) < 0.001
