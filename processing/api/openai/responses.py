"""Transcripts and their translations in the shapes of OpenAI's answers."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from itertools import count
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse, JsonResponse

from processing.api.openai.errors import OpenAIError
from processing.api.openai.requests import (
    DIARIZED,
    JSON,
    SEGMENT,
    SRT,
    TEXT,
    VERBOSE,
    VTT,
    WORD,
    AudioRequest,
)
from processing.engines.base import AUTO
from processing.engines.languages import LANGUAGES, language_code
from processing.engines.spacing import spaced
from processing.services.exports import as_srt, as_vtt, gaps_of
from processing.services.merging.realignment import timed_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from processing.models import Transcript, Translation

ENGLISH = "en"

#: Names of the two tasks.
TRANSCRIBE, TRANSLATE = "transcribe", "translate"

#: Says in the header of an answer how many parts of the recording were not heard, and how many
#: seconds these are; not there when all was heard. An Item of RFC 8941: ``2; seconds=14.5``.
GAPS_HEADER = "longhand-gaps"

#: The language that nobody knows, and who speaks where the engine, which else tells speakers
#: apart, did not.
UNKNOWN = "unknown"

#: Frames of Whisper, which ``seek`` counts, in a second.
FRAMES_PER_SECOND = 100


@dataclass
class Spoken:
    """What was said in a recording; ``language`` is of the text, empty where nobody knows."""

    task: str
    text: str
    segments: Sequence[dict[str, Any]]
    gaps: Sequence[dict[str, Any]]
    language: str
    duration_seconds: float

    @property
    def gap_seconds(self) -> float:
        return sum(float(gap["end"] - gap["start"]) for gap in self.gaps)


def transcribed(transcript: Transcript) -> Spoken:
    return Spoken(
        TRANSCRIBE,
        transcript.text,
        transcript.segments,
        gaps_of(transcript.gaps),
        heard_language(transcript),
        transcript.duration_seconds or 0.0,
    )


def translated(transcript: Transcript, translation: Translation) -> Spoken:
    return Spoken(
        TRANSLATE,
        spaced(segment["text"] for segment in translation.segments),
        translation.segments,
        gaps_of(transcript.gaps),
        ENGLISH,
        transcript.duration_seconds or 0.0,
    )


def heard_language(transcript: Transcript) -> str:
    """Return the language of a transcript (ISO 639-1), empty where nobody knows it."""
    language = transcript.heard_language or transcript.language
    return "" if language == AUTO else language_code(language) or language


def answer(spoken: Spoken, asked: AudioRequest) -> HttpResponse:
    """Return what was said as it was asked for; raise ``OpenAIError`` when nobody told who spoke.

    Of a recording that was heard in part the answer is that part, and says so.
    """
    body = _BODIES[asked.response_format](spoken, asked)
    if isinstance(body, dict):
        response: HttpResponse = JsonResponse(body | unheard(spoken))
    else:
        response = HttpResponse(body, content_type=_CONTENT_TYPES[asked.response_format])
    if spoken.gaps:
        response[GAPS_HEADER] = f"{len(spoken.gaps)}; seconds={spoken.gap_seconds:.3f}"
    return response


def unheard(spoken: Spoken) -> dict[str, Any]:
    """Return ``gaps``, which is not OpenAI's: what was not heard, and why; nothing for none."""
    return {"gaps": spoken.gaps} if spoken.gaps else {}


def languages_of(spoken: Spoken) -> list[dict[str, str]]:
    return [{"code": spoken.language}] if spoken.language else []


class SpeakerLabels:
    """Names speakers A, B, C in the order in which they speak; those that are known keep theirs."""

    def __init__(self, known: Iterable[str]) -> None:
        self._labels = {name.casefold(): name for name in known}
        self._letters = (letter * times for times in count(1) for letter in ascii_uppercase)

    def label(self, speaker: str | None) -> str:
        if not speaker:
            return UNKNOWN
        key = speaker.casefold()
        if key not in self._labels:
            self._labels[key] = next(self._letters)
        return self._labels[key]


def diarized_segment(number: int, segment: dict[str, Any], labels: SpeakerLabels) -> dict[str, Any]:
    """Return one segment with who speaks; ``number`` counts from 1."""
    return {
        "type": "transcript.text.segment",
        "id": f"seg_{number:03}",
        "start": segment["start"],
        "end": segment["end"],
        "text": segment["text"],
        "speaker": labels.label(segment.get("speaker")),
    }


def check_diarized(spoken: Spoken) -> None:
    """Raise ``OpenAIError`` when there is speech and nobody told speakers apart."""
    if spoken.segments and not any(segment.get("speaker") for segment in spoken.segments):
        raise OpenAIError(
            f"response_format '{DIARIZED}' is not compatible with this model, which does not tell "
            f"speakers apart. Use '{VERBOSE}' instead, or an engine that does; a recording with "
            "one speaker in each channel is told apart with channels=separate.",
            param="response_format",
            code="unsupported_value",
        )


def _json(spoken: Spoken, asked: AudioRequest) -> dict[str, Any]:
    return {"text": spoken.text, "languages": languages_of(spoken), "usage": _usage(spoken)}


def _verbose(spoken: Spoken, asked: AudioRequest) -> dict[str, Any]:
    """Return segments unless words alone are asked for, and words where they are."""
    granularities = asked.granularities or {SEGMENT}
    body = {
        "task": spoken.task,
        "language": LANGUAGES.get(spoken.language, spoken.language or UNKNOWN),
        "duration": spoken.duration_seconds,
        "text": spoken.text,
    }
    if SEGMENT in granularities:
        body["segments"] = [
            _segment(number, segment, asked.temperature)
            for number, segment in enumerate(spoken.segments)
        ]
    if WORD in granularities:
        body["words"] = [
            {name: word[name] for name in ("word", "start", "end")}
            for segment in spoken.segments
            for word in timed_words(segment)
        ]
    return body | {"usage": _usage(spoken)}


def _segment(number: int, segment: dict[str, Any], temperature: float) -> dict[str, Any]:
    """Return a segment as Whisper has it.

    ``avg_logprob`` is of the confidences of its words, 0 where the engine tells none; there are no
    tokens of ours, and what was no speech is in no segment.
    """
    text = f" {segment['text']}"
    return {
        "id": number,
        "seek": int(segment["start"] * FRAMES_PER_SECOND),
        "start": segment["start"],
        "end": segment["end"],
        "text": text,
        "tokens": [],
        "temperature": temperature,
        "avg_logprob": _avg_logprob(segment.get("words", ())),
        "compression_ratio": _compression_ratio(text),
        "no_speech_prob": 0.0,
    }


def _avg_logprob(words: Iterable[dict[str, Any]]) -> float:
    logprobs = [math.log(p) for word in words if (p := word.get("confidence"))]
    return sum(logprobs) / len(logprobs) if logprobs else 0.0


def _compression_ratio(text: str) -> float:
    """Return bytes of a text by bytes of it compressed, as ``whisper.utils`` has it."""
    letters = text.encode()
    return len(letters) / len(zlib.compress(letters))


def _diarized(spoken: Spoken, asked: AudioRequest) -> dict[str, Any]:
    check_diarized(spoken)
    labels = SpeakerLabels(asked.known_speakers)
    segments = [
        diarized_segment(number, segment, labels)
        for number, segment in enumerate(spoken.segments, start=1)
    ]
    return {
        "task": spoken.task,
        "duration": spoken.duration_seconds,
        "text": "\n".join(f"{segment['speaker']}: {segment['text']}" for segment in segments),
        "segments": segments,
        "usage": _usage(spoken),
    }


def _usage(spoken: Spoken) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(spoken.duration_seconds)}


def _text(spoken: Spoken, asked: AudioRequest) -> str:
    return f"{spoken.text}\n"


def _srt(spoken: Spoken, asked: AudioRequest) -> str:
    return as_srt(spoken)


def _vtt(spoken: Spoken, asked: AudioRequest) -> str:
    """Return WebVTT; the header has its blank line also where nothing follows."""
    return as_vtt(spoken) if spoken.segments else "WEBVTT\n\n"


_BODIES: dict[str, Callable[[Spoken, AudioRequest], dict[str, Any] | str]] = {
    JSON: _json,
    TEXT: _text,
    SRT: _srt,
    VERBOSE: _verbose,
    VTT: _vtt,
    DIARIZED: _diarized,
}
_CONTENT_TYPES = {
    TEXT: "text/plain; charset=utf-8",
    SRT: "text/plain; charset=utf-8",
    VTT: "text/vtt; charset=utf-8",
}
