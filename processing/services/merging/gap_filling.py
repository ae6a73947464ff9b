"""Hearing more of a transcript that people have corrected, without losing what they wrote."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from processing.engines.spacing import spaced

JsonObject = dict[str, Any]

#: How channels that are heard by themselves begin the names of speakers and the reasons of gaps.
CHANNEL = re.compile(r"channel \d+")

#: A word that was cut at the edge of a gap lies so near to it.
CUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Window:
    """A stretch in which the new words count, of one channel where there are several."""

    start: float
    end: float
    channel: str

    def has(self, word: JsonObject) -> bool:
        middle = (word["start"] + word["end"]) / 2
        return bool(self.start <= middle <= self.end)


def with_corrections(
    old_segments: Sequence[JsonObject],
    old_gaps: Sequence[JsonObject],
    new_segments: Sequence[JsonObject],
    new_gaps: Sequence[JsonObject],
) -> tuple[list[JsonObject], list[JsonObject]]:
    """Return segments and gaps of a corrected transcript of which more was heard.

    What was heard in the former gaps is added, and a word that was cut at the edge of one is
    taken from there. All else stays as people left it, and so do words they wrote inside of what
    was a gap. What is a gap now is one only where it was before.
    """
    windows = [
        _widened(_Window(gap["start"], gap["end"], _channel(gap["reason"])), old_segments)
        for gap in old_gaps
    ]
    kept, written = [], []
    for segment, inside in _inside(old_segments, windows):
        words = [word for word, is_in in inside if word.get("is_corrected") or not is_in]
        written += [(word, channel_of(segment)) for word, is_in in inside if is_in]
        kept += _part(segment, words)
    written = [(word, channel) for word, channel in written if word.get("is_corrected")]
    for segment, inside in _inside(new_segments, windows):
        taken = [word for word, channel in written if channel == channel_of(segment)]
        words = [
            word
            for word, is_in in inside
            if is_in and not any(_overlap(word, other) for other in taken)
        ]
        kept += _part(segment, words)
    return sorted(kept, key=itemgetter("start")), _within(new_gaps, old_gaps)


def channel_of(segment: JsonObject) -> str:
    """Return which channel a segment was heard in, empty where all were mixed.

    The name of its speaker says so, or ``channel`` where that was corrected.
    """
    return str(segment.get("channel") or _channel(segment.get("speaker", "")))


def _channel(text: str) -> str:
    found = CHANNEL.match(text)
    return found[0] if found else ""


def _widened(gap: _Window, segments: Sequence[JsonObject]) -> _Window:
    """Return a gap with the words that were cut at its edges."""
    start, end = gap.start, gap.end
    for segment in segments:
        if channel_of(segment) == gap.channel:
            for word in segment["words"]:
                if word.get("is_cut") and (
                    gap.start - CUT_SECONDS < word["end"] and word["start"] < gap.end + CUT_SECONDS
                ):
                    start, end = min(start, word["start"]), max(end, word["end"])
    return _Window(start, end, gap.channel)


def _inside(
    segments: Iterable[JsonObject], windows: Sequence[_Window]
) -> Iterator[tuple[JsonObject, list[tuple[JsonObject, bool]]]]:
    """Yield each segment, and its words with whether they are in a window."""
    for segment in segments:
        channel = channel_of(segment)
        near = [
            window
            for window in windows
            if window.channel == channel
            and window.start <= segment["end"]
            and segment["start"] <= window.end
        ]
        yield segment, [(word, any(w.has(word) for w in near)) for word in segment["words"]]


def _part(segment: JsonObject, words: list[JsonObject]) -> list[JsonObject]:
    """Return what of a segment these words are: all of it as it is, or a part, or nothing."""
    if not words or len(words) == len(segment["words"]):
        return [segment] if words else []
    return [
        segment
        | {
            "start": words[0]["start"],
            "end": words[-1]["end"],
            "text": spaced(word["word"] for word in words),
            "words": words,
        }
    ]


def _overlap(one: JsonObject, other: JsonObject) -> bool:
    return bool(one["start"] < other["end"] and other["start"] < one["end"])


def _within(gaps: Iterable[JsonObject], former: Sequence[JsonObject]) -> list[JsonObject]:
    """Return what of each gap is in one of the former ones."""
    parts = [
        gap | {"start": max(gap["start"], old["start"]), "end": min(gap["end"], old["end"])}
        for gap in gaps
        for old in former
        if _channel(gap["reason"]) == _channel(old["reason"])
    ]
    return [part for part in parts if part["start"] < part["end"]]
