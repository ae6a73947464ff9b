"""The arithmetic of limits: what it admits by definition, in Python and in Redis alike."""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing.providers import scripts
from processing.providers.gcra import PAUSE, Charge, Meter, Note

if TYPE_CHECKING:
    import redis

pytestmark = pytest.mark.redis

SECOND = 1_000_000
MINUTE = 60 * SECOND

#: These divide a minute into whole microseconds, so that no arithmetic rounds.
LIMITS = [3000.0, 600.0, 60.0, 12.0, 1.0]
NAMES = ["requests", "tokens"]

_names = count()


def charge(name: str, cost: float, limit: float, burst: float) -> Charge:
    return Charge(name, cost, limit, MINUTE, burst)


@dataclass
class Definition:
    """Admits a call when no window up to now then holds more than is allowed in one so long."""

    limit: float
    burst: float
    admitted: list[tuple[int, Fraction]] = field(default_factory=list)

    def allows(self, now: int, cost: float) -> bool:
        most = Fraction(max(self.burst, cost))
        newest_first = [(now, Fraction(cost)), *reversed(self.admitted)]
        sums = accumulate(one for _, one in newest_first)
        return all(
            total <= most + Fraction(self.limit) * (now - begin) / MINUTE
            for total, (begin, _) in zip(sums, newest_first, strict=True)
        )


class RedisMeter:
    """The scripts, at moments of our choice."""

    def __init__(self, client: "redis.Redis") -> None:
        key = f"meter:{next(_names)}"
        self._keys = [f"{key}:state", f"{key}:slots"]
        self._admit = client.register_script(scripts.ADMIT)
        self._note = client.register_script(scripts.NOTE)

    def admit(self, charges: list[Charge], *, now: float) -> tuple[int, str]:
        arguments: list[Any] = [now, "", 0, 0, 0]
        for one in charges:
            arguments += [one.dimension, one.cost, one.limit, one.period, one.burst]
        wait, reason = self._admit(self._keys, arguments)
        return wait, reason.decode()

    def note(self, notes: list[Note], *, now: float) -> None:
        arguments: list[Any] = [now]
        for one in notes:
            arguments += [one.dimension, one.pause, one.limit, one.limit_life]
        self._note(self._keys[:1], arguments)


steps = st.integers(0, 3 * SECOND)
costs = st.integers(1, 5).map(float)
rates = st.tuples(st.sampled_from(LIMITS), st.integers(1, 4).map(float))
notes = st.builds(
    Note,
    st.sampled_from([*NAMES, PAUSE]),
    pause=st.sampled_from([0.0, 1.0 * SECOND, 2.5 * SECOND]),
    limit=st.sampled_from([0.0, *LIMITS]),
    limit_life=st.just(4.0 * SECOND),
)


@given(rate=rates, calls=st.lists(st.tuples(steps, costs), max_size=40))
def test_a_call_is_admitted_when_no_window_holds_more_than_is_allowed(
    rate: tuple[float, float], calls: list[tuple[int, float]]
) -> None:
    definition, meter = Definition(*rate), Meter()
    answers, wanted = [], []
    now = 0

    for step, cost in calls:
        now += step
        wanted.append(definition.allows(now, cost))
        answers.append(meter.admit([charge("requests", cost, *rate)], now=now) == (0, ""))
        if wanted[-1]:
            definition.admitted.append((now, Fraction(cost)))

    assert answers == wanted


@given(rate=rates, calls=st.lists(st.tuples(steps, costs), min_size=1, max_size=40))
def test_who_waits_as_told_is_admitted_and_not_a_microsecond_earlier(
    rate: tuple[float, float], calls: list[tuple[int, float]]
) -> None:
    meter = Meter()
    now = 0
    for step, cost in calls:
        now += step
        meter.admit([charge("requests", cost, *rate)], now=now)
    last = [charge("requests", 2, *rate)]
    wait, _ = Meter(dict(meter.state)).admit(last, now=now)
    wait = math.ceil(wait)

    assert Meter(dict(meter.state)).admit(last, now=now + wait) == (0, "")
    assert wait == 0 or Meter(dict(meter.state)).admit(last, now=now + wait - 1) != (0, "")


@given(
    rates=st.tuples(rates, rates),
    events=st.lists(
        st.tuples(steps, st.tuples(st.integers(0, 5), st.integers(0, 5)) | notes), max_size=20
    ),
)
def test_redis_and_python_answer_alike(
    redis_connection: "redis.Redis",
    rates: tuple[tuple[float, float], tuple[float, float]],
    events: list[tuple[int, tuple[int, int] | Note]],
) -> None:
    here, there = Meter(), RedisMeter(redis_connection)
    mine, theirs = [], []
    now = 1_700_000_000 * SECOND

    for step, event in events:
        now += step
        if isinstance(event, Note):
            here.note([event], now=now)
            there.note([event], now=now)
        else:
            charges = [
                charge(name, cost, *rate)
                for name, cost, rate in zip(NAMES, event, rates, strict=True)
                if cost
            ]
            wait, reason = here.admit(charges, now=now)
            mine.append((math.ceil(wait), reason))
            theirs.append(there.admit(charges, now=now))

    assert mine == theirs


def test_who_has_a_share_has_that_part_of_rate_and_burst() -> None:
    meter, one = Meter(), charge("requests", 1, 600, 10)

    taken = [meter.admit([one], now=0, share=5) for _ in range(3)]

    assert taken == [(0, ""), (0, ""), (0.5 * SECOND, "requests")]


def test_a_share_is_never_less_than_one_call_now_and_then() -> None:
    meter, one = Meter(), charge("requests", 1, 6, 1)

    taken = [meter.admit([one], now=0, share=1000) for _ in range(2)]

    assert taken == [(0, ""), (pytest.approx(10_000 * SECOND), "requests")]
