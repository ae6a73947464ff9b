"""How far a run is, in the words of those who wait for it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

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
        return cls.of_all([processing])[0]

    @classmethod
    def of_all(cls, processings: Sequence[ProcessingTask]) -> list["Progress"]:
        """Return how far each is, with one query for all of them at most."""
        reused = _reused_seconds([run.pk for run in processings if _is_under_way(run)])
        return [
            cls(
                run.done_seconds,
                run.total_seconds,
                run.completed_chunks + run.failed_chunks,
                run.total_chunks,
                _eta_seconds(run, reused.get(run.pk, 0.0)),
            )
            for run in processings
        ]

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


def _is_under_way(processing: ProcessingTask) -> bool:
    """Whether some of it is done, and some is known to be left."""
    total = processing.total_seconds or 0.0
    has_begun = processing.is_active and processing.started_at is not None
    return has_begun and 0 < processing.done_seconds < total


def _eta_seconds(processing: ProcessingTask, reused_seconds: float) -> float | None:
    done, total = processing.done_seconds, processing.total_seconds
    if not (processing.is_active and processing.started_at and done and total):
        return None
    if done >= total:
        return 0.0
    heard = done - reused_seconds
    passed = (timezone.now() - processing.started_at).total_seconds()
    return (total - done) * max(passed, 0.0) / heard if heard > 0 else None


def _reused_seconds(ids: Collection[UUID]) -> dict[UUID, float]:
    """Return how much audio of each run was answered without its engine, where any was."""
    if not ids:
        return {}
    reused = ChunkTask.objects.completed().filter(processing__in=ids, is_reused=True)
    length = F("core_end_sample") - F("core_start_sample")
    sums = reused.order_by().values_list("processing").annotate(samples=Sum(length))
    return {pk: samples / SAMPLE_RATE for pk, samples in sums}
