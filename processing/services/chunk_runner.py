"""Turning one chunk into words."""

import logging
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from typing import Any

from caching.backend import get_cache
from caching.invalidation import tags_of
from jobs.exceptions import PermanentError, Postponed, TransientError
from processing.audio.decode import decode_span
from processing.audio.stored_clip import StoredClip
from processing.engines.base import SAMPLE_RATE, AudioClip, Segment, Speech, Timing
from processing.engines.registry import get_engine
from processing.exceptions import BreakerIsOpen, EngineIsAway, ProcessingError
from processing.models import ChunkTask
from processing.services.hearing import JsonObject, speech_of, stored
from processing.services.joining import energy_of
from processing.services.merging.suspicion import missed_speech
from processing.services.merging.timestamps import TimestampAdjuster
from processing.services.orchestrator import engine_after
from processing.services.requesting import engine_parameters, language_for

logger = logging.getLogger(__name__)

#: What was heard in a chunk is in the cache for so long; after that its row still knows.
KEPT_FOR = timedelta(days=30)

#: What an engine has said of a part of a chunk waits so long for what it says of the others.
ANSWERS_KEPT_FOR = timedelta(days=1)

Window = tuple[float, float]


def run_chunk(chunk: ChunkTask) -> dict[str, Any]:
    """Transcribe a claimed chunk and return its result columns.

    Audio that the workspace had transcribed before, with the same request, is answered from
    there; audio that another worker is at just now is waited for. Idempotent: it writes nothing
    but the cache.
    """
    if not chunk.processing.is_active:
        raise ProcessingError(f"its processing is {chunk.processing.status}")
    busy_seconds: float | None = None

    def hear() -> JsonObject:
        nonlocal busy_seconds
        heard_before: JsonObject | None = chunk.result
        if heard_before is not None:
            return heard_before
        began = time.perf_counter()
        speech = _heard(chunk)
        busy_seconds = time.perf_counter() - began
        return stored(speech)

    try:
        result = get_cache().get_or_set(
            _address(chunk), hear, KEPT_FOR.total_seconds(), tags=_tags(chunk)
        )
    except BreakerIsOpen as error:
        if engine_after(chunk) is None:
            raise
        raise EngineIsAway(str(error)) from error
    return {"result": result, "is_reused": busy_seconds is None, "busy_seconds": busy_seconds}


def _address(chunk: ChunkTask) -> str:
    return f"{chunk.cache_key}:{chunk.workspace_id}"


def _tags(chunk: ChunkTask) -> tuple[str, ...]:
    recording = chunk.processing.transcript.recording_id
    return tags_of(recording=recording, workspace=chunk.workspace_id)


def _heard(chunk: ChunkTask) -> Speech:
    """Return what the engine hears in a chunk, and in parts of it where it seems to have slept.

    When it fails for now, what it has said is kept: the next attempt asks only for the rest, so
    that under a rate limit, too, it comes to an end. A part that it fails at for good has no
    words: what was heard of the chunk stays.
    """
    cache, key = get_cache(), f"{_address(chunk)}:answers"
    answers = [speech_of(kept) for kept in cache.get(key, ())] if chunk.attempt > 1 else []
    windows: list[Window] = []
    try:
        energy = energy_of(chunk)
        if energy is not None and energy.is_digital_silence:
            return Speech((), chunk.processing.transcript.language)
        clip = _clip(chunk)
        if not answers:
            answers.append(_asked(chunk, clip))
        windows = [] if energy is None else missed_speech(answers[0], energy)
        for window in windows[len(answers) - 1 :]:
            answers.append(_asked_again(chunk, clip, window, answers[0].language))
    except (TransientError, Postponed):
        if answers:
            kept = [stored(answer) for answer in answers]
            cache.set(key, kept, ANSWERS_KEPT_FOR.total_seconds(), tags=_tags(chunk))
        raise
    return _together(answers, windows)


def _clip(chunk: ChunkTask) -> AudioClip:
    """Return the audio of a chunk, from the recording when its own file is not there.

    A planner that is interrupted in the moment of its commit cannot know of it, and deletes it.
    """
    start, end = chunk.start_sample, chunk.end_sample
    try:
        with chunk.audio.open("rb") as file:
            return StoredClip(file.read(), sample_count=end - start, start_sample=start)
    except FileNotFoundError:
        logger.warning("%s has no file and is cut from the recording again", chunk)
    with chunk.processing.transcript.recording.file.open("rb") as file:
        return AudioClip(decode_span(file, start, end, channel=chunk.channel), start)


def _asked(chunk: ChunkTask, clip: AudioClip) -> Speech:
    engine, transcript = get_engine(chunk.engine), chunk.processing.transcript
    return engine.transcribe(
        clip,
        language=language_for(engine, transcript.language),
        parameters=engine_parameters(engine, transcript.parameters),
    )


def _asked_again(chunk: ChunkTask, clip: AudioClip, window: Window, language: str) -> Speech:
    """Return what is heard in a part of a chunk, on the chunk's clock."""
    first, last = (round(seconds * SAMPLE_RATE) for seconds in window)
    try:
        part = AudioClip(clip.samples[first:last], clip.start_sample + first)
        speech = _asked(chunk, part)
    except PermanentError as error:
        logger.warning("%s: nothing was heard from %.1f to %.1f s: %s", chunk, *window, error)
        return Speech((), language)
    clock = TimestampAdjuster(first, last)
    return replace(
        speech,
        segments=tuple(
            replace(segment, words=tuple(map(clock.word, segment.words)))
            for segment in speech.segments
        ),
    )


def _together(answers: Sequence[Speech], windows: Sequence[Window]) -> Speech:
    """Return the first answer with those to its ``windows`` where they belong."""
    first, *others = answers
    heard = [answer for answer in answers if answer.segments]
    if not any(other.segments for other in others):
        return first
    starts = [start for start, _ in windows]
    pieces = [piece for segment in first.segments for piece in _pieces(segment, starts)]
    pieces += [segment for other in others for segment in other.segments if segment.words]
    return Speech(
        tuple(sorted(pieces, key=lambda piece: piece.words[0].start)),
        heard[0].language,
        max((answer.timing for answer in heard), key=list(Timing).index),
    )


def _pieces(segment: Segment, starts: Sequence[float]) -> Iterator[Segment]:
    """Yield a segment in pieces, between which there are the windows that begin at ``starts``."""
    for _, words in groupby(segment.words, key=lambda word: bisect_left(starts, word.start)):
        yield replace(segment, words=tuple(words))
