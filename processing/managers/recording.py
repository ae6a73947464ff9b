"""The repository of recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from processing.models import Recording, Workspace  # noqa: F401  named in a string


class RecordingQuerySet(models.QuerySet["Recording"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def with_transcripts(self) -> Self:
        """Fetch transcripts (without their content) and runs, in a constant number of queries."""
        from processing.models import Transcript  # noqa: PLC0415  it imports this module

        transcripts = Transcript.objects.without_content().prefetch_related("processings")
        return self.prefetch_related(models.Prefetch("transcripts", transcripts))

    def with_content(self, sha256: str) -> Self:
        return self.filter(sha256=sha256)


RecordingManager = models.Manager.from_queryset(RecordingQuerySet)
