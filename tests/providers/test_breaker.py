"""A provider that fails is left alone by all workers until one of them has found it well."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import time_machine
from django.conf import settings

from jobs.exceptions import Postponed
from processing.exceptions import (
    BadAnswer,
    BreakerIsOpen,
    ProviderBusy,
    ProviderQuotaExhausted,
    ProviderRefused,
    ProviderTooLarge,
    ProviderUnauthorized,
    ProviderUnavailable,
    RateLimited,
)
from processing.providers.breaker import CircuitBreaker, CircuitPolicy, CircuitStatus
from processing.providers.rate_limit import RateLimit, RateLimiter
from tests.bench.cache.processes import Remote
from tests.caching.servers import OwnRedis
from tests.providers.callers import Prober
from tests.waiting import wait_for

pytestmark = pytest.mark.redis

URL = settings.REDIS_URL

#: Stays open for as long as a test may take.
POLICY = CircuitPolicy(minimum_calls=4, backoff_seconds=60)

#: Half-open at once.
SHORT = replace(POLICY, backoff_seconds=0.001)

DOWN = ProviderUnavailable("connection refused")


def breaker_of(policy: CircuitPolicy = POLICY, url: str = URL, name: str = "t") -> CircuitBreaker:
    return CircuitBreaker(url, name=name, policy=policy, timeout_seconds=5)


def call(breaker: CircuitBreaker, error: BaseException | None = None) -> None:
    """Call a provider that answers, or that does what ``error`` says."""
    with breaker.guarding():
        if error is not None:
            raise error


def fail(breaker: CircuitBreaker, *, times: int, error: Exception = DOWN) -> None:
    for _ in range(times):
        with pytest.raises(type(error)):
            call(breaker, error)


def refusal(breaker: CircuitBreaker) -> BreakerIsOpen:
    with pytest.raises(BreakerIsOpen) as refused:
        call(breaker)
    return refused.value


def status(breaker: CircuitBreaker) -> CircuitStatus:
    return breaker.state().status


def is_half_open(breaker: CircuitBreaker) -> Callable[[], bool]:
    return lambda: status(breaker) is CircuitStatus.HALF_OPEN


@pytest.fixture
def half_open() -> CircuitBreaker:
    """A breaker of which the next caller is the probe; a probe that fails opens it for long."""
    breaker = breaker_of(SHORT)
    fail(breaker, times=4)
    wait_for(is_half_open(breaker), seconds=5)
    return breaker_of()


@pytest.fixture
def own_redis() -> Iterator[OwnRedis]:
    with tempfile.TemporaryDirectory() as directory:
        own = OwnRedis(Path(directory))
        yield own
        own.thaw()
        own.stop()


# What opens it


def test_it_opens_for_all_when_as_many_fail_as_are_allowed() -> None:
    breaker, other = breaker_of(), breaker_of()
    call(breaker)
    fail(breaker, times=2)
    fail(other, times=1)

    refused = refusal(other)

    assert isinstance(refused, Postponed)
    assert refused.code == "breaker_open"
    assert 55 < refused.seconds <= 75
    assert status(breaker) is CircuitStatus.OPEN


@pytest.mark.parametrize("error", [DOWN, BadAnswer("truncated")], ids=["unavailable", "bad-answer"])
def test_a_provider_that_does_not_answer_has_failed(error: Exception) -> None:
    breaker = breaker_of()

    fail(breaker, times=3, error=error)

    assert breaker.state().failure_count == 3


@pytest.mark.parametrize(
    "error",
    [
        ProviderBusy("429"),
        ProviderRefused("400"),
        ProviderUnauthorized("401"),
        ProviderQuotaExhausted("insufficient_quota"),
        ProviderTooLarge("413"),
    ],
    ids=["busy", "refused", "unauthorized", "quota", "too-large"],
)
def test_a_provider_that_refuses_is_there(error: Exception) -> None:
    breaker = breaker_of()

    fail(breaker, times=9, error=error)

    state = breaker.state()
    assert (state.status, state.call_count, state.failure_count) == (CircuitStatus.CLOSED, 9, 0)


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("no requests left", seconds=1, dimension="requests"),
        BreakerIsOpen("another", seconds=1),
        Postponed("not yet", seconds=1),
        ValueError("a bug"),
        TimeoutError("the time of the job is over"),
    ],
    ids=["rate-limited", "another-breaker", "postponed", "bug", "time-limit"],
)
def test_what_did_not_reach_the_provider_says_nothing_of_it(error: Exception) -> None:
    breaker = breaker_of()

    fail(breaker, times=9, error=error)

    assert breaker.state().call_count == 0


def test_breakers_of_other_names_are_others() -> None:
    fail(breaker_of(), times=4)

    call(breaker_of(name="other"))


@pytest.mark.parametrize("days", [-400, 400])
def test_the_clock_of_the_caller_does_not_matter(days: int) -> None:
    fail(breaker_of(), times=4)

    with time_machine.travel(time.time() + 86_400 * days):
        refused = refusal(breaker_of())

    assert 55 < refused.seconds <= 75


# The probe


def test_of_many_that_ask_at_once_one_is_the_probe(half_open: CircuitBreaker) -> None:
    barrier = threading.Barrier(40, timeout=30)
    is_over = threading.Event()
    probes: list[int] = []
    refusals: list[int] = []

    def ask(number: int) -> None:
        barrier.wait()
        try:
            with half_open.guarding():
                probes.append(number)
                assert is_over.wait(30)
        except BreakerIsOpen:
            refusals.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(probes) + len(refusals) == 40, seconds=30)
    is_probing = half_open.state().is_probing
    is_over.set()
    for thread in threads:
        thread.join()

    assert (len(probes), len(refusals)) == (1, 39)
    assert is_probing
    assert status(half_open) is CircuitStatus.CLOSED


def test_a_probe_that_succeeds_closes_it_and_forgets_what_failed(half_open: CircuitBreaker) -> None:
    call(half_open)

    state = breaker_of().state()
    assert (state.status, state.failure_count, state.openings) == (CircuitStatus.CLOSED, 0, 0)


def test_a_probe_that_is_refused_closes_it_too(half_open: CircuitBreaker) -> None:
    fail(half_open, times=1, error=ProviderBusy("429"))

    assert status(half_open) is CircuitStatus.CLOSED


def test_a_probe_that_fails_opens_it_for_longer(half_open: CircuitBreaker) -> None:
    fail(half_open, times=1)

    state = half_open.state()
    assert (state.status, state.openings) == (CircuitStatus.OPEN, 2)
    assert 115 < state.seconds <= 120


def test_a_probe_that_did_not_reach_the_provider_lets_another_be_it(
    half_open: CircuitBreaker,
) -> None:
    fail(half_open, times=1, error=ValueError("a bug"))

    assert not half_open.state().is_probing
    call(half_open)
    assert status(half_open) is CircuitStatus.CLOSED


def test_who_comes_while_another_probes_waits_for_that_one_only(half_open: CircuitBreaker) -> None:
    with half_open.guarding():
        assert refusal(breaker_of(SHORT)).seconds < 0.1


def test_when_the_prober_is_killed_another_is_it_after_a_while() -> None:
    policy = replace(SHORT, probe_seconds=0.7)
    breaker = breaker_of(policy)
    fail(breaker, times=4)
    wait_for(is_half_open(breaker), seconds=5)
    with ExitStack() as stack:
        prober = stack.enter_context(Remote(Prober, URL, policy))
        process_id = prober.ask("begin")

        os.kill(process_id, signal.SIGKILL)

        refusal(breaker)
        wait_for(lambda: not breaker.state().is_probing, seconds=5)
        call(breaker)
        assert status(breaker) is CircuitStatus.CLOSED


# By hand


def test_it_is_opened_by_hand_for_all() -> None:
    breaker_of().trip(600)

    assert 595 < refusal(breaker_of()).seconds <= 605
    assert breaker_of().state().openings == 0


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_it_is_opened_by_hand_for_some_time(seconds: float) -> None:
    with pytest.raises(ValueError, match="opened for"):
        breaker_of().trip(seconds)


def test_a_limit_inside_of_it_leaves_the_probe_to_another(half_open: CircuitBreaker) -> None:
    limiter = RateLimiter(
        URL, name="t", limit=RateLimit(requests_per_minute=1), live_workers=lambda: 1
    )
    limiter.pause(60)
    with pytest.raises(RateLimited), half_open.guarding(), limiter.admitted():
        pass

    call(half_open)

    assert status(half_open) is CircuitStatus.CLOSED


def test_it_is_closed_by_hand_for_all() -> None:
    fail(breaker_of(), times=4)

    breaker_of().reset()

    call(breaker_of())
    assert breaker_of().state().call_count == 1


def test_the_state_tells_what_was_counted() -> None:
    breaker = breaker_of()
    call(breaker)
    fail(breaker, times=1)

    state = breaker_of().state()

    assert (state.call_count, state.failure_count, state.seconds) == (2, 1, 0)
    assert state.is_shared


# Redis goes away


def test_without_redis_each_process_has_a_breaker_of_its_own(own_redis: OwnRedis) -> None:
    breaker, other = breaker_of(url=own_redis.url), breaker_of(url=own_redis.url)
    own_redis.kill()

    fail(breaker, times=4)

    assert 55 < refusal(breaker).seconds <= 75
    assert not breaker.state().is_shared
    call(other)


def test_without_redis_it_is_opened_and_closed_by_hand(own_redis: OwnRedis) -> None:
    breaker = breaker_of(url=own_redis.url)
    own_redis.kill()

    breaker.trip(60)
    refusal(breaker)
    breaker.reset()

    call(breaker)


def test_without_redis_one_caller_of_a_process_is_the_probe(own_redis: OwnRedis) -> None:
    breaker = breaker_of(SHORT, url=own_redis.url)
    own_redis.kill()
    fail(breaker, times=4)
    wait_for(is_half_open(breaker), seconds=5)

    with breaker.guarding():
        refusal(breaker)

    call(breaker)


def test_a_call_during_which_redis_goes_away_is_counted_here(own_redis: OwnRedis) -> None:
    breaker = breaker_of(url=own_redis.url)

    with ExitStack() as stack:
        stack.enter_context(pytest.raises(ProviderUnavailable))
        stack.enter_context(breaker.guarding())
        own_redis.kill()
        raise DOWN

    assert breaker.state().failure_count == 1


@pytest.mark.parametrize(
    "outage", [pytest.param(OwnRedis.kill, id="killed"), pytest.param(OwnRedis.freeze, id="frozen")]
)
def test_a_redis_that_is_away_costs_no_error_and_hardly_any_time(
    own_redis: OwnRedis, outage: Callable[[OwnRedis], None]
) -> None:
    breaker = CircuitBreaker(own_redis.url, name="t", timeout_seconds=0.1)
    call(breaker)
    outage(own_redis)
    begun = time.monotonic()

    for _ in range(5):
        call(breaker)
    breaker.state()

    assert time.monotonic() - begun < 0.6


def test_it_is_shared_again_when_redis_is_back(own_redis: OwnRedis) -> None:
    breaker, other = breaker_of(url=own_redis.url), breaker_of(url=own_redis.url)
    own_redis.kill()
    call(breaker)
    own_redis.start()
    wait_for(lambda: breaker.state().is_shared, seconds=5)

    fail(breaker, times=4)

    refusal(other)
