"""Joining what was heard of a recording: at the end of a run, and while it goes on."""

from itertools import groupby
from operator import attrgetter
from typing import Any

from django.db import transaction

from caching.invalidation import CacheInvalidator
from jobs.choices import JobStatus
from jobs.models import Job
from processing.engines.base import SAMPLE_RATE
from processing.models import ChunkTask, Engine, ProcessingTask, Transcript
from processing.services.hearing import speech_of
from processing.services.merger import HeardChunk, Merged, Merger
from processing.services.orchestrator import discard_chunk_audio, processing_of
from processing.services.suspicion import Energy

#: Audio that is missing at the end of a file is a gap when it is more than this.
TRUNCATION_SECONDS = 1.0
TRUNCATION_SHARE = 0.01

#: Why a chunk that is not over is a gap in what was heard so far.
NOT_HEARD_YET = "not heard yet"

#: Chunks that are in memory at once.
CHUNKS_AT_ONCE = 100


def merge(job: Job) -> None:
    """Join the chunks into the transcript: COMPLETED, PARTIAL with gaps, or FAILED with none.

    Idempotent: only the run that finds the processing MERGING changes anything.
    """
    processing = processing_of(job)
    merged = _joined(processing)
    gaps = merged.gaps + _truncation(processing)
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
            text=" ".join(segment["text"] for segment in merged.segments),
            segments=merged.segments,
            gaps=gaps,
            seams=merged.seams,
            heard_language=ChunkTask.objects.of(processing.pk).language(),
            duration_seconds=_decoded_seconds(processing),
        )
        for name, done in ChunkTask.objects.of(processing.pk).work_by_engine().items():
            Engine.objects.record_run(name, **done)
        CacheInvalidator().invalidate_transcript(processing.transcript_id)


def heard_so_far(processing: ProcessingTask) -> Merged:
    """Return what a run has heard until now; what it has not is a gap."""
    return _joined(processing)


def _joined(processing: ProcessingTask) -> Merged:
    """Join the chunks of each channel, and put the channels' segments in the order of time."""
    chunks = ChunkTask.objects.of(processing.pk).order_by("channel", "index")
    joined = Merged()
    for channel, own in groupby(
        chunks.iterator(chunk_size=CHUNKS_AT_ONCE), key=attrgetter("channel")
    ):
        merged = Merger().merge(map(_heard, own))
        if channel is not None:
            _label(merged, f"channel {channel + 1}")
        joined.segments.extend(merged.segments)
        joined.gaps.extend(merged.gaps)
        joined.seams.extend(merged.seams)
    if processing.has_separate_channels:
        for rows in (joined.segments, joined.gaps):
            rows.sort(key=lambda row: float(row["start"]))
    return joined


def _label(merged: Merged, channel: str) -> None:
    """Say of each part of a channel which one it is, where the engine names no speakers."""
    for segment in merged.segments:
        segment["speaker"] = segment.get("speaker") or channel
    for gap in merged.gaps:
        gap["reason"] = f"{channel}: {gap['reason']}"


def _heard(chunk: ChunkTask) -> HeardChunk:
    reason = NOT_HEARD_YET
    if chunk.status in (JobStatus.FAILED, JobStatus.CANCELLED):
        reason = f"{chunk.error_code or 'cancelled'}: {chunk.error_message}".rstrip(": ")
    return HeardChunk(
        chunk.index,
        chunk.start_sample,
        chunk.core_start_sample,
        chunk.core_end_sample,
        chunk.end_sample,
        None if chunk.result is None else speech_of(chunk.result),
        reason=reason,
        energy=energy_of(chunk),
    )


def energy_of(chunk: ChunkTask) -> Energy | None:
    """Return how loud a chunk's audio is, None where that was not measured."""
    return Energy(bytes(chunk.loudness), chunk.pause_db) if chunk.loudness else None


def _decoded_seconds(processing: ProcessingTask) -> float:
    """Return the length of the recording as it was decoded, whatever its container says."""
    channels = processing.transcript.recording.channels if processing.has_separate_channels else 1
    return (processing.total_samples or 0) / channels / SAMPLE_RATE


def _truncation(processing: ProcessingTask) -> list[dict[str, Any]]:
    """Return the gap between the end of the audio and the end its container declares."""
    declared = processing.transcript.recording.duration_seconds
    decoded = _decoded_seconds(processing)
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
