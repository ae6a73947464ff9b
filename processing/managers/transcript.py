"""The repository of transcripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import F, Func, JSONField, Value

if TYPE_CHECKING:
    from uuid import UUID

    from processing.models import Recording, Transcript, Workspace  # noqa: F401  in strings

#: What grows with the recording.
CONTENT = ("text", "segments", "gaps", "seams")

#: Which of each, in PostgreSQL's paths: by index, and by when they are.
PARTS = {
    "segments": "$[$first to $last]",
    "gaps": "$[*] ? (@.start >= $from && @.start < $to)",
    "seams": "$[*] ? (@.at >= $from && @.at < $to)",
}

#: Later than any recording ends, in seconds: JSON has no infinity.
LATEST_SECONDS = 1e9


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

    def part(
        self, pk: UUID, *, segments: tuple[int, int], seconds: tuple[float, float]
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the ``segments`` of a range, and the ``gaps`` and ``seams`` of a span of time.

        Both are without their end. What there is besides never leaves the database.
        """
        (first, last), (start, end) = segments, seconds
        names = {"first": first, "last": last - 1, "from": start, "to": min(end, LATEST_SECONDS)}
        parts = (
            Func(
                F(name),
                Value(path),
                Value(names, JSONField()),
                function="jsonb_path_query_array",
                output_field=JSONField(),
            )
            for name, path in PARTS.items()
        )
        found = self.filter(pk=pk).values_list(*parts).get()
        return dict(zip(PARTS, found, strict=True))

    def with_runs(self) -> Self:
        """Fetch recordings and processings along, in a constant number of queries."""
        return self.select_related("recording__workspace").prefetch_related("processings")


TranscriptManager = models.Manager.from_queryset(TranscriptQuerySet)
