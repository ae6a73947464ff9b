"""The repository of transcripts."""

from __future__ import annotations

from typing import Self

from django.db import models


class TranscriptQuerySet(models.QuerySet["Transcript"]):
    def without_content(self) -> Self:
        """Leave out what grows with the recording, for lists."""
        return self.defer("text", "segments", "gaps")

    def with_runs(self) -> Self:
        """Fetch recordings and processings along, in a constant number of queries."""
        return self.select_related("recording__workspace").prefetch_related("processings")


TranscriptManager = models.Manager.from_queryset(TranscriptQuerySet)
