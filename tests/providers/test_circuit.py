"""A circuit opens, probes and closes by the same rules in Python and in Redis."""

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing.providers import scripts
from processing.providers.circuit import Circuit, CircuitPolicy, CircuitStatus, Outcome

if TYPE_CHECKING:
    import redis

pytestmark = pytest.mark.redis

SECOND = 1_000_000
POLICY = CircuitPolicy(
    minimum_calls=3,
    failure_rate=0.5,
    window_seconds=10,
    backoff_seconds=2,
    max_backoff_seconds=12,
    probe_seconds=6,
)

_names = count()


def report(circuit: Circuit, *outcomes: Outcome, now: float) -> list[str]:
    return [circuit.report("caller", outcome, POLICY, now=now) for outcome in outcomes]


def opened_at(now: float) -> Circuit:
    circuit = Circuit()
    assert report(circuit, *[Outcome.FAILURE] * 3, now=now)[-1] == "opened"
    return circuit


GOOD, BAD = Outcome.SUCCESS, Outcome.FAILURE


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        pytest.param([BAD, BAD], CircuitStatus.CLOSED, id="too-few-calls"),
        pytest.param([GOOD, BAD, GOOD, BAD], CircuitStatus.OPEN, id="half-of-them"),
        pytest.param([GOOD, BAD, GOOD, GOOD, BAD], CircuitStatus.CLOSED, id="less-than-half"),
        pytest.param([GOOD, GOOD, BAD, BAD], CircuitStatus.OPEN, id="in-any-order"),
        pytest.param([BAD, BAD, GOOD], CircuitStatus.CLOSED, id="a-success-opens-nothing"),
        pytest.param(
            [Outcome.UNKNOWN] * 9 + [BAD, BAD], CircuitStatus.CLOSED, id="unknown-is-not-counted"
        ),
    ],
)
def test_it_opens_by_the_share_of_failures(outcomes: list[Outcome], status: str) -> None:
    circuit = Circuit()

    report(circuit, *outcomes, now=100)

    assert circuit.status(now=100) == status


@pytest.mark.parametrize(
    ("seconds", "status"),
    [
        pytest.param(9, CircuitStatus.OPEN, id="within-the-window"),
        pytest.param(10, CircuitStatus.CLOSED, id="after-it"),
        pytest.param(1000, CircuitStatus.CLOSED, id="long-after-it"),
    ],
)
def test_what_failed_long_ago_does_not_count(seconds: float, status: str) -> None:
    circuit = Circuit()
    report(circuit, BAD, BAD, now=100)

    report(circuit, BAD, now=100 + seconds)

    assert circuit.status(now=100 + seconds) == status


def test_the_backoff_doubles_with_each_probe_that_fails_up_to_its_most() -> None:
    circuit = opened_at(100)
    now, backoffs = 100.0, []

    for number in range(5):
        backoffs.append(circuit.open_until - now)
        now = circuit.open_until
        assert circuit.ask(f"{number}", POLICY, now=now) == (0, True)
        circuit.report(f"{number}", BAD, POLICY, now=now)

    assert backoffs == [2, 4, 8, 12, 12]


def test_the_first_backoff_is_the_least_again_after_it_was_closed() -> None:
    circuit = opened_at(100)
    circuit.ask("first", POLICY, now=102)
    circuit.report("first", BAD, POLICY, now=102)
    circuit.ask("second", POLICY, now=106)

    assert circuit.report("second", GOOD, POLICY, now=106) == "closed"

    report(circuit, BAD, BAD, BAD, now=107)
    assert circuit.open_until == 109


def test_only_one_is_the_probe_until_it_is_given_up() -> None:
    circuit = opened_at(100)

    asked = [circuit.ask(f"{now}", POLICY, now=now) for now in (101, 102, 103, 107, 108)]

    assert asked == [(1, False), (0, True), (2, False), (1, False), (0, True)]


def test_a_probe_that_was_given_up_decides_nothing() -> None:
    circuit = opened_at(100)
    circuit.ask("late", POLICY, now=102)
    circuit.ask("next", POLICY, now=108)

    assert circuit.report("late", BAD, POLICY, now=109) == ""
    assert circuit.report("next", GOOD, POLICY, now=109) == "closed"


def test_a_probe_that_tells_nothing_lets_another_be_it() -> None:
    circuit = opened_at(100)
    circuit.ask("first", POLICY, now=102)

    circuit.report("first", Outcome.UNKNOWN, POLICY, now=103)

    assert circuit.ask("second", POLICY, now=103) == (0, True)


def test_calls_from_before_it_opened_decide_nothing() -> None:
    circuit = opened_at(100)

    assert report(circuit, GOOD, BAD, GOOD, now=103) == ["", "", ""]
    assert circuit.status(now=103) == CircuitStatus.HALF_OPEN


class RedisCircuit:
    """The scripts, at moments of our choice."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._key = f"circuit:{next(_names)}"

    def ask(self, token: str, *, now: float) -> tuple[float, bool]:
        wait, is_probe = self._run(
            scripts.ASK, now, token, POLICY.probe_seconds * SECOND, POLICY.backoff_seconds * SECOND
        )
        return wait / SECOND, bool(is_probe)

    def report(self, token: str, outcome: Outcome, *, now: float) -> str:
        became: bytes = self._run(
            scripts.REPORT,
            now,
            token,
            outcome,
            POLICY.window_seconds * SECOND / 2,
            POLICY.minimum_calls,
            POLICY.failure_rate,
            POLICY.backoff_seconds * SECOND,
            POLICY.max_backoff_seconds * SECOND,
        )
        return became.decode()

    def trip(self, seconds: float, *, now: float) -> None:
        self._run(scripts.TRIP, now, seconds * SECOND)

    def circuit(self) -> Circuit:
        found: Any = self._client.hgetall(self._key)
        return Circuit.of({name.decode(): value.decode() for name, value in found.items()})

    def _run(self, source: str, now: float, *arguments: Any) -> Any:
        return self._client.register_script(source)([self._key], [now * SECOND, *arguments])


tokens = st.sampled_from(["a", "b"])
asks = st.tuples(st.just("ask"), tokens)
reports = st.tuples(st.just("report"), tokens, st.sampled_from(Outcome))
failures = st.tuples(st.just("report"), tokens, st.just(BAD))
trips = st.tuples(st.just("trip"), st.integers(1, 20))


@given(st.lists(st.tuples(st.integers(0, 6), asks | reports | failures | trips), max_size=30))
def test_redis_and_python_do_the_same(
    redis_connection: "redis.Redis", events: list[tuple[int, tuple[Any, ...]]]
) -> None:
    here, there = Circuit(), RedisCircuit(redis_connection)
    mine: list[Any] = []
    theirs: list[Any] = []
    now = 1_000_000

    for step, (verb, *arguments) in events:
        now += step
        if verb == "trip":
            here.trip(*arguments, now=now)
            there.trip(*arguments, now=now)
        else:
            mine.append(getattr(here, verb)(*arguments, POLICY, now=now))
            theirs.append(getattr(there, verb)(*arguments, now=now))

    assert mine == theirs
    assert there.circuit() == here
