"""The repository of processings: their queries and every change of their status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import connections, models, transaction
from django.db.models import Avg, Case, Count, Exists, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Extract, Now

from jobs.choices import JobStatus
from jobs.exceptions import TooLarge
from jobs.managers.job import STATISTICS_WINDOW, Percentiles, Spread
from jobs.services.priority import PATIENCE, PriorityManager
from processing.choices import ACTIVE, READABLE, TERMINAL, TRANSITIONS, ProcessingStatus
from processing.engines.base import SAMPLE_RATE
from processing.managers.transcript import CONTENT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from processing.models import (
        ChunkTask,
        ProcessingTask,
        Recording,
        Transcript,
        Workspace,
    )


#: In SQL, because it is done for every chunk: the ORM takes ten times as long to say it.
COUNT_SETTLED = """
UPDATE processing_tasks
SET completed_chunks = completed_chunks + %s::integer,
    failed_chunks = failed_chunks + %s::integer,
    done_samples = done_samples + %s
WHERE id = %s AND status = ANY(%s)
RETURNING completed_chunks + failed_chunks = total_chunks
"""

#: A run of which nothing was cut, begun or settled for so long is stalled.
STALLED_AFTER = timedelta(minutes=15)


@dataclass(frozen=True)
class ProcessingStatistics:
    """How runs are doing.

    ``counts`` has every status: runs that are active now, and those that ended within the
    window. Of these, ``mean_seconds`` and ``duration`` say how long the ones with a transcript
    took from their first cut on, None where there are none; ``audio_seconds`` is what was
    settled in them, and ``throughput`` how much of it in each second of the window.
    """

    counts: dict[str, int]
    mean_seconds: float | None
    duration: Spread
    audio_seconds: float
    throughput: float


class ProcessingTaskQuerySet(models.QuerySet["ProcessingTask"]):
    """Each transition is one guarded UPDATE; what it returns says whether it happened."""

    def active(self) -> Self:
        return self.filter(status__in=ACTIVE)

    def begun(self) -> Self:
        """Active runs that do not wait for their turn any more."""
        return self.active().exclude(status=ProcessingStatus.PENDING)

    def due_before(self, processing: ProcessingTask) -> Self:
        """Runs that wait for their turn, and have it before this one does: by deadline."""
        patience = Case(*(When(priority=key, then=Value(span)) for key, span in PATIENCE.items()))
        due_by = PriorityManager().due_by(processing.created_at, processing.priority)
        waiting = self.filter(status=ProcessingStatus.PENDING).annotate(
            due_by=models.ExpressionWrapper(
                F("created_at") + patience, output_field=models.DateTimeField()
            )
        )
        return waiting.filter(Q(due_by__lt=due_by) | Q(due_by=due_by, pk__lt=processing.pk))

    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(transcript__workspace=workspace)

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

    def chunk_seconds_of(self, transcript: Transcript) -> float | None:
        """Return how the last run that got anywhere was cut, so that its chunks serve again.

        Of the transcript's own runs, or else of the same recording and engine; of none whose
        chunks were too large.
        """
        runs = self.filter(
            transcript__recording=transcript.recording_id,
            transcript__engine=transcript.engine,
            chunk_seconds__isnull=False,
            completed_chunks__gt=0,
        ).exclude(Exists(_chunks().filter(error_code=TooLarge.code)))
        own = Q(transcript=transcript)
        latest = runs.order_by(models.Case(models.When(own, then=0), default=1), "-created_at")
        return latest.values_list("chunk_seconds", flat=True).first()

    def process(self, pk: UUID, *, total_chunks: int, total_samples: int) -> bool:
        """Record that cutting is over and how much there is."""
        return self._transition(
            "process", pk, total_chunks=total_chunks, total_samples=total_samples
        )

    def count_settled(self, pk: UUID, *, samples: int, failed: bool) -> bool:
        """Count one more chunk of ``samples`` as settled, unless the run is over; return whether
        it is known to be the last one."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(COUNT_SETTLED, [not failed, failed, samples, pk, list(ACTIVE)])
            return any(is_last for (is_last,) in cursor.fetchall())

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

    def cancel_all(self) -> list[UUID]:
        """Cancel those of these runs that are not over; return their ids."""
        sources, target = TRANSITIONS["cancel"]
        with transaction.atomic(using=self.db):
            rows = self.filter(status__in=sources).order_by("pk").select_for_update(of=("self",))
            ids = list(rows.values_list("pk", flat=True))
            self._unfiltered().filter(pk__in=ids).update(status=target, completed_at=Now())
        return ids

    def stalled(self, span: timedelta = STALLED_AFTER) -> Self:
        """Active runs that nobody is at, and of which nothing was cut or settled for ``span``."""
        since = Now() - span
        moving = Q(status=JobStatus.PROCESSING) | Q(created_at__gte=since)
        moving |= Q(started_at__gte=since) | Q(completed_at__gte=since)
        old = self.active().annotate(begun_at=Coalesce("started_at", "created_at"))
        return old.filter(~Exists(_chunks().filter(moving)), begun_at__lt=since)

    def recount(self) -> int:
        """Count the settled chunks of these active runs anew, in one statement; return how many.

        Locked first: whoever settles a chunk meanwhile counts it after this.
        """
        length = F("core_end_sample") - F("core_start_sample")
        with transaction.atomic(using=self.db):
            rows = self.active().order_by("pk").select_for_update(of=("self",))
            ids = list(rows.values_list("pk", flat=True))
            return (
                self._unfiltered()
                .filter(pk__in=ids)
                .update(
                    completed_chunks=_of_chunks(Count("pk"), JobStatus.COMPLETED),
                    failed_chunks=_of_chunks(Count("pk"), JobStatus.FAILED),
                    done_samples=_of_chunks(Sum(length), JobStatus.COMPLETED, JobStatus.FAILED),
                )
            )

    def statistics(self, *, window: timedelta = STATISTICS_WINDOW) -> ProcessingStatistics:
        """Count and time these runs, in two queries."""
        took = models.ExpressionWrapper(
            F("completed_at") - F("started_at"), output_field=models.DurationField()
        )
        seconds = Extract(took, "epoch", output_field=models.FloatField())
        readable = Q(status__in=READABLE)
        active = self.active().aggregate(**_counts(ACTIVE))
        ended = self.filter(completed_at__gte=Now() - window).aggregate(
            **_counts(TERMINAL),
            mean=Avg(seconds, filter=readable),
            spread=Percentiles(seconds, filter=readable),
            samples=Coalesce(Sum("done_samples"), 0, output_field=models.BigIntegerField()),
        )
        audio_seconds = ended["samples"] / SAMPLE_RATE
        return ProcessingStatistics(
            counts={status: (active | ended)[status] for status in (*ACTIVE, *TERMINAL)},
            mean_seconds=ended["mean"],
            duration=Spread(*(ended["spread"] or ())),
            audio_seconds=audio_seconds,
            throughput=audio_seconds / window.total_seconds(),
        )

    def _unfiltered(self) -> Self:
        return type(self)(self.model, using=self.db)

    def _transition(self, event: str, pk: UUID, **changes: Any) -> bool:
        sources, target = TRANSITIONS[event]
        rows = self.filter(pk=pk, status__in=sources)
        return rows.update(status=target, **changes) == 1


def _chunks() -> models.QuerySet[ChunkTask]:
    """Return the chunks of the run that a query is at."""
    from processing.models import ChunkTask  # noqa: PLC0415  it imports this module

    return ChunkTask.objects.filter(processing=OuterRef("pk")).order_by()


def _of_chunks(figure: models.Aggregate, *statuses: str) -> Coalesce:
    """Return a figure over the settled chunks of the run that a query is at, 0 for none."""
    chunks = _chunks().filter(status__in=statuses).values("processing")
    return Coalesce(Subquery(chunks.annotate(figure=figure).values("figure")), Value(0))


def _counts(statuses: Iterable[str]) -> dict[str, Count]:
    return {status: Count("pk", filter=Q(status=status)) for status in statuses}


ProcessingTaskManager = models.Manager.from_queryset(ProcessingTaskQuerySet)
