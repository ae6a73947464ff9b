"""The part of a passage that shows why it was found, as plain text and matches in it."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise

from processing.knowledge.searching.languages import UNSPACED

#: What stands around a match as PostgreSQL marks it: letters of nobody's (private use).
START, STOP = "\ue000", "\ue001"

#: About how many characters of a passage are shown.
SNIPPET_LENGTH = 280

#: What says that there is more.
ELLIPSIS = "…"

_LETTERS = re.compile(f"{UNSPACED}+")

Span = tuple[int, int]
Piece = tuple[str, bool]


def spans_of(text: str, headline: str) -> list[Span]:
    """Return where in ``text`` the matches are that ``headline``, made of all of it, marks.

    PostgreSQL writes a space for what looks like a tag, and we put some between letters of
    scripts without spaces; then the two are walked side by side.
    """
    pieces = headline.replace(STOP, START).split(START)  # every second one is a match
    ends = list(accumulate(map(len, pieces)))
    if "".join(pieces) != text:
        places = _places_in(text, "".join(pieces))
        spans = [_covered(places[begin:end]) for begin, end in pairwise(ends)][::2]
        return _joined([span for span in spans if span])
    return _joined(list(pairwise(ends))[::2])


def _places_in(text: str, headline: str) -> list[int | None]:
    """Return where in ``text`` each letter of a headline is; None for what is not from there."""
    places: list[int | None] = []
    at = 0
    for letter in headline:
        if not text.startswith(letter, at):
            if letter.isspace():
                at = text.find(">", at) + 1 if text.startswith("<", at) else at
                places.append(None)
                continue
            found = text.find(letter, at)
            if found < 0:
                break
            at = found
        places.append(at)
        at += 1
    return places


def _covered(places: list[int | None]) -> Span | None:
    known = [place for place in places if place is not None]
    return (known[0], known[-1] + 1) if known else None


def whole_runs(text: str, spans: Sequence[Span], runs: Sequence[str]) -> list[Span]:
    """Return the spans, of letters that are words by themselves only where a run is whole.

    To PostgreSQL each such letter of a phrase is a match wherever it stands.
    """
    whole: list[Span] = []
    for begin, end in spans:
        if not _LETTERS.fullmatch(text, begin, end):
            whole.append((begin, end))
            continue
        places = (_places(text, run, begin, end) for run in runs)
        whole += sorted(set(chain.from_iterable(places)))
    return [span for i, span in enumerate(whole) if not i or span[0] >= whole[i - 1][1]]


def _places(text: str, run: str, begin: int, end: int) -> Iterator[Span]:
    while (at := text.find(run, begin, end)) >= 0:
        begin = at + len(run)
        yield at, begin


def excerpt(text: str, spans: Sequence[Span], *, length: int = SNIPPET_LENGTH) -> list[Piece]:
    """Return about ``length`` characters with as many matches as possible, as pieces in order.

    Cut between words; a piece is ``(text, is_match)``, and an ellipsis stands for what is left
    out before and after.
    """
    begin, end = _window(text, spans, length)
    pieces: list[Piece] = [(ELLIPSIS, False)] if begin > 0 else []
    at = begin
    for first, last in spans:
        if first >= begin and last <= end:
            pieces += [(text[at:first], False), (text[first:last], True)]
            at = last
    pieces.append((text[at:end], False))
    if end < len(text):
        pieces.append((ELLIPSIS, False))
    return [piece for piece in pieces if piece[0]]


def _joined(spans: list[Span]) -> list[Span]:
    """Make one of those with nothing between them."""
    joined: list[Span] = []
    for begin, end in spans:
        if joined and joined[-1][1] == begin:
            begin = joined.pop()[0]
        joined.append((begin, end))
    return joined


def _window(text: str, spans: Sequence[Span], length: int) -> Span:
    """Return from where to where a text is shown: whole words, as far as there are any."""
    if len(text) <= length:
        return 0, len(text)
    first, last = _densest(spans, length)
    begin = min(max(first - max(length - (last - first), 0) // 2, 0), len(text) - length)
    end = begin + max(length, last - first)
    if begin > 0:
        space = text.find(" ", begin, first + 1)
        begin = space + 1 if space >= 0 else begin
    if end < len(text):
        space = text.rfind(" ", max(last, begin), end)
        end = space if space >= 0 else end
    return begin, end


def _densest(spans: Sequence[Span], length: int) -> Span:
    """Return from where to where the most matches are within ``length``; the first of several."""
    best, best_count = (0, 0), 0
    last = 0
    for i, (begin, _) in enumerate(spans):
        while last < len(spans) and spans[last][1] <= begin + length:
            last += 1
        if last - i > best_count:
            best, best_count = (begin, spans[last - 1][1]), last - i
    return best
