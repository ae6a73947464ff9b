"""The repository of chunk tasks; claim, retry and rescue come from ``jobs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Count, F, Sum
from django.db.models.functions import Now

from jobs.choices import JobStatus
from jobs.managers.work import DEFAULT_MAX_ATTEMPTS, WorkQuerySet
from processing.engines.base import SAMPLE_RATE
from processing.managers.transcript import CONTENT

if TYPE_CHECKING:
    from uuid import UUID

    from processing.models import ChunkTask, Recording


class ChunkTaskQuerySet(WorkQuerySet["ChunkTask"]):
    def of(self, processing_id: UUID) -> Self:
        return self.filter(processing_id=processing_id)

    def of_recording(self, recording: Recording) -> Self:
        return self.filter(processing__transcript__recording=recording)

    def without_content(self) -> Self:
        """Leave out what grows with the chunk, for lists."""
        return self.defer("result", "loudness")

    def with_recordings(self) -> Self:
        """Fetch run, transcript and recording along, without the transcript's content."""
        transcript = "processing__transcript"
        return self.select_related(f"{transcript}__recording").defer(
            *(f"{transcript}__{name}" for name in CONTENT)
        )

    def in_order(self) -> Self:
        return self.order_by("index")

    def completed(self) -> Self:
        return self.filter(status=JobStatus.COMPLETED)

    def failed(self) -> Self:
        return self.filter(status=JobStatus.FAILED)

    def hand_on(self, chunk: ChunkTask, *, engine: str, queue_name: str, cache_key: str) -> bool:
        """Have another engine hear a chunk that failed, with as many attempts as the first."""
        changed = self._unfiltered()._transition(
            "requeue",
            [chunk.pk],
            engine=engine,
            queue_name=queue_name,
            cache_key=cache_key,
            available_at=Now(),
            max_attempts=F("attempt") + DEFAULT_MAX_ATTEMPTS,
            crash_count=0,
            worker=None,
            started_at=None,
            completed_at=None,
        )
        return changed == 1

    def language(self) -> str:
        """Return the language in which most of the chunks' audio was heard, "" for none."""
        samples = Sum(F("core_end_sample") - F("core_start_sample"))
        heard = self.completed().values("result__language").annotate(samples=samples)
        first = heard.order_by("-samples", "result__language").first()
        return "" if first is None else first["result__language"]

    def work_by_engine(self) -> dict[str, dict[str, Any]]:
        """Return what each engine did here, as ``Engine.objects.record_run`` takes it."""
        samples = Sum(F("end_sample") - F("start_sample"))
        work = self.filter(busy_seconds__isnull=False).order_by().values("engine")
        rows = work.annotate(count=Count("pk"), busy=Sum("busy_seconds"), samples=samples)
        return {
            row["engine"]: {
                "chunk_count": row["count"],
                "audio_seconds": row["samples"] / SAMPLE_RATE,
                "busy_seconds": row["busy"],
            }
            for row in rows
        }

    def heard_before(self, *, cache_key: str, workspace_id: UUID) -> ChunkTask | None:
        """Return a chunk of the workspace with this very audio and request, if one is done."""
        same = self.completed().filter(
            cache_key=cache_key, processing__transcript__recording__workspace_id=workspace_id
        )
        return same.order_by("pk").first()


ChunkTaskManager = models.Manager.from_queryset(ChunkTaskQuerySet)
