"""The repository of transcripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from processing.models import Recording, Transcript, Workspace  # noqa: F401  in strings

#: What grows with the recording.
CONTENT = ("text", "segments", "gaps", "seams")


class TranscriptQuerySet(models.QuerySet["Transcript"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def of_recording(self, recording: Recording) -> Self:
        return self.filter(recording=recording)

    def without_document(self) -> Self:
        """Those that can be read, and were before there were documents."""
        return self.filter(duration_seconds__isnull=False, document__isnull=True)

    def without_content(self) -> Self:
        """Leave out what grows with the recording, for lists."""
        return self.defer(*CONTENT)

    def with_runs(self) -> Self:
        """Fetch recordings and processings along, in a constant number of queries."""
        return self.select_related("recording__workspace").prefetch_related("processings")


TranscriptManager = models.Manager.from_queryset(TranscriptQuerySet)
