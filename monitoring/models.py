"""What was measured, minute by minute."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from monitoring.managers import MetricManager


class Metric(models.Model):
    """One value of one series in one minute; a series is a name with its labels.

    Names, kinds and units are in ``monitoring.catalogue``. A minute that has no row was not
    sampled, or there was nothing to measure.
    """

    name = models.CharField(max_length=100)
    labels = models.JSONField(default=dict, blank=True)
    time = models.DateTimeField()
    value = models.FloatField()

    objects = MetricManager()

    class Meta:
        db_table = "metrics"
        constraints = [
            models.UniqueConstraint(
                name="metric_one_value_per_minute", fields=["name", "labels", "time"]
            ),
        ]
        indexes = [
            # all that a chart reads: the table itself is not looked at
            models.Index("name", "time", name="metric_series_idx", include=["labels", "value"]),
            BrinIndex("time", name="metric_age_idx", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.labels} at {self.time:%Y-%m-%d %H:%M}"
