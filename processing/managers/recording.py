"""The repository of recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models.functions import Coalesce, Now

from processing.managers.naming import is_named

if TYPE_CHECKING:
    from datetime import timedelta
    from uuid import UUID

    from processing.models import Recording, Workspace


class RecordingQuerySet(models.QuerySet["Recording"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def with_transcripts(self) -> Self:
        """Fetch transcripts (without their content) and runs, in a constant number of queries."""
        from processing.models import Transcript  # noqa: PLC0415  it imports this module

        transcripts = Transcript.objects.without_content().prefetch_related("processings")
        return self.prefetch_related(models.Prefetch("transcripts", transcripts))

    def older_than(self, span: timedelta) -> Self:
        return self.filter(created_at__lt=Now() - span)

    def at_rest(self) -> Self:
        """Those that nobody is transcribing, or waits to."""
        from processing.models import ProcessingTask  # noqa: PLC0415  it imports this module

        runs = ProcessingTask.objects.filter(transcript__recording=models.OuterRef("pk"))
        return self.filter(~models.Exists(runs.active()))

    def total_bytes(self) -> int:
        """Return the size of these files together."""
        total: int = self.aggregate(total=Coalesce(models.Sum("size_bytes"), 0))["total"]
        return total

    def locked(self, pk: UUID) -> Recording | None:
        """Return a recording that nobody deletes until the transaction ends; None if it is gone."""
        return self.select_for_update(no_key=True).filter(pk=pk).first()

    def named(self, text: str) -> Self:
        """Recordings whose name has all words of ``text``; of ``beg*`` the beginning."""
        return self.filter(is_named("name", text))

    def with_content(self, sha256: str) -> Self:
        return self.filter(sha256=sha256)


RecordingManager = models.Manager.from_queryset(RecordingQuerySet)
