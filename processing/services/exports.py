"""A transcript as people and programs want it: text, JSON, SRT, WebVTT."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import escape
from pathlib import PurePath
from typing import Any

from caching.backend import get_cache
from caching.invalidation import tags_of
from processing.models import Transcript

#: The longest a subtitle stays and the most it holds: two lines of 42 characters, as the
#: BBC's and Netflix's guidelines have it.
CUE_SECONDS = 7.0
CUE_CHARACTERS = 84

Cue = tuple[float, float, str]


#: What was exported is in the cache for so long after it was asked for first.
KEPT_FOR = timedelta(days=1)


def exported(transcript: Transcript, format_name: str) -> str:
    """Return a readable transcript in a format; its content is read once, and not again."""
    _, render = FORMATS[format_name]
    recording = transcript.recording
    return str(
        get_cache().get_or_set(
            f"export:{format_name}:{transcript.pk}",
            lambda: render(Transcript.objects.get(pk=transcript.pk)),
            KEPT_FOR.total_seconds(),
            tags=tags_of(
                transcript=transcript.pk,
                recording=recording.pk,
                workspace=recording.workspace_id,
            ),
        )
    )


def as_text(transcript: Transcript) -> str:
    """One line per segment; gaps are left out."""
    return "".join(f"{segment['text']}\n" for segment in transcript.segments)


def as_json(transcript: Transcript) -> str:
    """Everything that is known, on the recording's clock in seconds."""
    return json.dumps(as_dict(transcript), ensure_ascii=False, indent=2) + "\n"


def as_dict(transcript: Transcript) -> dict[str, Any]:
    """Return ``text, duration, language, engine, segments, gaps``."""
    return {
        "text": transcript.text,
        "duration": transcript.duration_seconds,
        "language": transcript.language,
        "engine": transcript.engine,
        "segments": [
            _ordered(segment, "start", "end", "text")
            | {"words": [_ordered(w, "word", "start", "end", "confidence") for w in words]}
            for segment in transcript.segments
            for words in [segment["words"]]
        ],
        "gaps": [_ordered(gap, "start", "end", "reason") for gap in transcript.gaps],
    }


def _ordered(row: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return ``row`` in the documented order, which PostgreSQL's jsonb does not keep."""
    return {name: row[name] for name in names}


def as_srt(transcript: Transcript) -> str:
    """SubRip: numbered cues with ``HH:MM:SS,mmm``."""
    cues = (
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{text}\n"
        for number, (start, end, text) in enumerate(_cues(transcript), start=1)
    )
    return "\n".join(cues)


def as_vtt(transcript: Transcript) -> str:
    """WebVTT, in which ``&``, ``<`` and ``>`` are markup; the header stands without a cue."""
    cues = (
        f"\n{_clock(start, '.')} --> {_clock(end, '.')}\n{escape(text, quote=False)}\n"
        for start, end, text in _cues(transcript)
    )
    return "WEBVTT\n" + "".join(cues)


#: format -> (content type, renderer)
FORMATS: dict[str, tuple[str, Callable[[Transcript], str]]] = {
    "text": ("text/plain; charset=utf-8", as_text),
    "json": ("application/json", as_json),
    "srt": ("application/x-subrip; charset=utf-8", as_srt),
    "vtt": ("text/vtt; charset=utf-8", as_vtt),
}


def file_name(transcript: Transcript, format_name: str) -> str:
    """Return what an export is called on somebody's disk: after its recording."""
    extension = "txt" if format_name == "text" else format_name
    return f"{PurePath(transcript.recording.name).stem}.{extension}"


def _cues(transcript: Transcript) -> Iterator[Cue]:
    for segment in transcript.segments:
        line: list[dict[str, Any]] = []
        for word in segment["words"]:
            characters = sum(len(w["word"]) + 1 for w in line) + len(word["word"])
            if line and (
                characters > CUE_CHARACTERS or word["end"] - line[0]["start"] > CUE_SECONDS
            ):
                yield _cue(line)
                line = []
            line.append(word)
        if line:
            yield _cue(line)


def _cue(words: list[dict[str, Any]]) -> Cue:
    return words[0]["start"], words[-1]["end"], " ".join(w["word"] for w in words)


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"
