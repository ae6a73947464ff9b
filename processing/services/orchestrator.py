"""The life of a processing: requested, fanned out (``planner``), joined (``joining``), over.

The design's ParallelOrchestrator. It keeps nothing in memory: each step is a guarded change of
rows, so any process may die between any two of them and another goes on.
"""

import logging
import math
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction

from caching.keys import ContentAddresser
from jobs import queues
from jobs.choices import JobStatus
from jobs.exceptions import NotRequeueable
from jobs.models import Job, Work
from processing.choices import CHUNK_QUEUE, MERGE_JOB, REMOTE_CHUNK_QUEUE
from processing.engines.base import SAMPLE_RATE, SpeechEngine
from processing.exceptions import ENGINE_FAULTS
from processing.models import ChunkTask, Engine, ProcessingTask
from processing.services.files import delete_file
from processing.services.requesting import engines_after, enqueue_step, question
from processing.webhooks.announcing import announce_runs

logger = logging.getLogger(__name__)


def processing_of(job: Job) -> ProcessingTask:
    """Return the processing a job of this app is about."""
    return ProcessingTask.objects.with_recordings().get(pk=job.payload["processing_id"])


def queue_of(engine: SpeechEngine) -> str:
    """Return the queue of chunks for an engine: of those that wait, a worker hears many at once."""
    return REMOTE_CHUNK_QUEUE if engine.is_remote else CHUNK_QUEUE


def channels_of(processing: ProcessingTask) -> list[int | None]:
    """Return the channels that are heard by themselves; one None for all of them mixed."""
    if not processing.has_separate_channels:
        return [None]
    return list(range(processing.transcript.recording.channels))


def chunk_key(audio_sha256: str, asked: dict[str, Any]) -> str:
    """Return the cache key of what is heard in a chunk; ``asked`` is the ``question``."""
    return ContentAddresser().key("chunk", audio_sha256, asked)


def settle_chunk(chunk: ChunkTask) -> None:
    """Count a chunk that reached its end; the last one has the merge enqueued.

    A chunk that its engine could not hear goes to the next engine of its workspace instead. Runs
    in the transaction that settled the chunk, so a count can be neither lost nor doubled.
    """
    if chunk.status == JobStatus.CANCELLED:
        return
    failed = chunk.status == JobStatus.FAILED
    if failed and _is_heard_by_another(chunk):
        return
    samples = chunk.core_end_sample - chunk.core_start_sample
    if ProcessingTask.objects.count_settled(chunk.processing_id, samples=samples, failed=failed):
        merge_if_settled(chunk.processing_id)


def engine_after(chunk: ChunkTask) -> SpeechEngine | None:
    """Return who may be asked instead, should the chunk's engine not be able to hear it.

    Nobody for a chunk of an older release, which has no hash that its answer could be kept by.
    """
    if not chunk.audio_sha256:
        return None
    transcript = chunk.processing.transcript
    seconds = (chunk.end_sample - chunk.start_sample) / SAMPLE_RATE
    for engine in engines_after(
        chunk.engine, transcript.language, workspace=transcript.recording.workspace
    ):
        if seconds <= (engine.limits.max_clip_seconds or math.inf):
            return engine
    return None


def _is_heard_by_another(chunk: ChunkTask) -> bool:
    """Remember that its engine did not hear a chunk, and hand it on where that may help."""
    chunk.processing = ProcessingTask.objects.with_recordings().get(pk=chunk.processing_id)
    if not chunk.processing.is_active:
        return False
    Engine.objects.record_failure(chunk.engine, code=chunk.error_code, message=chunk.error_message)
    return chunk.error_code in ENGINE_FAULTS and _hand_on(chunk)


def _hand_on(chunk: ChunkTask) -> bool:
    """Have the next engine of the workspace hear a failed chunk; False when there is none."""
    engine, transcript = engine_after(chunk), chunk.processing.transcript
    if engine is None:
        return False
    logger.warning("%s goes from %s to %s: %s", chunk, chunk.engine, engine.name, chunk.error_code)
    asked = question(engine, transcript.language, transcript.parameters)
    queue_name = queue_of(engine)
    ChunkTask.objects.hand_on(
        chunk,
        engine=engine.name,
        queue_name=queue_name,
        cache_key=chunk_key(chunk.audio_sha256, asked),
    )
    queues.ring_on_commit(queue_name)
    return True


def merge_if_settled(processing_id: UUID) -> None:
    """Enqueue the merge, when this caller is the one that finds all chunks settled."""
    if ProcessingTask.objects.elect_merger(processing_id):
        settled = ProcessingTask.objects.with_recordings().get(pk=processing_id)
        enqueue_step(MERGE_JOB, settled)


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
        announce_runs([processing_id])
        transaction.on_commit(lambda: _drop_chunks(processing_id), robust=True)


def cancel_processing(processing: ProcessingTask) -> bool:
    """Stop a run; what is being transcribed is refused when it is done. False if it was over."""
    return bool(cancel_processings([processing]))


@transaction.atomic
def cancel_processings(processings: Iterable[ProcessingTask]) -> list[UUID]:
    """Stop many runs at once; return the ids of those that were not over."""
    runs = {processing.pk: processing for processing in processings}
    cancelled = ProcessingTask.objects.filter(pk__in=runs).cancel_all()
    announce_runs(cancelled)
    # After the commit: no row of a run is locked while its jobs and chunks are.
    transaction.on_commit(lambda: _drop_work([runs[pk] for pk in cancelled]), robust=True)
    return cancelled


def _drop_work(processings: Iterable[ProcessingTask]) -> None:
    for processing in processings:
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
    delete_file(chunk_directory(processing_id))


def chunk_directory(processing_id: UUID) -> str:
    """Return where the chunk files of a run are; storage that has directories keeps full ones."""
    return f"chunks/{processing_id}"
