"""Turning one chunk into words."""

from typing import Any

from processing.audio.decode import decode_all
from processing.engines.base import AudioClip, Speech
from processing.engines.registry import get_engine
from processing.exceptions import ProcessingError
from processing.models import ChunkTask, ProcessingTask

CONFIDENCE_DECIMALS = 3


def run_chunk(chunk: ChunkTask) -> dict[str, Any]:
    """Transcribe a claimed chunk and return its result columns.

    Audio that the workspace had transcribed before, with the same request, is answered from
    there. Idempotent: it writes nothing itself.
    """
    processing = ProcessingTask.objects.with_recordings().get(pk=chunk.processing_id)
    transcript = processing.transcript
    if not processing.is_active:
        raise ProcessingError(f"its processing is {processing.status}")
    known = ChunkTask.objects.heard_before(
        cache_key=chunk.cache_key, workspace_id=transcript.recording.workspace_id
    )
    if known is not None:
        return {"result": known.result, "is_reused": True}
    with chunk.audio.open("rb") as file:
        samples = decode_all(file.read())
    speech = get_engine(transcript.engine).transcribe(
        AudioClip(samples, chunk.start_sample),
        language=transcript.language,
        parameters=transcript.parameters,
    )
    return {"result": _stored(speech)}


def _stored(speech: Speech) -> list[list[list[Any]]]:
    """Return speech in the shape of ``ChunkTask.result``."""
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
