"""What faster-whisper says of a clip, read as ``Speech``."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from processing.engines.base import Segment, Speech, Timing, Word
from processing.engines.spacing import is_spaceless, words_of

#: The least length of a word; Whisper gives some words none.
MIN_WORD_SECONDS = 0.01


def speech_of(segments: Iterable[Any], *, language: str, duration: float) -> Speech:
    """Return the library's ``segments`` of a clip of ``duration`` seconds in our terms.

    Words are inside the clip and in order. A segment without times of words gets estimated ones.
    """
    heard = [(segment, _words_of(segment)) for segment in segments]
    heard = [(segment, words) for segment, words in heard if words]
    in_order = iter(_in_order([word for _, words in heard for word in words], duration))
    is_estimated = any(not segment.words for segment, _ in heard)
    return Speech(
        tuple(
            Segment(
                tuple(next(in_order) for _ in words),
                avg_logprob=float(segment.avg_logprob),
                no_speech_prob=float(segment.no_speech_prob),
            )
            for segment, words in heard
        ),
        language,
        Timing.SEGMENT if is_estimated else Timing.WORD,
    )


def _words_of(segment: Any) -> list[Word]:
    """Return the words of a segment; what the model wrote without a space between is one word.

    The library takes "well-known", and Latin letters among Chinese ones, for several.
    """
    if not segment.words:
        return _estimated(segment)
    words: list[Word] = []
    is_apart = True
    for piece in segment.words:
        text = piece.word.strip()
        is_apart = is_apart or not text or piece.word[0].isspace()
        if text:
            confidence = min(1.0, float(piece.probability))
            word = Word(text, float(piece.start), float(piece.end), confidence)
            if not is_apart and not is_spaceless(words[-1].word[-1], text[0]):
                word = _continued(words.pop(), word)
            words.append(word)
            is_apart = piece.word[-1].isspace()
    return words


def _continued(word: Word, rest: Word) -> Word:
    confidence = min(word.confidence or 0.0, rest.confidence or 0.0)
    return Word(word.word + rest.word, word.start, max(word.end, rest.end), confidence)


def _estimated(segment: Any) -> list[Word]:
    texts = words_of(segment.text)
    ends = np.cumsum([0, *map(len, texts)]) / max(1, sum(map(len, texts)))
    times = segment.start + ends * (segment.end - segment.start)
    return [
        Word(text, start, end)
        for text, (start, end) in zip(texts, pairwise(times.tolist()), strict=True)
    ]


def _in_order(words: list[Word], duration: float) -> list[Word]:
    """Return ``words`` moved so that each has a length and they follow each other in the clip."""
    least = min(MIN_WORD_SECONDS, duration / max(1, len(words)))
    times: list[tuple[float, float]] = []
    earliest = 0.0
    for word in words:
        start = max(word.start, earliest)
        earliest = max(word.end, start + least)
        times.append((start, earliest))
    latest = duration
    for index, (start, end) in reversed(list(enumerate(times))):
        end = min(end, latest)
        latest = max(0.0, min(start, end - least))
        times[index] = (latest, end)
    return [
        Word(word.word, start, end, word.confidence)
        for word, (start, end) in zip(words, times, strict=True)
    ]
