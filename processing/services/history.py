"""What happened to a run, in order: one line for each thing, and who did it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from django.db.models import Q

from jobs.choices import JobStatus
from jobs.models import Job
from processing.choices import ProcessingStatus
from processing.models import AuditEvent, Document, DocumentVersion, ProcessingTask, Recording
from processing.services.progress import clock
from processing.services.timeline import (
    CANCELLED,
    FAILED,
    REUSED,
    RUNNING,
    WAITING,
    TimedChunk,
    Timeline,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from typing import Final

#: The most of each kind of event that is not a chunk's.
MAX_EVENTS = 100

#: An action on many runs at once is in the account within so long of the end of each.
AROUND_END = timedelta(minutes=1)

CUT: Final = "cut"
BEGAN: Final = "began"
ENDED: Final = "ended"


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """Something that happened; ``said`` says what, or else ``kind`` does of a ``chunk``.

    ``is_bad`` when something was not done.
    """

    at: datetime
    kind: str
    said: str = ""
    chunk: TimedChunk | None = None
    is_bad: bool = False

    @property
    def text(self) -> str:
        return self.said or (_said_of(self.chunk, self.kind) if self.chunk else self.kind)


def history_of(timeline: Timeline) -> list[HistoryEvent]:
    """Return what happened to a run, the first first; in a constant number of queries."""
    run = timeline.run
    later = ProcessingTask.objects.for_transcript(run.transcript).filter(
        created_at__gt=run.created_at
    )
    following = later.order_by("created_at").values_list("created_at", flat=True).first()
    events = [
        *_asked(timeline),
        *_cutting(timeline),
        *(event for chunk in timeline.chunks for event in _of_chunk(chunk)),
        *_joined(timeline),
        *_followed(timeline),
        *_audited(timeline),
    ]
    if following is not None:
        again = HistoryEvent(following, "run", "Another run was asked for: the gaps heard again.")
        events = [*(event for event in events if event.at < following), again]
    return list(_folded(sorted(events, key=attrgetter("at"))))


def _folded(events: Iterable[HistoryEvent]) -> Iterator[HistoryEvent]:
    """Yield the events; of chunks that were cut one after the other, one for all of them."""
    for kind, group in groupby(events, key=attrgetter("kind")):
        if kind != CUT:
            yield from group
            continue
        first, *others = group
        last = others[-1].chunk if others else None
        if first.chunk is None or last is None:
            yield first
        else:
            said = f"Chunks {first.chunk.index} to {last.index}: cut and queued."
            yield HistoryEvent(first.at, CUT, said)


def name_of(chunk: TimedChunk) -> str:
    """Return for example ``chunk 12, 3:20 to 3:45``; as its row, the first is 0."""
    channel = "" if chunk.channel is None else f", channel {chunk.channel + 1}"
    times = f"{clock(chunk.start_seconds)} to {clock(chunk.end_seconds)}"
    return f"chunk {chunk.index}, {times}{channel}"


def said_of_end(chunk: TimedChunk) -> str:
    """Return what became of a chunk, for example ``heard in 2.1 s by host:7, attempt 2``."""
    by = f" by {chunk.worker}" if chunk.worker else ""
    attempt = f", attempt {chunk.attempt}" if chunk.attempt > 1 else ""
    why = f" ({chunk.error})" if chunk.error else ""
    if chunk.outcome == REUSED:
        return f"known from before{by}{attempt}"
    if chunk.outcome == WAITING:
        after = f" after attempt {chunk.attempt}{why}" if chunk.attempt else ""
        return f"waits for a worker{after}"
    if chunk.outcome in (FAILED, CANCELLED):
        return f"{chunk.outcome}{by}{attempt}{why}"
    if chunk.outcome == RUNNING:
        return f"is being heard{by}{attempt}"
    took = "" if chunk.busy_seconds is None else f" in {chunk.busy_seconds:.1f} s"
    return f"heard{took}{by}{attempt}" + (why.replace("(", "(before: ", 1) if why else "")


def _said_of(chunk: TimedChunk, kind: str) -> str:
    name = name_of(chunk)
    name = name[0].upper() + name[1:]
    if kind == CUT:
        return f"{name}: cut and queued."
    if kind == BEGAN:
        attempt = f", attempt {chunk.attempt}" if chunk.attempt > 1 else ""
        return f"{name}: begun by {chunk.worker} with {chunk.engine}{attempt}."
    return f"{name}: {said_of_end(chunk)}."


def _of_chunk(chunk: TimedChunk) -> Iterator[HistoryEvent]:
    yield HistoryEvent(chunk.created_at, CUT, chunk=chunk)
    if chunk.began_at is not None:
        yield HistoryEvent(chunk.began_at, BEGAN, chunk=chunk)
    if chunk.ended_at is not None:
        is_bad = chunk.outcome == FAILED
        yield HistoryEvent(chunk.ended_at, ENDED, chunk=chunk, is_bad=is_bad)


def _asked(timeline: Timeline) -> Iterator[HistoryEvent]:
    run = timeline.run
    recordings = Recording.objects.filter(pk=run.transcript.recording_id)
    for at, name in recordings.values_list("created_at", "created_by__username"):
        yield HistoryEvent(at, "upload", f"The recording was stored{_by(name)}.")
    first = next(iter(timeline.jobs), None)
    by = _by(first.created_by.get_username()) if first and first.created_by else ""
    engine, language = run.transcript.engine, run.transcript.language
    yield HistoryEvent(run.created_at, "run", f"Asked for from {engine} in {language}{by}: queued.")


def _cutting(timeline: Timeline) -> Iterator[HistoryEvent]:
    cutting, count = timeline.cutting, timeline.run.total_chunks
    if cutting is None:
        return
    target = timeline.run.chunk_seconds
    aim = f" into chunks of about {target:.0f} s" if target else ""
    yield HistoryEvent(cutting.began_at, "cutting", f"Cutting began{_by(cutting.worker)}{aim}.")
    if cutting.ended_at is not None and count is not None:
        yield HistoryEvent(cutting.ended_at, "cutting", f"Cutting ended: {count} chunks.")


def _joined(timeline: Timeline) -> Iterator[HistoryEvent]:
    run, merging = timeline.run, timeline.merging
    if merging is not None:
        yield HistoryEvent(merging.began_at, "merging", f"Merging began{_by(merging.worker)}.")
    if run.completed_at is not None:
        error = f" ({run.error_code}: {run.error_message})" if run.error_code else ""
        is_bad = run.status not in (ProcessingStatus.COMPLETED, ProcessingStatus.CANCELLED)
        said = f"The run is {run.status}{error}."
        yield HistoryEvent(run.completed_at, "end", said, is_bad=is_bad)


def _followed(timeline: Timeline) -> Iterator[HistoryEvent]:
    """Yield what was made of the transcript since, and how people corrected it."""
    run = timeline.run
    documents = Document.objects.filter(transcript=run.transcript_id)
    document_id = documents.values_list("pk", flat=True).first()
    if document_id is None or run.completed_at is None:
        return
    jobs = Job.objects.about(document_id).filter(created_at__gte=run.completed_at)
    for job in jobs.order_by("created_at").select_related("worker")[:MAX_EVENTS]:
        yield from _of_job(job)
    versions = DocumentVersion.objects.filter(
        document=document_id, replaced_at__gte=run.completed_at
    )
    columns = ("number", "replaced_at", "replaced_by__username", "note")
    for number, at, name, note in versions.order_by("replaced_at").values_list(*columns)[
        :MAX_EVENTS
    ]:
        why = f": {note}" if note else ""
        said = f"Corrected{_by(name)}{why}; what it said before is version {number}."
        yield HistoryEvent(at, "correction", said)


def _of_job(job: Job) -> Iterator[HistoryEvent]:
    name = job.job_type.replace("_", " ").capitalize()
    yield HistoryEvent(job.created_at, "job", f"{name} was queued.")
    if job.completed_at is None:
        return
    error = f" ({job.error_code}: {job.error_message})" if job.error_code else ""
    by = _by(str(job.worker) if job.worker else "")
    yield HistoryEvent(
        job.completed_at,
        "job",
        f"{name} is {job.status}{by}{error}.",
        is_bad=job.status == JobStatus.FAILED,
    )


def _audited(timeline: Timeline) -> Iterator[HistoryEvent]:
    """Yield what people and programs asked for; of many runs at once, what ended this one."""
    run = timeline.run
    subjects = [str(run.pk), str(run.transcript_id)]
    about = Q(object_id__in=subjects, created_at__gte=run.created_at)
    if run.status == ProcessingStatus.CANCELLED and run.completed_at is not None:
        span = (run.completed_at - AROUND_END, run.completed_at + AROUND_END)
        about |= Q(
            workspace=None, created_at__range=span, details__selected__contains=[str(run.pk)]
        )
    events = AuditEvent.objects.filter(about).order_by("created_at")
    columns = ("created_at", "action", "actor_name", "api_key_id")
    for at, action, name, key in events.values_list(*columns)[:MAX_EVENTS]:
        who = name or (f"key {key}" if key else "somebody")
        yield HistoryEvent(at, "audit", f"{who} asked for {action}.")


def _by(name: str | None) -> str:
    return f" by {name}" if name else ""
