"""The repository of samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import connections, models
from django.utils import timezone

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitoring.models import Metric  # noqa: F401  named in a string

MINUTE = timedelta(minutes=1)

#: Rows that one statement of a purge deletes.
PURGE_BATCH = 10_000


@dataclass(frozen=True)
class Sample:
    """One value of one series."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def minute_of(moment: datetime) -> datetime:
    """Return the minute that ``moment`` is in."""
    return moment.replace(second=0, microsecond=0)


class MetricQuerySet(models.QuerySet["Metric"]):
    def record_minute(self, minute: datetime, samples: Iterable[Sample]) -> int:
        """Store what was sampled in a minute; return how many of them were stored by this call.

        A series keeps the first value of a minute, however many samplers there are.
        """
        rows = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples
        }
        columns: list[list[Any]] = [
            [name for name, _ in rows],
            [connections[self.db].ops.adapt_json_value(dict(labels), None) for _, labels in rows],
            [float(value) for value in rows.values()],
        ]
        with connections[self.db].cursor() as cursor:
            cursor.execute(RECORD, [minute_of(minute), *columns])
            return int(cursor.rowcount)

    def named(self, names: Iterable[str]) -> Self:
        return self.filter(name__in=list(names))

    def within(self, start: datetime, end: datetime) -> Self:
        """Samples of the minutes in ``[start, end)``."""
        return self.filter(time__gte=start, time__lt=end)

    def purge(self, *, older_than: timedelta) -> int:
        """Delete samples of longer ago than ``older_than``, in batches; return how many."""
        old = self.filter(time__lt=timezone.now() - older_than)
        count = 0
        while ids := list(old.values_list("pk", flat=True)[:PURGE_BATCH]):
            count += self.filter(pk__in=ids).delete()[0]
        return count


#: One row for each name, labels and value; an array each.
RECORD = """
INSERT INTO metrics (name, labels, time, value)
SELECT name, labels, %s, value FROM unnest(%s::text[], %s::jsonb[], %s::float8[])
    AS row (name, labels, value)
ON CONFLICT DO NOTHING
"""

MetricManager = models.Manager.from_queryset(MetricQuerySet)
