"""OpenAI's answers to a request for a transcription, read as ``Speech``.

Not every server that speaks OpenAI's language does it well: times may be missing, strings, in
disorder or outside the clip. What is there decides how it is read, not what was asked for.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from processing.engines.base import AUTO, Segment, Speech, Timing, Word
from processing.engines.languages import language_code
from processing.engines.placement import UNKNOWN, Span, place, separate, share
from processing.engines.spacing import words_of
from processing.providers.answers import Answer

#: Words further apart than this are in different segments, where the provider names none.
SEGMENT_PAUSE_SECONDS = 0.5

#: What models write for no words at all: ``<|endoftext|>``, ``[BLANK_AUDIO]``.
_MARK = re.compile(r"<\|[^|]*\|>|\[[A-Z_ ]+\]")
_BRACKETS = str.maketrans("", "", "()<>[]")


class _Unreadable(Exception):
    """Why an answer cannot be read."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """Words of a segment or a word of an answer, before they have their place."""

    tokens: tuple[str, ...]
    span: Span = UNKNOWN
    confidence: float | None = None
    speaker: str | None = None
    avg_logprob: float | None = None
    no_speech_prob: float | None = None

    @property
    def length(self) -> int:
        return sum(map(len, self.tokens))


def read_text(answer: Answer, *, duration_seconds: float, language: str) -> Speech:
    """Return the speech of an answer in the format ``text``; raise ``BadAnswer``."""
    segments = _by_segments([_Heard(_tokens(answer.text()))], duration_seconds)
    return Speech(segments, language, Timing.NONE)


def read_json(answer: Answer, *, duration_seconds: float, language: str) -> Speech:
    """Return the speech of an answer in any format of JSON; raise ``BadAnswer``.

    The language is the one asked for, or what the answer says when that was ``AUTO``.
    """
    body = answer.json_object()
    text, words, segments = body.get("text"), body.get("words"), body.get("segments")
    if not (isinstance(text, str) or isinstance(words, list) or isinstance(segments, list)):
        raise answer.bad("it has no text, words or segments")
    if language == AUTO:
        language = _language(body) or AUTO
    try:
        heard_words = [heard for word in _objects(words) if (heard := _word(word)).tokens]
        heard_segments = [heard for item in _objects(segments) if (heard := _segment(item)).tokens]
        heard = _Heard(_tokens(text or ""))
    except _Unreadable as error:
        raise answer.bad(str(error)) from None
    heard_words += _rest(heard, heard_words)
    heard_segments += [] if heard_words else _rest(heard, heard_segments)
    if heard_words:
        words = [word for line in _words(heard_words, duration_seconds) for word in line]
        return Speech(_assigned(words, heard_segments, duration_seconds), language)
    if heard_segments:
        return Speech(_by_segments(heard_segments, duration_seconds), language, Timing.SEGMENT)
    return Speech(_by_segments([heard], duration_seconds), language, Timing.NONE)


def _objects(value: Any) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _Unreadable("its words or segments are no list of objects")
    return value


def _language(body: dict[str, Any]) -> str | None:
    names = [body.get("language")]
    if isinstance(body.get("languages"), list):
        names += [item.get("code") for item in body["languages"] if isinstance(item, dict)]
    codes = (language_code(name) for name in names if isinstance(name, str))
    return next((code for code in codes if code), None)


def _tokens(text: Any) -> tuple[str, ...]:
    if not isinstance(text, str):
        raise _Unreadable("a text in it is no string")
    return tuple(words_of(_MARK.sub(" ", text).translate(_BRACKETS)))


def _rest(whole: _Heard, parts: Sequence[_Heard]) -> list[_Heard]:
    """Return what a text has behind its parts: vLLM leaves the end of a clip out of its segments.

    Nothing where the text begins otherwise: then nobody knows which part is missing.
    """
    known = _letters(token for part in parts for token in part.tokens)
    count = length = 0
    while count < len(whole.tokens) and length < len(known):
        length += len(_letters(whole.tokens[count : count + 1]))
        count += 1
    is_known = bool(known) and known == _letters(whole.tokens[:count])
    return [_Heard(whole.tokens[count:])] if is_known and _letters(whole.tokens[count:]) else []


def _letters(tokens: Iterable[str]) -> str:
    return "".join(letter for letter in "".join(tokens).casefold() if letter.isalnum())


def _word(item: dict[str, Any]) -> _Heard:
    shares = (_number(item.get(name), 0, 1) for name in ("probability", "confidence", "score"))
    return _Heard(
        _tokens(item.get("word", item.get("text"))),
        Span.of(item.get("start"), item.get("end")),
        confidence=next((share for share in shares if share is not None), None),
    )


def _segment(item: dict[str, Any]) -> _Heard:
    speaker = item.get("speaker")
    return _Heard(
        _tokens(item.get("text")),
        Span.of(item.get("start"), item.get("end")),
        speaker=speaker if isinstance(speaker, str) and speaker else None,
        avg_logprob=_number(item.get("avg_logprob"), float("-inf"), 0),
        no_speech_prob=_number(item.get("no_speech_prob"), 0, 1),
    )


def _number(value: Any, least: float, most: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if least <= value <= most and value != float("-inf") else None


def _words(heard: Sequence[_Heard], duration_seconds: float) -> list[tuple[Word, ...]]:
    """Return the words of each at their places, which are in order throughout."""
    begin, end = 0.0, duration_seconds
    places = place([h.span for h in heard], [h.length for h in heard], begin=begin, end=end)
    shares = [
        at
        for one, (start, stop) in zip(heard, places, strict=True)
        for at in share([len(token) for token in one.tokens], start, stop)
    ]
    spans = iter(separate(shares, begin, end))
    return [
        tuple(Word(token, *next(spans), one.confidence) for token in one.tokens) for one in heard
    ]


def _by_segments(heard: Sequence[_Heard], duration_seconds: float) -> tuple[Segment, ...]:
    """Return segments in the order of their starts, each with its words shared out over it."""
    heard = _in_order([one for one in heard if one.tokens])
    lines = _words(heard, duration_seconds)
    return tuple(_with_words(one, line) for one, line in zip(heard, lines, strict=True))


def _assigned(
    words: Sequence[Word], segments: Sequence[_Heard], duration_seconds: float
) -> tuple[Segment, ...]:
    """Return the segments, each with the words whose middle it is the last to start before."""
    if not segments:
        return tuple(Segment(line) for line in _lines(words))
    segments = _in_order(segments)
    starts = [line[0].start for line in _words(segments, duration_seconds)]
    lines: list[list[Word]] = [[] for _ in segments]
    for word in words:
        lines[max(bisect_right(starts, (word.start + word.end) / 2) - 1, 0)].append(word)
    return tuple(
        _with_words(one, tuple(line)) for one, line in zip(segments, lines, strict=True) if line
    )


def _in_order(heard: Sequence[_Heard]) -> list[_Heard]:
    """Return them by their starts; what has none stays behind its neighbour."""
    keys: list[float] = []
    for one in heard:
        keys.append(one.span.start if one.span.start is not None else keys[-1] if keys else 0.0)
    return [one for _, one in sorted(zip(keys, heard, strict=True), key=lambda pair: pair[0])]


def _with_words(heard: _Heard, words: tuple[Word, ...]) -> Segment:
    return Segment(words, heard.speaker, heard.avg_logprob, heard.no_speech_prob)


def _lines(words: Sequence[Word]) -> list[tuple[Word, ...]]:
    cuts = [
        index + 1
        for index, (one, next_) in enumerate(pairwise(words))
        if next_.start - one.end > SEGMENT_PAUSE_SECONDS
    ]
    return [tuple(words[i:j]) for i, j in pairwise([0, *cuts, len(words)])]
