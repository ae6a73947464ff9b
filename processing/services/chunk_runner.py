"""Turning one chunk into words."""

from datetime import timedelta
from typing import Any

from caching.backend import get_cache
from caching.invalidation import tags_of
from processing.audio.decode import decode_all
from processing.engines.base import AudioClip, Speech
from processing.engines.registry import get_engine
from processing.exceptions import ProcessingError
from processing.models import ChunkTask, ProcessingTask

CONFIDENCE_DECIMALS = 3

#: What was heard in a chunk is in the cache for so long; after that its row still knows.
KEPT_FOR = timedelta(days=30)


def run_chunk(chunk: ChunkTask) -> dict[str, Any]:
    """Transcribe a claimed chunk and return its result columns.

    Audio that the workspace had transcribed before, with the same request, is answered from
    there; audio that another worker is at just now is waited for. Idempotent: it writes nothing
    but the cache.
    """
    processing = ProcessingTask.objects.with_recordings().get(pk=chunk.processing_id)
    if not processing.is_active:
        raise ProcessingError(f"its processing is {processing.status}")
    recording = processing.transcript.recording
    workspace_id = recording.workspace_id
    is_reused = True

    def hear() -> list[list[list[Any]]]:
        nonlocal is_reused
        known = ChunkTask.objects.heard_before(cache_key=chunk.cache_key, workspace_id=workspace_id)
        if known is not None:
            return known.result or []
        is_reused = False
        return _heard(chunk, processing)

    result = get_cache().get_or_set(
        f"{chunk.cache_key}:{workspace_id}",
        hear,
        KEPT_FOR.total_seconds(),
        tags=tags_of(recording=recording.pk, workspace=workspace_id),
    )
    return {"result": result, "is_reused": is_reused}


def _heard(chunk: ChunkTask, processing: ProcessingTask) -> list[list[list[Any]]]:
    """Return what the engine hears in a chunk, in the shape of ``ChunkTask.result``."""
    transcript = processing.transcript
    with chunk.audio.open("rb") as file:
        samples = decode_all(file.read())
    speech = get_engine(transcript.engine).transcribe(
        AudioClip(samples, chunk.start_sample),
        language=transcript.language,
        parameters=transcript.parameters,
    )
    return _stored(speech)


def _stored(speech: Speech) -> list[list[list[Any]]]:
    return [
        [
            [
                word.word,
                round(word.start, 3),
                round(word.end, 3),
                None if word.confidence is None else round(word.confidence, CONFIDENCE_DECIMALS),
            ]
            for word in segment.words
        ]
        for segment in speech.segments
    ]
