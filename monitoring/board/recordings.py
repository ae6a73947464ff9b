"""The recordings that are being transcribed, as far as they are the viewer's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import F
from django.urls import reverse

from processing.admin.presentation import shown_name
from processing.models import ProcessingTask
from processing.services.progress import Progress, clock

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from monitoring.board.viewer import Viewer

#: So many runs are shown, those that have begun before those that wait.
SHOWN = 8

#: So many that are not shown are counted.
COUNT_LIMIT = 1_000


@dataclass(frozen=True)
class RunFacts:
    """One run: ``share`` of its audio is done, 0 to 1; ``eta`` is empty while nobody knows."""

    id: UUID
    name: str
    address: str
    status: str
    share: float
    said: str
    eta: str
    began_at: datetime


@dataclass(frozen=True)
class RunningFacts:
    """The runs that are shown, and how many more there are, at least where that ``is_capped``."""

    runs: list[RunFacts]
    more_count: int
    is_capped: bool


def running_facts(viewer: Viewer) -> RunningFacts:
    """Describe the viewer's runs that are not over, in a constant number of queries."""
    own: Any = viewer.own(ProcessingTask.objects.with_recordings(), path="transcript__workspace")
    begun_first = (F("started_at").asc(nulls_last=True), "created_at", "id")
    shown = list(own.active().order_by(*begun_first)[:SHOWN])
    count = own.active().order_by().values("pk")[: COUNT_LIMIT + 1].count()
    return RunningFacts(
        runs=[
            RunFacts(
                id=run.pk,
                name=shown_name(run.transcript.recording),
                address=reverse("admin:processing_transcript_change", args=[run.transcript_id]),
                status=run.status,
                share=run.progress,
                said=str(Progress(far.done_seconds, far.total_seconds, 0, None)),
                eta="" if far.eta_seconds is None else clock(far.eta_seconds),
                began_at=run.started_at or run.created_at,
            )
            for run, far in zip(shown, Progress.of_all(shown), strict=True)
        ],
        more_count=max(0, min(count, COUNT_LIMIT) - len(shown)),
        is_capped=count > COUNT_LIMIT,
    )
