"""How far a run is, in the words of those who wait for it."""

from dataclasses import dataclass

from django.utils import timezone

from processing.models import ProcessingTask


@dataclass(frozen=True)
class Progress:
    """Seconds of audio done and in all (None while not known), and chunks settled and cut.

    ``eta_seconds`` is how long the rest takes if it goes on as it went since the run started;
    None while nothing is done, while nobody knows how much there is, and once it is over.
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
    passed = (timezone.now() - processing.started_at).total_seconds()
    return max(total - done, 0.0) * max(passed, 0.0) / done
