"""Turning one chunk into words."""

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from caching.backend import get_cache
from caching.invalidation import tags_of
from processing.audio.decode import decode_all
from processing.engines.base import SAMPLE_RATE, AudioClip, Segment, Speech, SpeechEngine, Word
from processing.engines.registry import get_engine
from processing.exceptions import BreakerIsOpen, EngineIsAway, ProcessingError
from processing.models import ChunkTask, ProcessingTask, Transcript
from processing.services.hearing import JsonObject, stored
from processing.services.joining import energy_of
from processing.services.orchestrator import engine_after
from processing.services.requesting import engine_parameters
from processing.services.suspicion import missed_speech

#: What was heard in a chunk is in the cache for so long; after that its row still knows.
KEPT_FOR = timedelta(days=30)


def run_chunk(chunk: ChunkTask) -> dict[str, Any]:
    """Transcribe a claimed chunk and return its result columns.

    Audio that the workspace had transcribed before, with the same request, is answered from
    there; audio that another worker is at just now is waited for. Idempotent: it writes nothing
    but the cache.
    """
    chunk.processing = ProcessingTask.objects.with_recordings().get(pk=chunk.processing_id)
    if not chunk.processing.is_active:
        raise ProcessingError(f"its processing is {chunk.processing.status}")
    busy_seconds: float | None = None

    def hear() -> JsonObject:
        nonlocal busy_seconds
        known = ChunkTask.objects.heard_before(
            cache_key=chunk.cache_key, workspace_id=chunk.workspace_id
        )
        if known is not None and known.result is not None:
            return dict(known.result)
        began = time.perf_counter()
        speech = _heard(chunk)
        busy_seconds = time.perf_counter() - began
        return stored(speech)

    try:
        result = get_cache().get_or_set(
            f"{chunk.cache_key}:{chunk.workspace_id}",
            hear,
            KEPT_FOR.total_seconds(),
            tags=tags_of(
                recording=chunk.processing.transcript.recording_id, workspace=chunk.workspace_id
            ),
        )
    except BreakerIsOpen as error:
        if engine_after(chunk) is None:
            raise
        raise EngineIsAway(str(error)) from error
    return {"result": result, "is_reused": busy_seconds is None, "busy_seconds": busy_seconds}


def _heard(chunk: ChunkTask) -> Speech:
    """Return what the engine hears in a chunk, and in parts of it where it seems to have slept."""
    engine, transcript = get_engine(chunk.engine), chunk.processing.transcript
    with chunk.audio.open("rb") as file:
        clip = AudioClip(decode_all(file.read()), chunk.start_sample)
    speech = _asked(engine, transcript, clip)
    energy = energy_of(chunk)
    if energy is None:
        return speech
    missed = missed_speech(speech, energy)
    again = [_part(engine, transcript, clip, start, end) for start, end in missed]
    segments = [*speech.segments, *(segment for part in again for segment in part)]
    segments.sort(key=lambda segment: segment.words[0].start)
    return replace(speech, segments=tuple(segments))


def _asked(engine: SpeechEngine, transcript: Transcript, clip: AudioClip) -> Speech:
    return engine.transcribe(
        clip,
        language=transcript.language,
        parameters=engine_parameters(engine, transcript.parameters),
    )


def _part(
    engine: SpeechEngine, transcript: Transcript, clip: AudioClip, start: float, end: float
) -> list[Segment]:
    """Return what is heard in a part of a clip, on the clip's clock."""
    first, last = round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)
    part = AudioClip(clip.samples[first:last], clip.start_sample + first)
    offset = first / SAMPLE_RATE
    return [
        replace(segment, words=tuple(_moved(word, offset) for word in segment.words))
        for segment in _asked(engine, transcript, part).segments
    ]


def _moved(word: Word, seconds: float) -> Word:
    return replace(word, start=word.start + seconds, end=word.end + seconds)
