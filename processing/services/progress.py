"""How far a run is, in the words of those who wait for it."""

from dataclasses import dataclass

from django.db.models import F, Sum
from django.utils import timezone

from processing.engines.base import SAMPLE_RATE
from processing.models import ChunkTask, ProcessingTask


@dataclass(frozen=True)
class Progress:
    """Seconds of audio done and in all (None while not known), and chunks settled and cut.

    ``eta_seconds`` is how long the rest takes if it goes on as fast as engines have been since the
    run started; what was known from before tells nothing of that. None while nothing else is
    done, while nobody knows how much there is, and once it is over.
    """

    done_seconds: float
    total_seconds: float | None
    settled_chunks: int
    chunk_count: int | None
    eta_seconds: float | None = None

    @classmethod
    def of(cls, processing: ProcessingTask) -> "Progress":
        return cls(
            processing.done_seconds,
            processing.total_seconds,
            processing.completed_chunks + processing.failed_chunks,
            processing.total_chunks,
            _eta_seconds(processing),
        )

    def __str__(self) -> str:
        """Return for example ``0:42 of 4:00, about 1:10 left``."""
        total = "?" if self.total_seconds is None else clock(self.total_seconds)
        progress = f"{clock(self.done_seconds)} of {total}"
        if self.eta_seconds is None or self.eta_seconds < 1:
            return progress
        return f"{progress}, about {clock(self.eta_seconds)} left"


def clock(seconds: float) -> str:
    """Return ``m:ss``, or ``h:mm:ss`` from an hour on."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _eta_seconds(processing: ProcessingTask) -> float | None:
    done, total = processing.done_seconds, processing.total_seconds
    if not (processing.is_active and processing.started_at and done and total):
        return None
    if done >= total:
        return 0.0
    heard = done - _reused_seconds(processing)
    passed = (timezone.now() - processing.started_at).total_seconds()
    return (total - done) * max(passed, 0.0) / heard if heard > 0 else None


def _reused_seconds(processing: ProcessingTask) -> float:
    """Return how much audio of a run was answered without its engine."""
    reused = ChunkTask.objects.of(processing.pk).completed().filter(is_reused=True)
    length = F("core_end_sample") - F("core_start_sample")
    samples = reused.order_by().aggregate(samples=Sum(length))["samples"]
    return (samples or 0) / SAMPLE_RATE
