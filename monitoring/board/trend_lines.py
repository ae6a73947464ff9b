"""How things went over the last hour and day, drawn once for each minute that was sampled.

Reading a day takes longer than all else on the Board together, and drawing as long: each process
remembers what it drew last, and the day it read last for ten minutes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from django.utils import timezone

from caching.choices import CacheLevel
from monitoring import catalogue
from monitoring.catalogue import DEFINITIONS, Unit
from monitoring.charts import sparkline
from monitoring.figures import figure
from monitoring.managers import minute_of
from monitoring.models import Metric
from monitoring.trends import DAY, HOUR, Trend, Trends, trends

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta

    from django.utils.safestring import SafeString

#: What is shown, by section: the title of a line, and how it is read.
LINES: Mapping[str, Mapping[str, Callable[[Trends], Trend]]] = {
    "queues": {
        "Ready": lambda read: read.of(catalogue.QUEUE_READY),
        "Completed a minute": lambda read: read.of(catalogue.QUEUE_COMPLETED),
    },
    "workers": {"Alive": lambda read: read.of(catalogue.WORKERS_LIVE)},
    "recordings": {"In progress": lambda read: read.of(catalogue.RECORDINGS_IN_PROGRESS)},
    "failures": {"Failed a minute": lambda read: read.of(catalogue.QUEUE_FAILED)},
    "engines": {
        "Audio, in times real time": lambda read: read.of(catalogue.AUDIO_TRANSCRIBED, as_rate=True)
    },
    "database": {"Connections": lambda read: read.of(catalogue.DATABASE_CONNECTIONS)},
    "storage": {"Free": lambda read: read.of(catalogue.MEDIA_FREE)},
}
#: What is read for them, and for the levels of the cache.
NAMES = (
    catalogue.QUEUE_READY,
    catalogue.QUEUE_COMPLETED,
    catalogue.QUEUE_FAILED,
    catalogue.WORKERS_LIVE,
    catalogue.RECORDINGS_IN_PROGRESS,
    catalogue.AUDIO_TRANSCRIBED,
    catalogue.DATABASE_CONNECTIONS,
    catalogue.MEDIA_FREE,
    catalogue.CACHE_HITS,
    catalogue.CACHE_MISSES,
)


@dataclass(frozen=True)
class TrendLine:
    """One figure: what it is now, and how it went."""

    title: str
    latest: str
    hour: SafeString
    day: SafeString


@dataclass(frozen=True)
class QueueTrend:
    """What samples say of one queue: work completed in the last whole minute, the wait of nearly
    all of it, and how much was ready over the last hour."""

    completed: str
    wait_p95: str
    ready: SafeString


@dataclass(frozen=True)
class TrendLines:
    """All that is drawn; ``sampled_at`` is the last minute that was sampled, None before."""

    sections: Mapping[str, Sequence[TrendLine]] = field(default_factory=dict)
    queues: Mapping[str, QueueTrend] = field(default_factory=dict)
    cache_levels: Mapping[str, TrendLine] = field(default_factory=dict)
    sampled_at: datetime | None = None

    @property
    def age(self) -> timedelta | None:
        """How long ago the last sample was taken; None where there is none."""
        return None if self.sampled_at is None else timezone.now() - self.sampled_at


def trend_lines() -> TrendLines:
    """Return how things went; once this minute was drawn, with one query of one row."""
    latest = Metric.objects.order_by("-pk").values_list("pk", "time").first()
    return TrendLines() if latest is None else _drawn(*latest, minute_of(timezone.now()))


@lru_cache(maxsize=2)
def _drawn(pk: int, sampled_at: datetime, minute: datetime) -> TrendLines:
    """Draw what is known up to a sample in a minute."""
    of_queues = (catalogue.QUEUE_WAIT_P95,)
    hour, day = trends((*NAMES, *of_queues), HOUR), _last_day(minute)
    return TrendLines(
        sections={
            section: [_line(title, read(hour), read(day)) for title, read in lines.items()]
            for section, lines in LINES.items()
        },
        queues={
            name: QueueTrend(
                completed=figure(hour.of(catalogue.QUEUE_COMPLETED, {"queue": name}).latest),
                wait_p95=_wait(hour.of(catalogue.QUEUE_WAIT_P95, {"queue": name})),
                ready=sparkline(ready, label=f"{name}, ready in the last hour"),
            )
            for name, ready in hour.by(catalogue.QUEUE_READY).items()
        },
        cache_levels={
            level: _line(f"Hit ratio of {level}", _hits(hour, level), _hits(day, level))
            for level in CacheLevel
        },
        sampled_at=sampled_at,
    )


def _last_day(minute: datetime) -> Trends:
    first = Metric.objects.order_by("pk").values_list("pk", flat=True).first() or 0
    return _day_read(first, minute.replace(minute=minute.minute // 10 * 10))


@lru_cache(maxsize=2)
def _day_read(first_pk: int, ten_minutes: datetime) -> Trends:
    """Read the last day, told by ten minutes, of the samples from ``first_pk`` on."""
    return trends(NAMES, DAY)


def _line(title: str, hour: Trend, day: Trend) -> TrendLine:
    unit = Unit.COUNT if hour.unit is Unit.PER_SECOND else hour.unit
    return TrendLine(
        title=title,
        latest=figure(hour.latest, unit),
        hour=sparkline(hour, label=f"{title}, last hour", unit=unit),
        day=sparkline(day, label=f"{title}, last day", unit=unit),
    )


def _wait(trend: Trend) -> str:
    """Return the last wait of the hour: most minutes nothing ends on most queues."""
    values = trend.values
    unit = DEFINITIONS[catalogue.QUEUE_WAIT_P95].unit
    return figure(values[-1] if values else None, unit)


def _hits(read: Trends, level: str) -> Trend:
    return read.share(catalogue.CACHE_HITS, catalogue.CACHE_MISSES, {"level": level})
