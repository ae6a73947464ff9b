"""The repository of engines' records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, Value
from django.db.models.functions import Coalesce, Now

if TYPE_CHECKING:
    from processing.models import Engine  # noqa: F401  named in a string

#: How much the latest run weighs in the mean of an engine's speed.
LATEST_SHARE = 0.3


class EngineQuerySet(models.QuerySet["Engine"]):
    def real_time_factor(self, name: str) -> float | None:
        """Return seconds of work for a second of audio, None while nobody knows."""
        return self.filter(name=name).values_list("real_time_factor", flat=True).first()

    def record_run(
        self, name: str, *, chunk_count: int, audio_seconds: float, busy_seconds: float
    ) -> None:
        """Add what an engine heard in one run."""
        if not audio_seconds:
            return
        latest = busy_seconds / audio_seconds
        self._row(name).update(
            heard_count=F("heard_count") + chunk_count,
            audio_seconds=F("audio_seconds") + audio_seconds,
            busy_seconds=F("busy_seconds") + busy_seconds,
            real_time_factor=Value(LATEST_SHARE * latest)
            + (1 - LATEST_SHARE) * Coalesce(F("real_time_factor"), Value(latest)),
            heard_at=Now(),
        )

    def record_failure(self, name: str, *, code: str, message: str) -> None:
        """Add a chunk that an engine was not able to hear."""
        self._row(name).update(
            failed_count=F("failed_count") + 1,
            error_code=code,
            error_message=message,
            failed_at=Now(),
        )

    def _row(self, name: str) -> EngineQuerySet:
        self.bulk_create([self.model(name=name)], ignore_conflicts=True)
        return self.filter(name=name)


EngineManager = models.Manager.from_queryset(EngineQuerySet)
