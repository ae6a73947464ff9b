"""Points of the last hour or day: what they add up to, and where there are none."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from monitoring import catalogue
from monitoring.catalogue import Unit
from monitoring.managers import MINUTE, Sample
from monitoring.models import Metric
from monitoring.trends import DAY, HOUR, Trend, trend, trends

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 10, 7, tzinfo=UTC)
READY, HITS, MISSES = catalogue.QUEUE_READY, catalogue.CACHE_HITS, catalogue.CACHE_MISSES


@pytest.fixture(autouse=True)
def _now() -> object:
    with time_machine.travel(NOW + timedelta(seconds=30), tick=False):
        yield


def record(name: str, values: dict[int, float], **labels: str) -> None:
    """Store values by how many minutes ago they were measured."""
    for minutes, value in values.items():
        Metric.objects.record_minute(NOW - minutes * MINUTE, [Sample(name, value, labels)])


def last(shown: Trend, count: int) -> list[float | None]:
    return [value for _, value in shown.points[-count:]]


def test_an_hour_has_a_point_for_each_minute_up_to_this_one() -> None:
    points = trend(READY).points

    assert len(points) == 60
    assert (points[0][0], points[-1][0]) == (NOW - 59 * MINUTE, NOW)


def test_a_day_has_a_point_for_each_ten_minutes() -> None:
    points = trend(READY, window=DAY).points

    assert len(points) == 144
    assert points[-1][0] == NOW - 7 * MINUTE


def test_no_data_is_none_and_not_nothing() -> None:
    record(READY, {3: 5, 1: 0}, queue="chunks")

    shown = trend(READY)

    assert last(shown, 4) == [5, None, 0, None]
    assert (shown.latest, shown.values) == (0, [5, 0])


def test_what_is_older_than_two_steps_is_not_the_latest() -> None:
    record(READY, {2: 5}, queue="chunks")

    assert trend(READY).latest is None


def test_queues_are_added_up_unless_one_is_named() -> None:
    record(READY, {0: 5}, queue="chunks")
    record(READY, {0: 2}, queue="maintenance")

    assert trend(READY).latest == 7
    assert trend(READY, labels={"queue": "chunks"}).latest == 5
    assert {name: one.latest for name, one in trends([READY]).by(READY).items()} == {
        "chunks": 5,
        "maintenance": 2,
    }


def test_of_ages_the_greatest_counts() -> None:
    age = catalogue.QUEUE_OLDEST_READY_AGE
    record(age, {0: 5}, queue="chunks")
    record(age, {0: 2}, queue="maintenance")

    shown = trend(age)

    assert (shown.latest, shown.unit) == (5, Unit.SECONDS)


@pytest.mark.parametrize(
    ("name", "value"),
    [(READY, 4.0), (catalogue.QUEUE_OLDEST_READY_AGE, 6.0)],
    ids=["average", "greatest"],
)
def test_a_bucket_is_the_average_or_the_greatest_of_its_minutes(name: str, value: float) -> None:
    record(name, {0: 2, 1: 6, 2: 4}, queue="chunks")

    assert trend(name, window=DAY).latest == value


def test_a_rate_is_growth_per_second_from_the_first_point_on() -> None:
    record(HITS, {minutes: 6_000 - 60 * minutes for minutes in range(61)}, level="L1")

    shown = trend(HITS, as_rate=True)

    assert [value for _, value in shown.points] == [1.0] * 60
    assert shown.unit == Unit.PER_SECOND


def test_a_counter_that_was_set_back_grew_from_nothing() -> None:
    record(HITS, {2: 1_000, 1: 30, 0: 90}, level="L1")

    assert last(trend(HITS, as_rate=True), 2) == [0.5, 1.0]


def test_a_rate_has_no_value_behind_a_gap() -> None:
    record(HITS, {3: 0, 1: 60, 0: 120}, level="L1")

    assert last(trend(HITS, as_rate=True), 3) == [None, None, 1.0]


def test_a_level_that_begins_later_adds_no_leap() -> None:
    record(HITS, {1: 1_000, 0: 1_060}, level="L1")
    record(HITS, {0: 5_000}, level="L2")

    assert trend(HITS, as_rate=True).latest == 1.0


def test_the_rate_of_a_day_is_told_by_the_last_value_of_each_bucket() -> None:
    record(HITS, {minutes: 6_000 - 60 * minutes for minutes in range(30)}, level="L1")

    assert last(trend(HITS, window=DAY, as_rate=True), 2) == [1.0, pytest.approx(0.8)]


def test_a_hit_ratio_is_the_share_of_two_rates() -> None:
    record(HITS, {2: 0, 1: 90, 0: 90}, level="L1")
    record(MISSES, {2: 0, 1: 30, 0: 30}, level="L1")

    shown = trends([HITS, MISSES]).share(HITS, MISSES)

    assert last(shown, 2) == [0.75, None]
    assert shown.unit == Unit.RATIO


def test_a_cache_that_never_missed_has_a_ratio() -> None:
    record(HITS, {1: 0, 0: 90}, level="L1")

    assert trends([HITS, MISSES]).share(HITS, MISSES, {"level": "L1"}).latest == 1.0


def test_all_series_of_a_window_are_read_by_one_query() -> None:
    record(READY, {0: 5}, queue="chunks")
    record(HITS, {0: 5}, level="L1")

    with CaptureQueriesContext(connection) as queries:
        read = trends(catalogue.DEFINITIONS, HOUR)
        latest = (read.of(READY).latest, read.of(HITS).latest)

    assert (latest, len(queries)) == ((5, 5), 1)
