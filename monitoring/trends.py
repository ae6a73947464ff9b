"""How metrics went: their points over the last hour or day, for charts.

    read = trends([QUEUE_READY, CACHE_HITS, CACHE_MISSES], HOUR)      # one query
    read.of(QUEUE_READY)                       # all queues together
    read.of(QUEUE_READY, {"queue": "chunks"})  # one of them
    read.of(CACHE_HITS, as_rate=True)          # per second
    read.share(CACHE_HITS, CACHE_MISSES)       # hit ratio: 0 to 1
    read.by(QUEUE_READY)                       # {"chunks": Trend, "maintenance": Trend, ...}

There is a point for each step of the window, oldest first. Where nothing was measured its value
is None, never 0.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils import timezone

from monitoring.catalogue import DEFINITIONS, Definition, Fold, Kind, Unit
from monitoring.managers import MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

#: The most points that a trend has; a longer window is cut into buckets.
MAX_POINTS = 144

#: The lengths that buckets may have.
STEPS = (MINUTE, 5 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY)

#: A value is the latest one for so many steps.
LATEST_STEPS = 2

Point = tuple[datetime, float | None]


@dataclass(frozen=True)
class Trend:
    """Points ``step`` apart, oldest first; ``unit`` is that of their values."""

    points: list[Point]
    unit: Unit = Unit.COUNT
    step: timedelta = MINUTE

    @property
    def latest(self) -> float | None:
        """The value of the last two steps; None when neither has one."""
        values = [value for _, value in self.points[-LATEST_STEPS:] if value is not None]
        return values[-1] if values else None

    @property
    def values(self) -> list[float]:
        """The values that there are."""
        return [value for _, value in self.points if value is not None]


@dataclass(frozen=True)
class _Series:
    labels: Mapping[str, str]
    values: Mapping[datetime, float]


class Trends:
    """All series of some metrics over one window, as they were read by one query."""

    def __init__(
        self, times: Sequence[datetime], step: timedelta, series: Mapping[str, list[_Series]]
    ) -> None:
        self.times, self.step, self._series = times, step, series

    def of(
        self, name: str, labels: Mapping[str, str] | None = None, *, as_rate: bool = False
    ) -> Trend:
        """Return the trend of a metric: of the series that have these labels, folded into one.

        ``as_rate`` is what a counter grew by per second; one that was set back grew from 0.
        """
        wanted = (labels or {}).items()
        found = [one.values for one in self._series.get(name, []) if wanted <= one.labels.items()]
        fold = FOLDS[DEFINITIONS[name].across]
        if as_rate:
            rates = [self._rates(values) for values in found]
            return self._trend(Unit.PER_SECOND, lambda time: _folded(rates, time, fold))
        return self._trend(DEFINITIONS[name].unit, lambda time: _folded(found, time, fold))

    def by(self, name: str, *, as_rate: bool = False) -> dict[str, Trend]:
        """Return the trend of each value that the metric's label has, in their order."""
        label = DEFINITIONS[name].label
        values = sorted({one.labels.get(label, "") for one in self._series.get(name, [])})
        return {value: self.of(name, {label: value}, as_rate=as_rate) for value in values}

    def share(self, part: str, rest: str, labels: Mapping[str, str] | None = None) -> Trend:
        """Return what part of two counters' growth is that of the first, 0 to 1.

        None where neither grew: a cache that nobody asked has no hit ratio.
        """
        parts, rests = (dict(self.of(name, labels, as_rate=True).points) for name in (part, rest))

        def ratio(time: datetime) -> float | None:
            one, other = parts[time], rests[time]
            total = (one or 0.0) + (other or 0.0)
            return (one or 0.0) / total if total else None

        return self._trend(Unit.RATIO, ratio)

    def _trend(self, unit: Unit, value_at: Callable[[datetime], float | None]) -> Trend:
        return Trend([(time, value_at(time)) for time in self.times], unit, self.step)

    def _rates(self, values: Mapping[datetime, float]) -> dict[datetime, float]:
        rates = {}
        for time in self.times:
            now, before = values.get(time), values.get(time - self.step)
            if now is not None and before is not None:
                grown = now - before if now >= before else now
                rates[time] = grown / self.step.total_seconds()
        return rates


FOLDS: Mapping[Fold, Callable[[Sequence[float]], float]] = {
    Fold.SUM: sum,
    Fold.MAX: max,
    Fold.AVERAGE: lambda values: sum(values) / len(values),
}


def trend(
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    window: timedelta = HOUR,
    as_rate: bool = False,
) -> Trend:
    """Return how one metric went; several at once are cheaper by ``trends``."""
    return trends([name], window).of(name, labels, as_rate=as_rate)


def trends(names: Iterable[str], window: timedelta = HOUR) -> Trends:
    """Read all series of ``names`` over the last ``window``, up to this minute, by one query.

    An hour is told by the minute, a day by ten minutes: what several minutes are together is up
    to the metric's definition, and of a counter the last.
    """
    step = next((step for step in STEPS if window / step <= MAX_POINTS), STEPS[-1])
    last = _floor(timezone.now(), step)
    times = [last - step * back for back in reversed(range(max(round(window / step), 1)))]
    names = list(names)
    of_peaks = [name for name in names if _is_peak(DEFINITIONS[name])]
    values: defaultdict[str, defaultdict[str, dict[datetime, float]]]
    values = defaultdict(lambda: defaultdict(dict))
    with connection.cursor() as cursor:
        # one step more than is shown: the first rate needs the value before it
        parameters: list[Any] = [of_peaks, step, EPOCH, names, times[0] - step]
        cursor.execute(READ, parameters)
        for name, labels, time, value in cursor.fetchall():
            values[name][labels][time] = value
    return Trends(
        times,
        step,
        {
            name: [_Series(json.loads(labels), found) for labels, found in series.items()]
            for name, series in values.items()
        },
    )


def _folded(
    series: Iterable[Mapping[datetime, float]],
    time: datetime,
    fold: Callable[[Sequence[float]], float],
) -> float | None:
    values = [values[time] for values in series if time in values]
    return fold(values) if values else None


def _is_peak(definition: Definition) -> bool:
    return definition.kind is Kind.COUNTER or definition.over is Fold.MAX


def _floor(moment: datetime, step: timedelta) -> datetime:
    return moment - (moment - EPOCH) % step


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

READ = """
SELECT name, labels::text, bucket, CASE WHEN name = ANY(%s) THEN highest ELSE average END
FROM (
    SELECT name, labels, date_bin(%s, time, %s) AS bucket, max(value) AS highest,
        avg(value) AS average
    FROM metrics
    WHERE name = ANY(%s) AND time >= %s
    GROUP BY name, labels, bucket
) AS buckets
"""
