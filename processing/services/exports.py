"""A transcript as people and programs want it: text, JSON, SRT, WebVTT."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from html import escape
from operator import itemgetter
from pathlib import PurePath
from typing import Any, Protocol
from unicodedata import east_asian_width

from caching.backend import get_cache
from caching.invalidation import tags_of
from processing.engines.spacing import spaced
from processing.models import ProcessingTask, Transcript
from processing.services.joining import heard_so_far
from processing.services.merging.merger import Merged
from processing.services.merging.realignment import timed_words

#: The longest a subtitle stays and the most it holds: two lines of 42 characters, as the
#: BBC's and Netflix's guidelines have it. Those as wide as two, as the Chinese are, count twice.
CUE_SECONDS = 7.0
CUE_CHARACTERS = 84

#: Start, end, who speaks ("" where nobody knows), and what.
Cue = tuple[float, float, str, str]

#: What a segment has only where it says something.
_OPTIONAL = ("speaker", "flags", "is_estimated")
_WORD = ("word", "start", "end", "confidence")
_OF_WORD = ("is_cut", "is_corrected")


class Segmented(Protocol):
    """What is exported as text and subtitles: a transcript, or a translation of one.

    Segments have ``start``, ``end`` and ``text``, and may have ``speaker`` and ``words``.
    """

    segments: Any


#: What was exported is in the cache for so long after it was asked for first.
KEPT_FOR = timedelta(days=1)


def exported(transcript: Transcript, format_name: str, *, has_marked_gaps: bool = False) -> str:
    """Return a readable transcript in a format; its content is read once, and not again.

    ``has_marked_gaps`` is for text, which leaves the gaps out otherwise.
    """
    _, render = FORMATS[format_name]
    if has_marked_gaps:
        format_name, render = f"{format_name}+gaps", as_text_with_gaps
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


def as_text(transcript: Segmented) -> str:
    """One line per segment, with its speaker where that is known; gaps are left out."""
    return "".join(f"{_line(segment)}\n" for segment in transcript.segments)


def as_text_with_gaps(transcript: Transcript) -> str:
    """As ``as_text``, with a line for each gap where it is."""
    lines = [(segment["start"], _line(segment)) for segment in transcript.segments]
    lines += [(gap["start"], f"[not heard: {_one_line(gap['reason'])}]") for gap in transcript.gaps]
    return "".join(f"{line}\n" for _, line in sorted(lines, key=itemgetter(0)))


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
        "segments": segments_of(transcript.segments),
        "gaps": gaps_of(transcript.gaps),
    }


def segments_of(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return segments as programs read them.

    Words say so when their times are estimated, when they were cut at the edge of a gap, and when
    somebody corrected them.
    """
    return [
        _ordered(row, "start", "end", "text")
        | {name: row[name] for name in _OPTIONAL if row.get(name)}
        | {
            "words": [
                _ordered(word, *_WORD) | mark | {name: True for name in _OF_WORD if word.get(name)}
                for word in row["words"]
            ]
        }
        for row in rows
        for mark in [{"is_estimated": True} if row.get("is_estimated") else {}]
    ]


def gaps_of(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_ordered(gap, "start", "end", "reason") for gap in rows]


def content_so_far(transcript: Transcript) -> Merged:
    """Return what there is to read by now; what is missing in it is a gap.

    Of a run that goes on that is what it has heard until now, and so it is of one that was
    stopped when no run before it has completed.
    """
    run = transcript.latest_processing
    if transcript.is_readable and not run.is_active:
        return Merged(transcript.segments, transcript.gaps)
    return heard_in(run)


def heard_in(run: ProcessingTask) -> Merged:
    """Return what a run has heard until now, joined anew; what it has not is a gap.

    Gaps that follow each other for one reason are one.
    """
    heard = heard_so_far(run)
    gaps: list[dict[str, Any]] = []
    latest: dict[str, dict[str, Any]] = {}  # of each reason, as channels have gaps at one time
    for gap in heard.gaps:
        before = latest.get(gap["reason"])
        if before is not None and before["end"] == gap["start"]:
            before["end"] = gap["end"]
        else:
            latest[gap["reason"]] = gap
            gaps.append(gap)
    return replace(heard, gaps=gaps)


def _ordered(row: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return ``row`` in the documented order, which PostgreSQL's jsonb does not keep."""
    return {name: row[name] for name in names}


def as_srt(transcript: Segmented) -> str:
    """SubRip: numbered cues with ``HH:MM:SS,mmm``; who speaks is a part of the text."""
    cues = (
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{_label(speaker)}{text}\n"
        for number, (start, end, speaker, text) in enumerate(
            _cues(transcript, shows_speaker=True), start=1
        )
    )
    return "\n".join(cues)


def as_vtt(transcript: Segmented) -> str:
    """WebVTT, in which ``&``, ``<`` and ``>`` are markup; the header stands without a cue.

    Who speaks is a voice span, which ends with its cue.
    """
    cues = (
        f"\n{_clock(start, '.')} --> {_clock(end, '.')}\n{_voice(speaker)}"
        f"{escape(text, quote=False)}\n"
        for start, end, speaker, text in _cues(transcript)
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


def _line(segment: dict[str, Any]) -> str:
    return f"{_label(_speaker(segment))}{segment['text']}"


def _speaker(segment: dict[str, Any]) -> str:
    return _one_line(segment.get("speaker", ""))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _label(speaker: str) -> str:
    return f"{speaker}: " if speaker else ""


def _voice(speaker: str) -> str:
    return f"<v {escape(speaker, quote=False)}>" if speaker else ""


def _cues(transcript: Segmented, *, shows_speaker: bool = False) -> Iterator[Cue]:
    """Yield the cues; where the text shows who speaks, it has so much less room."""
    for segment in transcript.segments:
        speaker = _speaker(segment)
        room = CUE_CHARACTERS - (len(_label(speaker)) if shows_speaker else 0)
        line: list[dict[str, Any]] = []
        for word in timed_words(segment):
            is_full = _width([*line, word]) > room
            if line and (is_full or word["end"] - line[0]["start"] > CUE_SECONDS):
                yield _cue(line, speaker)
                line = []
            line.append(word)
        if line:
            yield _cue(line, speaker)


def _cue(words: list[dict[str, Any]], speaker: str) -> Cue:
    return words[0]["start"], words[-1]["end"], speaker, _text(words)


def _text(words: list[dict[str, Any]]) -> str:
    return spaced(word["word"] for word in words)


def _width(words: list[dict[str, Any]]) -> int:
    text = _text(words)
    return len(text) + sum(east_asian_width(letter) in "WF" for letter in text)


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"
