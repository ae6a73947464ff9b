"""What is known of each speech engine from the work it has done."""

from django.db import models

from processing.managers.engine import EngineManager


class Engine(models.Model):
    """An engine's record: how fast it is, and what it failed at last.

    ``real_time_factor`` is seconds of its work for a second of audio, where the last runs weigh
    most; None before the first. The counts are of chunks; ``audio_seconds`` and
    ``busy_seconds`` are sums over those that it heard.
    """

    name = models.CharField(max_length=50, primary_key=True)
    real_time_factor = models.FloatField(null=True, blank=True)
    audio_seconds = models.FloatField(default=0.0)
    busy_seconds = models.FloatField(default=0.0)
    heard_count = models.BigIntegerField(default=0)
    failed_count = models.BigIntegerField(default=0)
    error_code = models.CharField(max_length=50, blank=True)
    error_message = models.TextField(blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    heard_at = models.DateTimeField(null=True, blank=True)

    objects = EngineManager()

    class Meta:
        db_table = "engines"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
