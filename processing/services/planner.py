"""Cutting a recording into chunks that workers claim while the cutting goes on."""

from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from jobs import queues
from jobs.models import Job, Worker
from jobs.services.priority import PriorityManager
from processing.audio.chunk_sizer import ChunkSizeRecommendation, DynamicChunkSizer
from processing.audio.decode import decode
from processing.audio.flac import encode_flac
from processing.audio.splitter import Cut, PauseSplitter
from processing.choices import ProcessingStatus
from processing.engines.base import SAMPLE_RATE
from processing.engines.registry import get_engine
from processing.models import ChunkTask, Engine, ProcessingTask
from processing.services.files import delete_file, stored_file
from processing.services.merging.suspicion import Energy
from processing.services.orchestrator import (
    channels_of,
    chunk_directory,
    chunk_key,
    merge_if_settled,
    processing_of,
    queue_of,
)
from processing.services.requesting import question
from processing.workspaces.quotas import charge_rest, take_turn


class _NoLongerWanted(Exception):
    """The processing was cancelled, or failed, while its recording was being cut."""


def plan(job: Job) -> None:
    """Cut the recording and commit each chunk as soon as it is cut.

    Raises ``Postponed`` until it is the run's turn in its workspace. Idempotent: run again, it
    cuts at the same places and keeps the chunks that exist.
    """
    processing = processing_of(job)
    target_seconds = recommended(processing).target_seconds
    with transaction.atomic():
        take_turn(processing)
        if not ProcessingTask.objects.split(processing.pk, chunk_seconds=target_seconds):
            return
    processing.refresh_from_db(fields=["chunk_seconds"])
    existing = set(ChunkTask.objects.of(processing.pk).values_list("index", flat=True))
    total_chunks = total_samples = 0
    try:
        for channel in channels_of(processing):
            first_index = total_chunks
            channel_samples = 0
            for cut in _cuts(processing, channel):
                index = first_index + cut.index
                if index not in existing:
                    _store_chunk(processing, cut, index=index, channel=channel)
                total_chunks, channel_samples = index + 1, cut.core_end
            total_samples += channel_samples
    except _NoLongerWanted:
        delete_file(chunk_directory(processing.pk))  # it was made for the one nobody wants
        return
    charge_rest(processing.transcript_id, heard_seconds=total_samples / SAMPLE_RATE)
    with transaction.atomic():
        if ProcessingTask.objects.process(
            processing.pk, total_chunks=total_chunks, total_samples=total_samples
        ):
            merge_if_settled(processing.pk)


def recommended(processing: ProcessingTask) -> ChunkSizeRecommendation:
    """Return how long the chunks of a run should be, for its engine and who is there for it."""
    engine = get_engine(processing.transcript.engine)
    workers = Worker.objects.live().serving(queue_of(engine)).count()
    at_once = workers * settings.REMOTE_THREADS if engine.is_remote else workers
    limits = (
        engine.limits.max_concurrency,
        processing.max_concurrent_chunks,
        processing.transcript.recording.workspace.max_concurrent_chunks,
    )
    return DynamicChunkSizer().recommend(
        duration_seconds=processing.transcript.recording.duration_seconds,
        worker_count=min([at_once, *(limit for limit in limits if limit is not None)]),
        real_time_factor=Engine.objects.real_time_factor(engine.name),
        limits=engine.limits,
        is_remote=engine.is_remote,
    )


def _cuts(processing: ProcessingTask, channel: int | None) -> Iterator[Cut]:
    splitter = PauseSplitter(target_seconds=processing.chunk_seconds or 0.0)
    with processing.transcript.recording.file.open("rb") as file:
        yield from splitter.split(decode(file, channel=channel))


def _store_chunk(processing: ProcessingTask, cut: Cut, *, index: int, channel: int | None) -> None:
    """Make one chunk claimable; raise when the processing no longer wants any."""
    transcript = processing.transcript
    engine = get_engine(transcript.engine)
    audio_sha256 = sha256(cut.samples.tobytes()).hexdigest()
    energy = Energy.of(cut.envelope.tolist(), threshold_db=cut.pause_db)
    name = f"{chunk_directory(processing.pk)}/{index:06}-{uuid4().hex}.flac"
    with (
        stored_file(BytesIO(encode_flac(cut.samples)), name) as stored_name,
        transaction.atomic(),
    ):
        splitting = ProcessingTask.objects.select_for_update(no_key=True).filter(
            pk=processing.pk, status=ProcessingStatus.SPLITTING
        )
        if not splitting.exists():
            raise _NoLongerWanted
        ChunkTask.objects.create(
            processing=processing,
            workspace_id=transcript.recording.workspace_id,
            queue_name=queue_of(engine),
            index=index,
            channel=channel,
            start_sample=cut.start,
            core_start_sample=cut.core_start,
            core_end_sample=cut.core_end,
            end_sample=cut.end,
            audio=stored_name,
            audio_sha256=audio_sha256,
            loudness=energy.levels,
            pause_db=energy.threshold_db,
            engine=engine.name,
            cache_key=chunk_key(
                audio_sha256, question(engine, transcript.language, transcript.parameters)
            ),
            due_by=PriorityManager().due_by(
                processing.created_at, processing.priority, index=cut.index
            ),
        )
        queues.ring_on_commit(queue_of(engine))
