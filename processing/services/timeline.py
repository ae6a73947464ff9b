"""When everything in a run happened, and who did it: what its picture and its history show.

Read from the rows that are there anyway, in a constant number of queries. Of a chunk that was
tried several times only the last attempt has left its times.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from django.db.models.functions import Left
from django.utils import timezone

from jobs.choices import JobStatus
from jobs.models import Job
from processing.choices import MERGE_JOB, TRANSCRIPTION_JOB
from processing.engines.base import SAMPLE_RATE
from processing.models import ChunkTask

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from typing import Final
    from uuid import UUID

    from processing.models import ProcessingTask

#: What became of a chunk: it waits, is being heard, was heard at once or after other attempts,
#: was answered by what was heard before, or was given up.
WAITING: Final = "waiting"
RUNNING: Final = "running"
HEARD: Final = "heard"
RETRIED: Final = "retried"
REUSED: Final = "reused"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"

#: As much of an error as is read with each chunk.
ERROR_CHARACTERS = 200

_COLUMNS = (
    *("index", "channel", "core_start_sample", "core_end_sample", "status", "is_reused"),
    *("engine", "attempt", "worker_id", "worker__hostname", "worker__pid"),
    *("created_at", "started_at", "completed_at", "busy_seconds", "error_code", "error"),
)


@dataclass(frozen=True, slots=True)
class TimedChunk:
    """A chunk: where it lies in the recording, in seconds, and when who heard it.

    ``began_at`` is when its last attempt began to hear it, which may be later than it was
    claimed; None where it was never claimed, or its worker was lost. ``attempt`` counts from 1.
    """

    index: int
    channel: int | None
    start_seconds: float
    end_seconds: float
    outcome: str
    engine: str
    attempt: int
    worker_id: UUID | None
    worker: str
    created_at: datetime
    began_at: datetime | None
    ended_at: datetime | None
    busy_seconds: float | None
    error: str

    @classmethod
    def of(cls, row: Sequence[Any]) -> TimedChunk:
        """Return the chunk that a row of ``_COLUMNS`` is."""
        index, channel, start, end, status, is_reused, engine, attempt, *rest = row
        worker_id, hostname, pid, created_at, started_at, ended_at, busy, code, message = rest
        return cls(
            index,
            channel,
            start / SAMPLE_RATE,
            end / SAMPLE_RATE,
            _outcome(status, attempt, is_reused=is_reused),
            engine,
            attempt,
            worker_id,
            _name(worker_id, hostname, pid),
            created_at,
            _began_at(status, worker_id, started_at, ended_at, busy),
            ended_at,
            busy,
            f"{code}: {message}" if code else "",
        )


@dataclass(frozen=True, slots=True)
class Step:
    """The cutting or the merging of a run; ``worker`` is empty where nobody knows any more."""

    began_at: datetime
    ended_at: datetime | None
    worker: str


@dataclass(frozen=True, slots=True)
class Lane:
    """What one thread of a worker did, one chunk after the other."""

    worker: str
    thread: int
    chunks: list[TimedChunk]


@dataclass(frozen=True)
class Timeline:
    """A run from when it was asked for until its end, or until ``now`` while it goes on."""

    run: ProcessingTask
    chunks: list[TimedChunk]
    cutting: Step | None
    merging: Step | None
    jobs: list[Job]
    now: datetime

    @property
    def ended_at(self) -> datetime:
        return self.run.completed_at or self.now

    @cached_property
    def waited_seconds(self) -> float:
        """How long the run waited for its first cut."""
        return self.seconds(self.run.started_at or self.ended_at)

    @cached_property
    def total_seconds(self) -> float:
        return self.seconds(self.ended_at)

    def seconds(self, moment: datetime) -> float:
        """Return when something was, in seconds since the run was asked for."""
        return max((moment - self.run.created_at).total_seconds(), 0.0)

    @cached_property
    def lanes(self) -> list[Lane]:
        """Who heard chunks: a lane for each thread that was at one, of each worker."""
        return lanes_of(self.chunks, until=self.ended_at)

    @cached_property
    def outcomes(self) -> Counter[str]:
        return Counter(chunk.outcome for chunk in self.chunks)

    @property
    def worker_count(self) -> int:
        return len({lane.worker for lane in self.lanes})

    @property
    def working_seconds(self) -> float:
        """How long the run took without its waiting."""
        return self.total_seconds - self.waited_seconds

    @property
    def speed(self) -> float | None:
        """How many seconds of audio were done in one; None where none were."""
        done, took = self.run.done_seconds, self.working_seconds
        return done / took if done and took > 0 else None

    @cached_property
    def speed_up(self) -> float | None:
        """How many times as long one lane would have taken; None where no engine was asked."""
        busy = sum(chunk.busy_seconds or 0.0 for chunk in self.chunks)
        return busy / self.working_seconds if busy and self.working_seconds > 0 else None

    @property
    def efficiency(self) -> float | None:
        """The speed-up as a share of what that many lanes can give at best, 0 to 1."""
        return min(self.speed_up / len(self.lanes), 1.0) if self.speed_up and self.lanes else None


def timeline_of(run: ProcessingTask) -> Timeline:
    """Return when everything in a run happened, in two queries; ``run`` has its transcript."""
    rows = ChunkTask.objects.of(run.pk).annotate(error=Left("error_message", ERROR_CHARACTERS))
    chunks = [TimedChunk.of(row) for row in rows.in_order().values_list(*_COLUMNS)]
    jobs = Job.objects.about(run.transcript_id).carrying(processing_id=str(run.pk))
    steps = list(jobs.select_related("worker", "created_by").order_by("created_at"))
    cutting, merging = (
        next((job for job in steps if job.job_type == name), None)
        for name in (TRANSCRIPTION_JOB, MERGE_JOB)
    )
    return Timeline(
        run,
        chunks,
        _cutting(run, chunks, cutting),
        _merging(run, merging),
        steps,
        timezone.now(),
    )


def lanes_of(chunks: Iterable[TimedChunk], *, until: datetime) -> list[Lane]:
    """Put what each worker heard into as few lanes as it had chunks at once, in order of time."""
    by_worker: dict[Any, list[TimedChunk]] = {}
    began = [chunk for chunk in chunks if chunk.began_at is not None]
    for chunk in sorted(began, key=lambda chunk: (chunk.began_at, chunk.index)):
        by_worker.setdefault(chunk.worker_id, []).append(chunk)
    lanes = []
    for held in by_worker.values():
        own: list[Lane] = []
        free: list[tuple[datetime, int]] = []
        for chunk in held:
            if free and chunk.began_at is not None and free[0][0] <= chunk.began_at:
                thread = heappop(free)[1]
            else:
                thread = len(own)
                own.append(Lane(chunk.worker, thread + 1, []))
            own[thread].chunks.append(chunk)
            heappush(free, (chunk.ended_at or until, thread))
        lanes += own
    return lanes


def _outcome(status: str, attempt: int, *, is_reused: bool) -> str:
    if status == JobStatus.COMPLETED:
        if is_reused:
            return REUSED
        return HEARD if attempt <= 1 else RETRIED
    return {
        JobStatus.PROCESSING: RUNNING,
        JobStatus.FAILED: FAILED,
        JobStatus.CANCELLED: CANCELLED,
    }.get(JobStatus(status), WAITING)


def _name(worker_id: UUID | None, hostname: str | None, pid: int | None) -> str:
    """Return what a worker is called, as its row does; of a forgotten one, its id."""
    if worker_id is None:
        return ""
    return f"{hostname}:{pid or worker_id}" if hostname else f"worker {str(worker_id)[:8]}"


def _began_at(
    status: str,
    worker_id: UUID | None,
    started_at: datetime | None,
    ended_at: datetime | None,
    busy_seconds: float | None,
) -> datetime | None:
    """Return when a chunk's last attempt began; it may have waited in its worker before that."""
    if worker_id is None or started_at is None:
        return None
    if status != JobStatus.COMPLETED or ended_at is None or busy_seconds is None:
        return started_at
    return max(started_at, ended_at - timedelta(seconds=busy_seconds))


def _cutting(run: ProcessingTask, chunks: Sequence[TimedChunk], job: Job | None) -> Step | None:
    """Return the cutting; where its job is forgotten, it ended with the last chunk."""
    if run.started_at is None:
        return None
    if job is not None:
        return Step(run.started_at, job.completed_at or run.completed_at, _worker_of(job))
    last = max((chunk.created_at for chunk in chunks), default=run.completed_at)
    return Step(run.started_at, last if run.total_chunks else run.completed_at, "")


def _merging(run: ProcessingTask, job: Job | None) -> Step | None:
    if job is None or job.started_at is None:
        return None
    return Step(job.started_at, job.completed_at or run.completed_at, _worker_of(job))


def _worker_of(job: Job) -> str:
    worker = job.worker if job.worker_id else None
    return _name(job.worker_id, worker.hostname if worker else None, worker.pid if worker else None)
