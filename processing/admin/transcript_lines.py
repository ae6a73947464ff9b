"""The lines of a transcript as HTML: segments word by word, gaps, and the seams between words.

Scripts find a word by ``data-start`` and ``data-end``, which are seconds on the recording's clock,
and a segment also by ``data-index``, its number in the transcript.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from processing.admin.marks import (
    CORRECTED,
    CUT,
    SEAM,
    UNSURE,
    mark_named,
    mark_of_gap,
    marks_of_segment,
    marks_of_word,
)
from processing.engines.spacing import is_spaceless
from processing.services.merging.realignment import timed_words
from processing.services.progress import clock

if TYPE_CHECKING:
    from processing.services.merging.merger import Merged

JsonObject = Mapping[str, Any]

#: Marks that are seen at words; the others stand after their segment.
AT_WORDS = {UNSURE, CUT, CORRECTED, SEAM}

NONE = SafeString("")


def lines_of(content: Merged, *, first: int = 0) -> SafeString:
    """Return segments and gaps in the order of time; ``first`` is the index of the first segment.

    A seam stands before the first word after it.
    """
    seams = deque(sorted(content.seams, key=lambda seam: float(seam["at"])))
    lines: list[tuple[float, SafeString]] = []
    for index, segment in enumerate(content.segments, start=first):
        is_last = index == first + len(content.segments) - 1
        joined = []
        while seams and (is_last or seams[0]["at"] <= segment["end"]):
            joined.append(seams.popleft())
        lines.append((segment["start"], segment_line(index, segment, joined)))
    lines += [(gap["start"], _gap_line(gap)) for gap in content.gaps]
    lines.sort(key=lambda line: line[0])
    return format_html_join("\n", "{}", ((line,) for _, line in lines))


def segment_line(index: int, segment: JsonObject, seams: Iterable[JsonObject] = ()) -> SafeString:
    """Return one segment, with the seams in it."""
    marks = marks_of_segment(segment)
    seams = deque(seams)
    if seams:
        marks[SEAM] += len(seams)
    return format_html(
        '<p class="segment" id="segment-{0}" data-index="{0}" data-start="{1}" data-end="{2}"'
        ' data-marks="{3}"><time>{4}</time>{5}<span class="said" dir="auto">{6}</span>{7}</p>',
        index,
        segment["start"],
        segment["end"],
        " ".join(marks),
        clock(segment["start"]),
        _speaker(segment.get("speaker", "")),
        format_html_join("", "{}{}", _words(segment, seams)),
        _chips(name for name in marks if name not in AT_WORDS),
    )


def _words(segment: JsonObject, seams: deque[JsonObject]) -> Iterator[tuple[str, SafeString]]:
    """Yield each word and seam with the space before it."""
    before = ""
    for word in timed_words(dict(segment)):
        text = word["word"]
        space = " " if before and text and not is_spaceless(before[-1], text[0]) else ""
        while seams and seams[0]["at"] <= word["start"]:
            yield space, _seam(seams.popleft())
            space = ""
        yield space, _word(word)
        before = text or before
    for seam in seams:
        yield " ", _seam(seam)


def _word(word: JsonObject) -> SafeString:
    marks = marks_of_word(word)
    if not marks:
        return format_html(
            '<span class="word" data-start="{}" data-end="{}">{}</span>',
            word["start"],
            word["end"],
            word["word"],
        )
    sure = f"{word['confidence']:.0%} sure" if UNSURE in marks else ""
    said = "; ".join(filter(None, (sure, *(mark_named(m).label for m in marks if m != UNSURE))))
    return format_html(
        '<span class="word {}" data-start="{}" data-end="{}" title="{}">{}</span>',
        " ".join(marks),
        word["start"],
        word["end"],
        said,
        word["word"],
    )


def _seam(seam: JsonObject) -> SafeString:
    return format_html(
        '<span class="seam" role="img" aria-label="Seam" title="Chunks {} and {} were joined here,'
        ' at {}: by {}, {} words alike">⋈</span>',
        seam["left_chunk"],
        seam["right_chunk"],
        clock(seam["at"]),
        seam["method"],
        seam["matched"],
    )


def _speaker(name: str) -> SafeString:
    return format_html('<b class="speaker">{}</b>', name) if name else NONE


def _chips(names: Iterable[str]) -> SafeString:
    """Return what is to be said of a whole segment, in words."""
    marks = [mark_named(name) for name in names]
    return format_html_join(
        "",
        ' <abbr class="chip {}" title="{}">{}</abbr>',
        ((mark.name, mark.meaning, mark.sample or mark.label.lower()) for mark in marks),
    )


def _gap_line(gap: JsonObject) -> SafeString:
    kind = mark_of_gap(gap)
    return format_html(
        '<p class="{0}" data-marks="{0}" data-start="{1}" data-end="{2}"><time>{3} to {4}</time>'
        "<span>{5}{6}</span></p>",
        kind,
        gap["start"],
        gap["end"],
        clock(gap["start"]),
        clock(gap["end"]),
        "" if kind == "pending" else "nothing heard: ",
        gap["reason"],
    )
