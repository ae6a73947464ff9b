"""All workers together ask a provider no more than it allows."""

import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.conf import settings

from jobs.exceptions import Postponed
from processing.exceptions import RateLimited
from processing.providers.rate_limit import DimensionState, RateLimit, RateLimiter
from tests.caching.servers import OwnRedis
from tests.providers.callers import Grant, excess, remote_callers
from tests.waiting import wait_for

if TYPE_CHECKING:
    import redis

pytestmark = pytest.mark.redis

WORKERS = 6
URL = settings.REDIS_URL
SLOTS = "rate:{t}:slots"

#: 50 a second.
FAST = RateLimit(requests_per_minute=3000)

#: One in a minute: what has been taken is not back while a test runs.
SLOW = RateLimit(
    requests_per_minute=2,
    audio_seconds_per_hour=3600,
    tokens_per_minute=600,
    burst_seconds=30,
)


def limiter_of(limit: RateLimit, url: str = URL, **options: Any) -> RateLimiter:
    defaults: dict[str, Any] = {"name": "t", "live_workers": lambda: 1, "timeout_seconds": 5}
    return RateLimiter(url, limit=limit, **defaults | options)


def take(limiter: RateLimiter, **costs: float) -> None:
    with limiter.admitted(**costs):
        pass


def refusal(limiter: RateLimiter, **costs: float) -> RateLimited:
    with pytest.raises(RateLimited) as refused, limiter.admitted(**costs):
        pass
    return refused.value


def taken_at_once(limiter: RateLimiter) -> int:
    """Return how many calls are admitted until one is refused."""
    for count in range(1000):
        try:
            take(limiter)
        except RateLimited:
            return count
    raise AssertionError("there is no limit")


def used(limiter: RateLimiter) -> dict[str, int]:
    """Return what is used of the burst of each dimension, rounded up."""
    return {one.dimension: round(one.used + 0.49) for one in limiter.state().dimensions}


def dimension(limiter: RateLimiter, name: str) -> DimensionState:
    (found,) = [one for one in limiter.state().dimensions if one.dimension == name]
    return found


def lease_ends(client: "redis.Redis") -> list[float]:
    """Return when the leases of all slots end, in microseconds."""
    slots: Any = client.zrange(SLOTS, 0, -1, withscores=True)
    return [end for _, end in slots]


@pytest.fixture
def own_redis() -> Iterator[OwnRedis]:
    with tempfile.TemporaryDirectory() as directory:
        own = OwnRedis(Path(directory))
        yield own
        own.thaw()
        own.stop()


# One limit, many processes


def test_processes_together_are_never_admitted_more_than_allowed_in_any_window() -> None:
    with ExitStack() as stack:
        callers = remote_callers(stack, WORKERS, URL, FAST)
        for caller in callers:
            caller.tell("grants", 2.0)
        grants: list[Grant] = [grant for caller in callers for grant in caller.answer()]

    assert excess(grants, rate=50, burst=50) <= 0
    assert len(grants) > 0.8 * 150


def test_processes_together_never_do_more_at_once_than_allowed() -> None:
    with ExitStack() as stack:
        callers = remote_callers(stack, WORKERS, URL, RateLimit(concurrency=2))
        for caller in callers:
            caller.tell("most_at_once", 1.5, "inside")
        most = max(caller.answer() for caller in callers)

    assert most == 2


def test_a_pause_stops_all_processes_until_it_is_over() -> None:
    with ExitStack() as stack:
        callers = remote_callers(stack, 3, URL, FAST)
        before = callers[0].ask("time")
        limiter_of(FAST).pause(0.7)
        for caller in callers:
            caller.tell("grants", 1.5)
        grants: list[Grant] = [grant for caller in callers for grant in caller.answer()]

    assert min(grant.admitted_at for grant in grants) >= before + 0.7
    assert excess(grants, rate=50, burst=50) <= 0


def test_the_slot_of_a_killed_process_is_free_again_when_its_lease_ends() -> None:
    limit = RateLimit(concurrency=1)
    mine = limiter_of(limit)
    with ExitStack() as stack:
        (holder,) = remote_callers(stack, 1, URL, limit, 1, "t", 0.6)
        process_id = holder.ask("hold")
        assert refusal(mine).dimension == "concurrency"

        os.kill(process_id, signal.SIGKILL)

        assert refusal(mine).dimension == "concurrency"
        wait_for(lambda: mine.state().dimensions[0].used == 0, seconds=5)
        take(mine)


def test_a_slot_is_held_for_longer_than_its_lease(redis_connection: "redis.Redis") -> None:
    limit = RateLimit(concurrency=1)
    with limiter_of(limit, lease_seconds=0.3).admitted():
        (end,) = lease_ends(redis_connection)

        wait_for(lambda: lease_ends(redis_connection)[0] > end + 600_000, seconds=10)

        assert refusal(limiter_of(limit)).dimension == "concurrency"


def test_a_slot_is_given_back_at_once_also_by_what_fails() -> None:
    limiter = limiter_of(RateLimit(concurrency=1))

    with pytest.raises(ZeroDivisionError), limiter.admitted():
        1 / 0  # noqa: B018

    assert dimension(limiter, "concurrency") == DimensionState("concurrency", 1, 0, 1)


def test_a_slot_that_was_given_back_is_not_renewed(redis_connection: "redis.Redis") -> None:
    limiter = limiter_of(RateLimit(concurrency=2), lease_seconds=0.15)
    with limiter.admitted():
        take(limiter)
        (end,) = lease_ends(redis_connection)

        wait_for(lambda: lease_ends(redis_connection)[0] > end, seconds=10)

        assert len(lease_ends(redis_connection)) == 1


def test_a_forked_process_holds_no_slot_of_its_parent() -> None:
    limiter = limiter_of(RateLimit(concurrency=1))
    with limiter.admitted():
        process_id = os.fork()
        if process_id == 0:
            os._exit(limiter._slots.count)
        _, status = os.waitpid(process_id, 0)

        assert os.waitstatus_to_exitcode(status) == 0
        assert limiter._slots.count == 1


def test_limits_of_other_names_are_others() -> None:
    take(limiter_of(SLOW))

    assert used(limiter_of(SLOW, name="other"))["requests"] == 0


# Several dimensions


@pytest.mark.parametrize(
    ("costs", "dimension_refused"),
    [
        pytest.param({"requests": 2}, "requests", id="requests"),
        pytest.param({"audio_seconds": 40}, "audio_seconds", id="audio"),
        pytest.param({"tokens": 400}, "tokens", id="tokens"),
    ],
)
def test_what_one_dimension_refuses_costs_nothing_in_the_others(
    costs: dict[str, float], dimension_refused: str
) -> None:
    limiter = limiter_of(SLOW)
    take(limiter, **{"requests": 0} | costs)
    before = used(limiter)

    refused = refusal(limiter, **{"requests": 1, "audio_seconds": 5, "tokens": 5} | costs)

    assert refused.dimension == dimension_refused
    assert used(limiter) == before


def test_without_a_free_slot_nothing_is_taken() -> None:
    limiter = limiter_of(RateLimit(requests_per_minute=60, burst_seconds=60, concurrency=1))
    with limiter.admitted():
        assert refusal(limiter, requests=30).dimension == "concurrency"

        assert used(limiter) == {"requests": 1, "concurrency": 1}


def test_a_refused_call_takes_no_slot() -> None:
    limiter = limiter_of(RateLimit(requests_per_minute=1, concurrency=1))
    take(limiter)

    assert refusal(limiter).dimension == "requests"
    assert dimension(limiter, "concurrency").used == 0


def test_what_is_not_limited_costs_nothing() -> None:
    limiter = limiter_of(RateLimit(tokens_per_minute=60))

    take(limiter, requests=10_000, audio_seconds=10_000)

    assert [one.dimension for one in limiter.state().dimensions] == ["tokens"]


def test_a_call_above_the_burst_is_admitted_once_nothing_is_used() -> None:
    limiter = limiter_of(RateLimit(audio_seconds_per_hour=7200))

    take(limiter, audio_seconds=30)

    assert 14 < refusal(limiter, audio_seconds=30).seconds <= 15 * 1.25


@pytest.mark.parametrize(
    "costs",
    [
        pytest.param({"audio_seconds": 3601}, id="above-the-limit"),
        pytest.param({"tokens": -1}, id="negative"),
        pytest.param({"tokens": float("nan")}, id="not-a-number"),
    ],
)
def test_a_cost_that_can_never_be_admitted_is_an_error(costs: dict[str, float]) -> None:
    limiter = limiter_of(SLOW)

    with pytest.raises(ValueError, match="a call costs"), limiter.admitted(**costs):
        pass


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_above_zero(limit: int) -> None:
    with pytest.raises(ValueError, match="above 0"):
        RateLimit(concurrency=limit)


# What callers are told


@pytest.mark.parametrize(
    ("limit", "count"),
    [
        pytest.param(RateLimit(requests_per_minute=6), 1, id="at-least-one"),
        pytest.param(RateLimit(requests_per_minute=6, burst_seconds=30), 3, id="thirty-seconds"),
        pytest.param(RateLimit(requests_per_minute=6, burst_seconds=0), 1, id="none"),
    ],
)
def test_the_burst_is_so_many_seconds_of_the_limit(limit: RateLimit, count: int) -> None:
    assert taken_at_once(limiter_of(limit)) == count


def test_a_refusal_tells_how_long_to_wait_and_for_what() -> None:
    limiter = limiter_of(RateLimit(requests_per_minute=6))
    take(limiter)

    refused = refusal(limiter)

    assert isinstance(refused, Postponed)
    assert (refused.dimension, refused.code) == ("requests", "rate_limited")
    assert 9 < refused.seconds <= 12.5
    assert "t: no requests left" in str(refused)


def test_not_all_are_told_the_same_and_nobody_to_come_too_early() -> None:
    limiter = limiter_of(FAST)
    limiter.pause(60)

    waits = {refusal(limiter).seconds for _ in range(20)}

    assert len(waits) > 1
    assert min(waits) > 55
    assert max(waits) - min(waits) <= 5.5


@pytest.mark.parametrize("days", [-400, 400])
def test_the_clock_of_the_caller_does_not_matter(days: int) -> None:
    limiter = limiter_of(RateLimit(requests_per_minute=1, concurrency=1))
    take(limiter)

    with time_machine.travel(time.time() + 86_400 * days):
        refused = refusal(limiter_of(RateLimit(requests_per_minute=1, concurrency=1)))

    assert refused.dimension == "requests"
    assert 50 < refused.seconds <= 75


def test_a_limiter_without_limits_asks_no_redis() -> None:
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{directory}/redis.sock")
        server.listen()
        server.setblocking(False)
        limiter = limiter_of(RateLimit(), f"unix://{directory}/redis.sock")

        take(limiter, requests=1000, audio_seconds=1000, tokens=1000)
        limiter.pause(60)

        assert refusal(limiter).dimension == "pause"
        assert limiter.state().paused_seconds > 55
        with pytest.raises(BlockingIOError):
            server.accept()


# What providers say


def said(**texts: str) -> dict[str, str]:
    return {f"x-ratelimit-{name.replace('_', '-')}": text for name, text in texts.items()}


def test_of_what_nothing_remains_is_paused_for_all_until_it_is_reset() -> None:
    limiter_of(SLOW).learn(said(remaining_tokens="0", reset_tokens="1m30s"))
    other = limiter_of(SLOW)

    refused = refusal(other, tokens=1)

    assert refused.dimension == "tokens"
    assert 85 < refused.seconds <= 95
    assert dimension(other, "tokens").paused_seconds == pytest.approx(90, abs=5)
    take(other, requests=1)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(said(remaining_tokens="0"), id="no-reset"),
        pytest.param(said(remaining_tokens="0", reset_tokens="0"), id="reset-now"),
        pytest.param(said(remaining_tokens="-1", reset_tokens="60"), id="minus-one"),
        pytest.param(
            said(limit_tokens="-1", remaining_tokens="0", reset_tokens="60"), id="limit-unknown"
        ),
        pytest.param(said(remaining_tokens="1", reset_tokens="60"), id="one-remains"),
        pytest.param(said(limit_tokens="100000"), id="limit-above-ours"),
        pytest.param(said(remaining_images="0", reset_images="60"), id="another-dimension"),
        pytest.param({}, id="nothing"),
    ],
)
def test_what_cannot_be_believed_or_does_not_matter_changes_nothing(
    headers: dict[str, str], redis_connection: "redis.Redis"
) -> None:
    limiter_of(SLOW).learn(headers)

    assert redis_connection.dbsize() == 0


def test_a_lower_limit_of_the_provider_holds_for_all() -> None:
    limiter_of(FAST).learn(said(limit_requests="6"))
    other = limiter_of(FAST)

    take(other)

    assert 9 < refusal(other).seconds <= 12.5
    assert dimension(other, "requests").limit == 6


def test_a_limit_that_is_raised_again_holds_at_once() -> None:
    limiter = limiter_of(FAST)
    limiter.learn(said(limit_requests="6"))
    limiter.learn(said(limit_requests="5000"))

    assert dimension(limiter, "requests").limit == 3000


def test_a_lower_limit_is_told_to_redis_once(redis_connection: "redis.Redis") -> None:
    limiter = limiter_of(FAST)
    limiter.learn(said(limit_requests="6"))
    redis_connection.flushdb()

    limiter.learn(said(limit_requests="6"))

    assert redis_connection.dbsize() == 0


def test_no_pause_is_longer_than_a_day() -> None:
    limiter = limiter_of(FAST)

    limiter.pause(float("inf"))

    assert limiter.state().paused_seconds == pytest.approx(86_400, abs=5)


@pytest.mark.parametrize("seconds", [0, -5, float("nan")])
def test_a_pause_of_no_time_is_none(seconds: float) -> None:
    limiter = limiter_of(FAST)

    limiter.pause(seconds)

    take(limiter)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    limiter = limiter_of(FAST)
    limiter.pause(60)

    limiter.pause(1)

    assert limiter.state().paused_seconds > 55


def test_the_state_tells_of_every_limit() -> None:
    limiter = limiter_of(RateLimit(requests_per_minute=60, burst_seconds=60, concurrency=3))
    with limiter.admitted(requests=20):
        state = limiter_of(limiter.limit).state()

    requests, slots = state.dimensions
    assert (requests.dimension, requests.limit) == ("requests", 60)
    assert requests.used == pytest.approx(20, abs=2)
    assert requests.remaining == pytest.approx(40, abs=2)
    assert slots == DimensionState("concurrency", 3, 1, 2)
    assert state.is_shared


# Redis goes away


def test_without_redis_each_process_has_its_share(own_redis: OwnRedis) -> None:
    limit = RateLimit(requests_per_minute=60, burst_seconds=30)
    limiter = limiter_of(limit, own_redis.url, live_workers=lambda: 5)
    own_redis.kill()

    assert taken_at_once(limiter) == 6
    state = limiter.state()
    assert not state.is_shared
    assert state.dimensions[0].limit == 12


@pytest.mark.parametrize(
    ("workers", "slots"),
    [
        pytest.param(0, 4, id="nobody-is-known"),
        pytest.param(2, 2, id="two"),
        pytest.param(9, 1, id="more-workers-than-slots"),
    ],
)
def test_without_redis_each_process_has_its_share_of_the_slots(
    own_redis: OwnRedis, workers: int, slots: int
) -> None:
    limit = RateLimit(concurrency=4)
    limiter = limiter_of(limit, own_redis.url, live_workers=lambda: workers)
    own_redis.kill()

    with ExitStack() as stack:
        for _ in range(slots):
            stack.enter_context(limiter.admitted())
        assert refusal(limiter).dimension == "concurrency"
    take(limiter)


def test_a_pause_outlives_redis(own_redis: OwnRedis) -> None:
    limiter_of(FAST, own_redis.url).pause(60)
    other = limiter_of(FAST, own_redis.url)
    refusal(other)

    own_redis.kill()

    assert refusal(other).dimension == "pause"


@pytest.mark.parametrize(
    "limit", [pytest.param(FAST, id="rate"), pytest.param(RateLimit(concurrency=9), id="slots")]
)
@pytest.mark.parametrize(
    "outage", [pytest.param(OwnRedis.kill, id="killed"), pytest.param(OwnRedis.freeze, id="frozen")]
)
def test_a_redis_that_is_away_costs_no_error_and_hardly_any_time(
    own_redis: OwnRedis, limit: RateLimit, outage: Callable[[OwnRedis], None]
) -> None:
    limiter = limiter_of(limit, own_redis.url, timeout_seconds=0.1)
    take(limiter)
    outage(own_redis)
    begun = time.monotonic()

    for _ in range(5):
        take(limiter)
    limiter.learn(said(limit_requests="2000"))
    limiter.state()

    assert time.monotonic() - begun < 0.6


def test_limits_are_shared_again_when_redis_is_back(own_redis: OwnRedis) -> None:
    mine, other = limiter_of(SLOW, own_redis.url), limiter_of(SLOW, own_redis.url)
    own_redis.kill()
    take(mine)
    own_redis.start()

    wait_for(lambda: mine.state().is_shared, seconds=5)
    take(other)

    assert refusal(mine).dimension == "requests"


def test_slots_that_redis_forgot_are_made_known_to_it_again(own_redis: OwnRedis) -> None:
    limit = RateLimit(concurrency=1)
    limiter = limiter_of(limit, own_redis.url, lease_seconds=0.3)
    with limiter.admitted():
        own_redis.kill()
        own_redis.start()

        wait_for(lambda: own_redis.client.zcard(SLOTS) == 1, seconds=10)

        assert refusal(limiter_of(limit, own_redis.url)).dimension == "concurrency"


def test_processes_go_on_while_redis_is_killed_and_comes_back(own_redis: OwnRedis) -> None:
    with ExitStack() as stack:
        callers = remote_callers(stack, 3, own_redis.url, FAST, 3)
        began = time.monotonic()
        for caller in callers:
            caller.tell("call_count", 2.0)
        wait_for(own_redis.client.dbsize, seconds=10)
        own_redis.kill()
        own_redis.start()
        count = sum(caller.answer() for caller in callers)
        seconds = time.monotonic() - began

    bursts = 3  # of the first Redis, of the processes without one, of a Redis that knows nothing
    assert 50 < count <= 50 * (bursts + seconds)
