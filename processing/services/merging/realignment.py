"""Times for words that somebody corrected: those that were heard keep theirs."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from rapidfuzz.distance import Levenshtein

from processing.engines.placement import share
from processing.engines.spacing import spaced, words_of
from processing.services.merging.alignment import normalized
from processing.services.merging.timestamps import TIME_DECIMALS

JsonObject = dict[str, Any]


def realigned(
    words: Sequence[JsonObject], text: str, *, start: float, end: float
) -> list[JsonObject]:
    """Return the words of ``text``, said from ``start`` to ``end`` seconds, with their times.

    ``words`` are those it corrects, as a segment of a transcript has them. Words that are equal
    up to case and punctuation keep times and confidence. Others that stand in place of some have
    the span of these in proportion to their letters, and those that stand in place of none the
    time between their neighbours, which may be none. Those two are marked ``is_corrected`` and
    have no confidence. Starts never fall, and no new word reaches into the next one.
    """
    wanted = words_of(text)
    result: list[JsonObject] = []
    heard_count = said_count = 0
    for index, first, last in _kept(words, wanted):
        old, new = words[heard_count:index], wanted[said_count:first]
        before = result[-1]["end"] if result else start
        result += _shared(new, *_span(old, before, words[index]["start"]))
        result.append({**words[index], "word": spaced(wanted[first:last])})
        heard_count, said_count = index + 1, last
    before = result[-1]["end"] if result else start
    result += _shared(wanted[said_count:], *_span(words[heard_count:], before, end))
    return result


def timed_words(segment: JsonObject) -> list[JsonObject]:
    """Return the words of a segment; those of one that has only a text have estimated times."""
    if "words" in segment:
        return list(segment["words"])
    said = words_of(segment["text"])
    return [
        {"word": word, "start": begin, "end": stop}
        for word, begin, stop in _placed(said, segment["start"], segment["end"])
    ]


def _kept(words: Sequence[JsonObject], wanted: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Yield the index of each heard word that stays, and the first and last of ``wanted`` it is.

    A heard word may be several of those, where there are no spaces: all of them have to be there,
    one after the other.
    """
    parts = [(part, index) for index, word in enumerate(words) for part in words_of(word["word"])]
    pairs = Levenshtein.opcodes(
        [normalized(part) for part, _ in parts], [normalized(word) for word in wanted]
    )
    partner = {
        pair.src_start + i: pair.dest_start + i
        for pair in pairs
        if pair.tag == "equal"
        for i in range(pair.src_end - pair.src_start)
    }
    places = ((index, partner.get(i)) for i, (_, index) in enumerate(parts))
    for index, group in groupby(places, itemgetter(0)):
        found = [place for _, place in group]
        first = found[0]
        if first is not None and found == list(range(first, first + len(found))):
            yield index, first, first + len(found)


def _span(old: Sequence[JsonObject], before: float, after: float) -> tuple[float, float]:
    """Return when what stands in place of ``old`` was said, between its neighbours."""
    start, end = (old[0]["start"], old[-1]["end"]) if old else (before, after)
    end = min(end, after)
    return min(start, end), end


def _shared(words: Sequence[str], start: float, end: float) -> list[JsonObject]:
    return [
        {"word": word, "start": begin, "end": stop, "confidence": None, "is_corrected": True}
        for word, begin, stop in _placed(words, start, end)
    ]


def _placed(words: Sequence[str], start: float, end: float) -> Iterator[tuple[str, float, float]]:
    """Yield words with times that share a span in proportion to their letters."""
    shares = share([len(word) for word in words], start, end)
    for word, (begin, stop) in zip(words, shares, strict=True):
        yield word, round(begin, TIME_DECIMALS), round(stop, TIME_DECIMALS)
