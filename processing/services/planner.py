"""Cutting a recording into chunks that workers claim while the cutting goes on."""

from io import BytesIO
from uuid import uuid4

from django.db import transaction

from caching.keys import ContentAddresser
from jobs import queues
from jobs.models import Job, Worker
from jobs.services.priority import PriorityManager
from processing.audio.chunk_sizer import DynamicChunkSizer
from processing.audio.decode import decode
from processing.audio.flac import encode_flac
from processing.audio.splitter import Cut, PauseSplitter
from processing.choices import CHUNK_QUEUE, ProcessingStatus
from processing.engines.registry import get_engine
from processing.models import ChunkTask, ProcessingTask
from processing.services.files import stored_file
from processing.services.orchestrator import merge_if_settled, processing_of, question


class _NoLongerWanted(Exception):
    """The processing was cancelled, or failed, while its recording was being cut."""


def plan(job: Job) -> None:
    """Cut the recording and commit each chunk as soon as it is cut.

    Idempotent: run again, it cuts at the same places and keeps the chunks that exist.
    """
    processing = processing_of(job)
    recording = processing.transcript.recording
    recommendation = DynamicChunkSizer().recommend(
        duration_seconds=recording.duration_seconds,
        worker_count=Worker.objects.live().serving(CHUNK_QUEUE).count(),
    )
    if not ProcessingTask.objects.split(processing.pk, chunk_seconds=recommendation.target_seconds):
        return
    processing.refresh_from_db(fields=["chunk_seconds"])
    existing = set(ChunkTask.objects.of(processing.pk).values_list("index", flat=True))
    splitter = PauseSplitter(target_seconds=processing.chunk_seconds or 0.0)
    total_chunks = total_samples = 0
    try:
        with recording.file.open("rb") as file:
            for cut in splitter.split(decode(file)):
                if cut.index not in existing:
                    _store_chunk(processing, cut)
                total_chunks, total_samples = cut.index + 1, cut.core_end
    except _NoLongerWanted:
        return
    with transaction.atomic():
        if ProcessingTask.objects.process(
            processing.pk, total_chunks=total_chunks, total_samples=total_samples
        ):
            merge_if_settled(processing)


def _store_chunk(processing: ProcessingTask, cut: Cut) -> None:
    """Make one chunk claimable; raise when the processing no longer wants any."""
    transcript = processing.transcript
    engine = get_engine(transcript.engine)
    cache_key = ContentAddresser().key(
        "chunk",
        cut.samples.tobytes(),
        question(engine, transcript.language, transcript.parameters),
    )
    name = f"chunks/{processing.pk}/{cut.index:06}-{uuid4().hex}.flac"
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
            queue_name=CHUNK_QUEUE,
            index=cut.index,
            start_sample=cut.start,
            core_start_sample=cut.core_start,
            core_end_sample=cut.core_end,
            end_sample=cut.end,
            audio=stored_name,
            cache_key=cache_key,
            due_by=PriorityManager().due_by(
                processing.created_at, processing.priority, index=cut.index
            ),
        )
        transaction.on_commit(lambda: _ring_chunks(), robust=True)


def _ring_chunks() -> None:
    queues.ring(CHUNK_QUEUE)
