"""Joining what was heard of a recording: at the end of a run, and while it goes on."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from caching.invalidation import CacheInvalidator
from jobs.choices import JobStatus
from jobs.models import Job
from processing.engines.base import SAMPLE_RATE
from processing.engines.spacing import spaced
from processing.knowledge.corrections import renew_results
from processing.knowledge.documents import follow_transcript
from processing.models import (
    ChunkTask,
    Document,
    DocumentVersion,
    Engine,
    ProcessingTask,
    Transcript,
)
from processing.services.hearing import speech_of
from processing.services.merging.gap_filling import JsonObject, with_corrections
from processing.services.merging.merger import HeardChunk, Merged, Merger
from processing.services.merging.suspicion import Energy
from processing.services.orchestrator import channels_of, discard_chunk_audio, processing_of
from processing.webhooks.announcing import announce_runs

#: Audio that is missing at the end of a file is a gap when it is more than this.
TRUNCATION_SECONDS = 1.0
TRUNCATION_SHARE = 0.01

#: Why a chunk that is not over, or not cut, is a gap in what was heard of a run that goes on.
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
            if ProcessingTask.objects.fail(
                processing.pk, code=first.error_code, message=first.error_message
            ):
                announce_runs([processing.pk])
            return
        segments, gaps = _with_corrections(processing.transcript_id, merged.segments, gaps)
        if not ProcessingTask.objects.finish(processing.pk, is_partial=bool(gaps)):
            return
        Transcript.objects.filter(pk=processing.transcript_id).update(
            text=spaced(segment["text"] for segment in segments),
            segments=segments,
            gaps=gaps,
            seams=merged.seams,
            heard_language=ChunkTask.objects.of(processing.pk).language(),
            duration_seconds=_decoded_seconds(processing),
        )
        # what was made of it, or is being written about it, was of what an earlier run heard
        Document.objects.filter(transcript=processing.transcript_id).update(
            version=F("version") + 1
        )
        transcript = Transcript.objects.with_runs().get(pk=processing.transcript_id)
        renew_results(follow_transcript(transcript))
        work = ChunkTask.objects.of(processing.pk).work_by_engine()
        for name in sorted(work):  # in one order for all: no two merges wait for each other
            Engine.objects.record_run(name, **work[name])
        CacheInvalidator().invalidate_transcript(processing.transcript_id)
        announce_runs([processing.pk])


def _with_corrections(
    transcript_id: UUID, segments: list[JsonObject], gaps: list[JsonObject]
) -> tuple[list[JsonObject], list[JsonObject]]:
    """Return what was heard; of a transcript that people have corrected only what it lacked.

    Nobody corrects it while this run is active.
    """
    if not DocumentVersion.objects.filter(document__transcript=transcript_id).exists():
        return segments, gaps
    corrected = Transcript.objects.get(pk=transcript_id)
    return with_corrections(corrected.segments, corrected.gaps, segments, gaps)


def heard_so_far(processing: ProcessingTask) -> Merged:
    """Return what a run has heard until now; what it has not is a gap."""
    is_cut = processing.total_samples is not None
    declared = None if is_cut else processing.transcript.recording.duration_seconds
    return _joined(processing, declared_seconds=declared)


def _joined(processing: ProcessingTask, *, declared_seconds: float | None = None) -> Merged:
    """Join the chunks of each channel, and put the channels' segments in the order of time.

    What is not cut yet of ``declared_seconds`` is a gap.
    """
    joined = Merged()
    for channel in channels_of(processing):
        merged = Merger().merge(_chunks(processing, channel, declared_seconds or 0.0))
        if channel is not None:
            label_channel(merged, channel)
        joined.segments.extend(merged.segments)
        joined.gaps.extend(merged.gaps)
        joined.seams.extend(merged.seams)
    if processing.has_separate_channels:
        for rows in (joined.segments, joined.gaps):
            rows.sort(key=lambda row: float(row["start"]))
    return joined


def _chunks(
    processing: ProcessingTask, channel: int | None, declared_seconds: float
) -> Iterator[HeardChunk]:
    """Yield the chunks of a channel, and one for what is still to be cut."""
    chunks = ChunkTask.objects.of(processing.pk).filter(channel=channel).in_order()
    count = end = 0
    for chunk in chunks.iterator(chunk_size=CHUNKS_AT_ONCE):
        yield heard_chunk(chunk)
        count, end = chunk.index + 1, chunk.core_end_sample
    declared = int(declared_seconds * SAMPLE_RATE)
    if end < declared:
        reason = NOT_HEARD_YET if processing.is_active else processing.status.lower()
        yield HeardChunk(count, end, end, declared, declared, None, reason=reason)


def label_channel(merged: Merged, number: int) -> None:
    """Say of each part of a channel which one it is: speakers of two channels are two people."""
    channel = f"channel {number + 1}"
    for segment in merged.segments:
        speaker = segment.get("speaker")
        segment["speaker"] = f"{channel}: {speaker}" if speaker else channel
    for gap in merged.gaps:
        gap["reason"] = f"{channel}: {gap['reason']}"


def heard_chunk(chunk: ChunkTask) -> HeardChunk:
    """Return a chunk as it is joined: what was heard, or why nothing was."""
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
    return (processing.total_samples or 0) / len(channels_of(processing)) / SAMPLE_RATE


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
