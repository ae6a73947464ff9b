"""The repository of processings: their queries and every change of their status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from processing.choices import ACTIVE, TRANSITIONS
from processing.managers.transcript import CONTENT

if TYPE_CHECKING:
    from uuid import UUID

    from processing.models import ProcessingTask, Recording, Transcript  # noqa: F401  named in string annotations


class ProcessingTaskQuerySet(models.QuerySet["ProcessingTask"]):
    """Each transition is one guarded UPDATE; what it returns says whether it happened."""

    def active(self) -> Self:
        return self.filter(status__in=ACTIVE)

    def for_transcript(self, transcript: Transcript) -> Self:
        return self.filter(transcript=transcript)

    def of_recording(self, recording: Recording) -> Self:
        return self.filter(transcript__recording=recording)

    def with_recordings(self) -> Self:
        """Fetch transcript and recording along, without the transcript's content."""
        return self.select_related("transcript__recording").defer(
            *(f"transcript__{name}" for name in CONTENT)
        )

    def split(self, pk: UUID, *, chunk_seconds: float) -> bool:
        """Begin to cut; a planner run again keeps the chunk length of the first."""
        return self._transition(
            "split",
            pk,
            chunk_seconds=Coalesce(F("chunk_seconds"), chunk_seconds),
            started_at=Coalesce(F("started_at"), Now()),
        )

    def chunk_seconds_of(self, recording: Recording, engine: str) -> float | None:
        """Return how the last run that got anywhere was cut, so that its chunks serve again."""
        runs = self.of_recording(recording).filter(
            transcript__engine=engine, chunk_seconds__isnull=False, completed_chunks__gt=0
        )
        return runs.order_by("-created_at").values_list("chunk_seconds", flat=True).first()

    def process(self, pk: UUID, *, total_chunks: int, total_samples: int) -> bool:
        """Record that cutting is over and how much there is."""
        return self._transition(
            "process", pk, total_chunks=total_chunks, total_samples=total_samples
        )

    def count_settled(self, pk: UUID, *, samples: int, failed: bool) -> None:
        """Count one more chunk of ``samples`` as settled, unless the run is over."""
        field = "failed_chunks" if failed else "completed_chunks"
        self.active().filter(pk=pk).update(
            **{field: F(field) + 1}, done_samples=F("done_samples") + samples
        )

    def elect_merger(self, pk: UUID) -> bool:
        """True for exactly one caller: the one that finds all chunks settled."""
        settled = F("completed_chunks") + F("failed_chunks")
        return self.filter(total_chunks=settled)._transition("merge", pk)

    def finish(self, pk: UUID, *, is_partial: bool) -> bool:
        event = "complete_partially" if is_partial else "complete"
        return self._transition(event, pk, completed_at=Now())

    def fail(self, pk: UUID, *, code: str, message: str) -> bool:
        return self._transition(
            "fail", pk, completed_at=Now(), error_code=code, error_message=message
        )

    def cancel(self, pk: UUID) -> bool:
        return self._transition("cancel", pk, completed_at=Now())

    def _transition(self, event: str, pk: UUID, **changes: Any) -> bool:
        sources, target = TRANSITIONS[event]
        rows = self.filter(pk=pk, status__in=sources)
        return rows.update(status=target, **changes) == 1


ProcessingTaskManager = models.Manager.from_queryset(ProcessingTaskQuerySet)
