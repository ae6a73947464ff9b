"""The life of a processing: requested, fanned out (``planner``), joined.

The design's ParallelOrchestrator. It keeps nothing in memory: each step is a guarded change of
rows, so any process may die between any two of them and another goes on.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from caching.invalidation import CacheInvalidator
from caching.keys import ContentAddresser
from jobs.choices import JobPriority, JobStatus
from jobs.exceptions import NotRequeueable
from jobs.models import Job, Work
from jobs.services.enqueueing import enqueue_job
from processing.choices import (
    MERGE_JOB,
    TRANSCRIPTION_JOB,
    ProcessingStatus,
)
from processing.engines.base import SAMPLE_RATE, SpeechEngine
from processing.engines.registry import get_engine
from processing.exceptions import UnsupportedLanguage
from processing.models import ChunkTask, ProcessingTask, Recording, Transcript
from processing.services.files import delete_file
from processing.services.merger import HeardChunk, Merger

logger = logging.getLogger(__name__)

#: Changes whenever cutting or joining may give another transcript for the same request.
PIPELINE_VERSION = "1"

#: Audio that is missing at the end of a file is a gap when it is more than this.
TRUNCATION_SECONDS = 1.0
TRUNCATION_SHARE = 0.01


@dataclass(frozen=True)
class TranscriptRequest:
    """A transcript, the run that says how it is doing, and what the request meant for it.

    ``is_cached``: it was answered in full before. ``is_started``: the run is this request's own.
    """

    transcript: Transcript
    processing: ProcessingTask
    is_cached: bool
    is_started: bool


def request_transcript(
    *,
    recording: Recording,
    engine: str = "",
    language: str = "",
    parameters: dict[str, Any] | None = None,
    priority: JobPriority = JobPriority.NORMAL,
    created_by: User | None = None,
) -> TranscriptRequest:
    """Ask for a transcript; equal requests share one row, and one run while it goes on.

    A request that was answered in full ends here. One that failed, was cancelled or has gaps
    is run again, and chunks that were heard before are not heard again. Raises
    ``UnknownEngine`` or ``UnsupportedLanguage``.
    """
    speech_engine, language = choose_engine(engine, language)
    cache_key = ContentAddresser().key(
        "transcript",
        str(recording.workspace_id),
        recording.sha256,
        PIPELINE_VERSION,
        question(speech_engine, language, parameters or {}),
    )
    with transaction.atomic():
        Transcript.objects.get_or_create(
            cache_key=cache_key,
            defaults={
                "recording": recording,
                "engine": speech_engine.name,
                "language": language,
                "parameters": parameters or {},
            },
        )
        transcript = Transcript.objects.select_for_update().get(cache_key=cache_key)
        latest = ProcessingTask.objects.for_transcript(transcript).first()
        if latest is not None and latest.status == ProcessingStatus.COMPLETED:
            return TranscriptRequest(transcript, latest, is_cached=True, is_started=False)
        if latest is not None and latest.is_active:
            return TranscriptRequest(transcript, latest, is_cached=False, is_started=False)
        started = _start(transcript, priority=priority, created_by=created_by)
    return TranscriptRequest(transcript, started, is_cached=False, is_started=True)


def choose_engine(engine: str = "", language: str = "") -> tuple[SpeechEngine, str]:
    """Return the engine and the language a request means; the first of each when it names none.

    Raises ``UnknownEngine`` or ``UnsupportedLanguage``.
    """
    speech_engine = get_engine(engine or settings.ENGINE)
    language = language or speech_engine.languages[0]
    if language not in speech_engine.languages:
        known = ", ".join(speech_engine.languages)
        raise UnsupportedLanguage(
            f"{speech_engine.name} does not understand {language!r}; it knows {known}"
        )
    return speech_engine, language


def question(
    engine: SpeechEngine, language: str, parameters: dict[str, Any]
) -> dict[str, str | dict[str, Any]]:
    """Return all that an engine's answer to the same audio depends on, for cache keys."""
    return {
        "engine": engine.name,
        "engine_version": engine.version,
        "language": language,
        "parameters": parameters,
    }


def _start(
    transcript: Transcript, *, priority: JobPriority, created_by: User | None
) -> ProcessingTask:
    processing = ProcessingTask.objects.create(transcript=transcript, priority=priority)
    _enqueue(TRANSCRIPTION_JOB, processing, created_by=created_by)
    return processing


def _enqueue(job_type: str, processing: ProcessingTask, *, created_by: User | None = None) -> None:
    enqueue_job(
        job_type=job_type,
        payload={"processing_id": str(processing.pk)},
        priority=processing.priority,
        subject_id=processing.transcript_id,
        workspace_id=processing.transcript.recording.workspace_id,
        created_by=created_by,
    )


def processing_of(job: Job) -> ProcessingTask:
    """Return the processing a job of this app is about."""
    return ProcessingTask.objects.with_recordings().get(pk=job.payload["processing_id"])


def settle_chunk(chunk: ChunkTask) -> None:
    """Count a chunk that reached its end; the last one has the merge enqueued.

    Runs in the transaction that settled the chunk, so a count can be neither lost nor doubled.
    """
    if chunk.status == JobStatus.CANCELLED:
        return
    ProcessingTask.objects.count_settled(
        chunk.processing_id,
        samples=chunk.core_end_sample - chunk.core_start_sample,
        failed=chunk.status == JobStatus.FAILED,
    )
    merge_if_settled(chunk.processing)


def merge_if_settled(processing: ProcessingTask) -> None:
    """Enqueue the merge, when this caller is the one that finds all chunks settled."""
    if ProcessingTask.objects.elect_merger(processing.pk):
        _enqueue(MERGE_JOB, processing)


def merge(job: Job) -> None:
    """Join the chunks into the transcript: COMPLETED, PARTIAL with gaps, or FAILED with none.

    Idempotent: only the run that finds the processing MERGING changes anything.
    """
    processing = processing_of(job)
    segments, gaps = Merger().merge(_heard_chunks(processing))
    gaps += _truncation(processing)
    with transaction.atomic():
        transaction.on_commit(lambda: discard_chunk_audio(processing.pk), robust=True)
        if processing.failed_chunks and not processing.completed_chunks:
            first = ChunkTask.objects.of(processing.pk).failed().in_order()[0]
            ProcessingTask.objects.fail(
                processing.pk, code=first.error_code, message=first.error_message
            )
            return
        if not ProcessingTask.objects.finish(processing.pk, is_partial=bool(gaps)):
            return
        Transcript.objects.filter(pk=processing.transcript_id).update(
            text=" ".join(segment["text"] for segment in segments),
            segments=segments,
            gaps=gaps,
            duration_seconds=(processing.total_samples or 0) / SAMPLE_RATE,
        )
        CacheInvalidator().invalidate_transcript(processing.transcript_id)


def _heard_chunks(processing: ProcessingTask) -> Iterator[HeardChunk]:
    chunks = ChunkTask.objects.of(processing.pk).in_order()
    for chunk in chunks.iterator(chunk_size=100):
        yield HeardChunk(
            chunk.start_sample,
            chunk.core_start_sample,
            chunk.core_end_sample,
            chunk.end_sample,
            chunk.result,
            reason=f"{chunk.error_code}: {chunk.error_message}" if chunk.error_code else "",
        )


def _truncation(processing: ProcessingTask) -> list[dict[str, Any]]:
    """Return the gap between the end of the audio and the end its container declares."""
    declared = processing.transcript.recording.duration_seconds
    decoded = (processing.total_samples or 0) / SAMPLE_RATE
    if declared is None:
        return []
    missing = declared - decoded
    if missing <= max(TRUNCATION_SECONDS, declared * TRUNCATION_SHARE):
        return []
    return [
        {
            "start": round(decoded, 3),
            "end": round(declared, 3),
            "reason": "truncated: the file ends before the length it declares",
        }
    ]


def refuse_requeue(work: Work) -> None:
    """Forbid that a part of a run that is over is done again by itself."""
    raise NotRequeueable(
        "it was part of a run, and that is over; ask for the transcript again: "
        "that starts a new run, which hears no chunk twice"
    )


def settle_job(job: Job) -> None:
    """A planner or merger that failed or was cancelled takes its processing with it."""
    processing_id = job.payload.get("processing_id")
    if processing_id is None:
        return  # no run: a job that somebody made by hand
    if job.status == JobStatus.FAILED:
        is_over = ProcessingTask.objects.fail(
            processing_id, code=job.error_code, message=job.error_message
        )
    else:
        is_over = job.status == JobStatus.CANCELLED and ProcessingTask.objects.cancel(processing_id)
    if is_over:
        transaction.on_commit(lambda: _drop_chunks(processing_id), robust=True)


def cancel_processing(processing: ProcessingTask) -> bool:
    """Stop a run; what is being transcribed is refused when it is done. False if it was over."""
    if not ProcessingTask.objects.cancel(processing.pk):
        return False
    # After the commit: no row of the run is locked while its jobs and chunks are.
    transaction.on_commit(lambda: _drop_work(processing), robust=True)
    return True


def _drop_work(processing: ProcessingTask) -> None:
    jobs = Job.objects.about(processing.transcript_id)
    jobs.carrying(processing_id=str(processing.pk)).cancel()
    _drop_chunks(processing.pk)


def _drop_chunks(processing_id: UUID) -> None:
    ChunkTask.objects.of(processing_id).cancel()
    discard_chunk_audio(processing_id)


def discard_chunk_audio(processing_id: UUID) -> None:
    """Delete the chunk files of a finished run; the recording itself has all they had."""
    chunks = ChunkTask.objects.of(processing_id).exclude(audio="")
    for name in chunks.values_list("audio", flat=True):
        delete_file(name)
    chunks.update(audio="")
    delete_file(f"chunks/{processing_id}")  # the directory, where storage has any
