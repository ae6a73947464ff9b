"""Words on the clock of a clip: whatever times a provider gives, in order and without overlap."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

#: The least that a word lasts, unless more words are in a clip than have room so.
MIN_SECONDS = 0.01

#: A start that is further outside the clip is no start; models miss its edges by less.
SLACK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Span:
    """When something is said to have been said, in seconds; None for an unknown time."""

    start: float | None = None
    end: float | None = None

    @classmethod
    def of(cls, start: Any, end: Any) -> "Span":
        """Read the times of an answer: numbers or strings of them, perhaps in the wrong order."""
        times = _seconds(start), _seconds(end)
        if times[0] is not None and times[1] is not None:
            times = min(times[0], times[1]), max(times[0], times[1])
        return cls(*times)


UNKNOWN = Span()


def place(
    spans: Sequence[Span], lengths: Sequence[int], *, begin: float, end: float
) -> list[tuple[float, float]]:
    """Return for each span, in the order given, a start and an end between ``begin`` and ``end``.

    Spans whose start fits into the longest row of rising starts keep their times, as far as they
    are inside and do not overlap; those between them share the room there in proportion to their
    ``lengths`` (of text). Nothing is empty as long as ``end`` is after ``begin``.
    """
    spans = [_clamped(span, begin, end) for span in spans]
    anchors = _rising([span.start for span in spans])
    guesses: list[tuple[float, float]] = []
    for anchor in [*anchors, len(spans)]:
        first = len(guesses)
        room_begin = guesses[-1][1] if guesses else begin
        room_end = spans[anchor].start if anchor < len(spans) else end
        guesses += share(lengths[first:anchor], room_begin, max(room_end or 0.0, room_begin))
        if anchor < len(spans):
            guesses.append(_guess(spans[anchor]))
    return separate(guesses, begin, end)


def share(lengths: Sequence[int], begin: float, end: float) -> list[tuple[float, float]]:
    """Return a start and an end for each, as long as its part of all ``lengths``."""
    ends = list(accumulate(lengths))
    whole = ends[-1] if ends else 1
    edges = [begin, *(begin + (end - begin) * edge / whole for edge in ends)]
    return list(pairwise(edges))


def separate(
    spans: Sequence[tuple[float, float]], begin: float, end: float
) -> list[tuple[float, float]]:
    """Shorten and move spans as little as gives each its least room and lets none overlap."""
    least = min(MIN_SECONDS, (end - begin) / max(len(spans), 1))
    placed: list[tuple[float, float]] = []
    free_from = begin
    for index, (start, stop) in enumerate(spans):
        rest = len(spans) - index - 1
        start = max(free_from, min(start, end - (rest + 1) * least))
        if rest:
            stop = min(stop, spans[index + 1][0])
        stop = min(max(stop, start + least), max(end - rest * least, start))
        placed.append((start, stop))
        free_from = stop
    return placed


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) else None


def _clamped(span: Span, begin: float, end: float) -> Span:
    start, stop = span.start, span.end
    if start is not None:
        is_near = begin - SLACK_SECONDS <= start <= end + SLACK_SECONDS
        start = min(max(start, begin), end) if is_near else None
    return Span(start, None if stop is None else min(max(stop, begin), end))


def _guess(span: Span) -> tuple[float, float]:
    start = span.start or 0.0
    return start, start if span.end is None else span.end


def _rising(starts: Sequence[float | None]) -> list[int]:
    """Return the indices of the longest row of known starts that does not fall.

    Patience sorting, from the end: of rows of one length it finds that of the earlier words.
    """
    tails: list[float] = []
    first: list[int] = []
    after: dict[int, int | None] = {}
    for index, start in reversed(list(enumerate(starts))):
        if start is None:
            continue
        rank = bisect_right(tails, -start)
        tails[rank : rank + 1] = [-start]
        first[rank : rank + 1] = [index]
        after[index] = first[rank - 1] if rank else None
    row: list[int] = []
    index_or_none = first[-1] if first else None
    while index_or_none is not None:
        row.append(index_or_none)
        index_or_none = after[index_or_none]
    return row
