"""The repository of chunk tasks; claim, retry and rescue come from ``jobs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

from jobs.choices import JobStatus
from jobs.managers.work import WorkQuerySet

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
        return self.defer("result")

    def with_recordings(self) -> Self:
        """Fetch run, transcript and recording along, without the transcript's content."""
        transcript = "processing__transcript"
        return self.select_related(f"{transcript}__recording").defer(
            *(f"{transcript}__{field}" for field in ("text", "segments", "gaps"))
        )

    def in_order(self) -> Self:
        return self.order_by("index")

    def completed(self) -> Self:
        return self.filter(status=JobStatus.COMPLETED)

    def failed(self) -> Self:
        return self.filter(status=JobStatus.FAILED)

    def heard_before(self, *, cache_key: str, workspace_id: UUID) -> ChunkTask | None:
        """Return a chunk of the workspace with this very audio and request, if one is done."""
        same = self.completed().filter(
            cache_key=cache_key, processing__transcript__recording__workspace_id=workspace_id
        )
        return same.order_by("pk").first()


ChunkTaskManager = models.Manager.from_queryset(ChunkTaskQuerySet)
