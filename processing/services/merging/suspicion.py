"""Which segments to doubt: loops, words out of silence, and what the engine itself doubts."""

import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Self

from processing.engines.base import Segment, Speech, Timing, Word
from processing.engines.spacing import is_letter_word
from processing.services.merging.alignment import normalized

#: Frames of the energy envelope are this long.
ENERGY_STEP_SECONDS = 0.1

#: Below full scale, what a decoder makes of nothing at all.
DIGITAL_SILENCE_DB = 96

#: The quietest level an envelope can hold, in dB below full scale.
QUIETEST_DB = 255


class Flag(StrEnum):
    """Why a segment is doubted. A flag is shown to people; it never changes the text."""

    LOOP = "loop"
    SILENCE = "silence"
    FAST = "fast"
    LOW_CONFIDENCE = "low_confidence"
    NO_SPEECH = "no_speech"
    REPEATED_ACROSS_SEAM = "repeated_across_seam"
    CUT_AT_GAP = "cut_at_gap"


@dataclass(frozen=True)
class Energy:
    """How loud a chunk is, on the chunk's clock.

    ``levels`` holds one byte for each ``ENERGY_STEP_SECONDS``: dB below full scale, so that 0 is
    the loudest. A frame is pause when it is under ``threshold_db`` (dB of full scale, negative).
    """

    levels: bytes
    threshold_db: float

    @classmethod
    def of(cls, loudness_db: Iterable[float], *, threshold_db: float) -> Self:
        """Return the envelope of frames given in dB of full scale, to the nearest dB."""
        return cls(bytes(min(max(round(-db), 0), QUIETEST_DB) for db in loudness_db), threshold_db)

    @property
    def duration_seconds(self) -> float:
        return len(self.levels) * ENERGY_STEP_SECONDS

    @property
    def is_digital_silence(self) -> bool:
        """Whether nothing is louder than the quietest sound that 16 bits can hold."""
        return all(level >= DIGITAL_SILENCE_DB for level in self.levels)

    def speech_seconds(self, start: float, end: float) -> float:
        """Return how much of ``[start, end)`` is no pause."""
        return math.fsum(max(b - a, 0.0) for a, b in self._loud(start, end))

    def is_silent(self, start: float, end: float) -> bool:
        """Whether all of ``[start, end)`` is pause; what is outside of the chunk is."""
        return next(iter(self._loud(start, end)), None) is None

    def loud_extent(self, start: float, end: float) -> tuple[float, float] | None:
        """Return ``[start, end)`` without the pauses at its ends; None when it is all pause."""
        loud = list(self._loud(start, end))
        return (loud[0][0], loud[-1][1]) if loud else None

    def _loud(self, start: float, end: float) -> Iterable[tuple[float, float]]:
        first = max(math.floor(start / ENERGY_STEP_SECONDS), 0)
        last = min(math.ceil(end / ENERGY_STEP_SECONDS), len(self.levels))
        for frame in range(first, last):
            if -self.levels[frame] >= self.threshold_db:
                at = frame * ENERGY_STEP_SECONDS
                yield max(at, start), min(at + ENERGY_STEP_SECONDS, end)


@dataclass(frozen=True)
class Suspicion:
    """Flags the segments of a chunk. Starting values, to be tuned on one's own recordings.

    ``compression_ratio``, ``least_logprob`` and ``no_speech_prob`` are those of Whisper
    (Radford et al. 2022, section 4.5); the others are ours.
    """

    #: Bytes of text over bytes of it compressed; shorter texts are not judged by it.
    compression_ratio: float = 2.4
    least_text_bytes: int = 200
    #: Longer texts are judged in pieces: a zlib ratio grows with any text's length.
    most_text_bytes: int = 800
    #: Up to so many words in a row, said so often in a row, and so many words in all.
    loop_words: int = 12
    loop_repeats: int = 5
    loop_total_words: int = 10
    #: Share of words that lie in silence, even when they are moved by the slack.
    silent_share: float = 0.5
    silence_slack_seconds: float = 0.2
    #: More words than this, in a stretch as long as that.
    words_per_second: float = 6.0
    fast_seconds: float = 1.5
    least_logprob: float = -1.0
    no_speech_prob: float = 0.6

    def flags(self, speech: Speech, energy: Energy | None = None) -> list[set[Flag]]:
        """Return the flags of each segment, in order."""
        found = [self._flags(segment, speech.timing, energy) for segment in speech.segments]
        for number in self._looping(speech):
            found[number].add(Flag.LOOP)
        return found

    def _flags(self, segment: Segment, timing: Timing, energy: Energy | None) -> set[Flag]:
        is_unlikely = segment.avg_logprob is not None and segment.avg_logprob < self.least_logprob
        is_empty = segment.no_speech_prob is not None and (
            segment.no_speech_prob > self.no_speech_prob
        )
        found = {
            Flag.LOOP: self._is_repetitive(segment),
            Flag.FAST: self._is_fast(segment.words),
            Flag.SILENCE: energy is not None and self._is_in_silence(segment, timing, energy),
            Flag.LOW_CONFIDENCE: is_unlikely,
            Flag.NO_SPEECH: is_unlikely and is_empty,
        }
        return {flag for flag, is_raised in found.items() if is_raised}

    def _is_repetitive(self, segment: Segment) -> bool:
        text = " ".join(word.word for word in segment.words).encode()
        step = self.most_text_bytes
        pieces = [text[at : at + step] for at in range(0, len(text), step)]
        return any(
            len(piece) >= self.least_text_bytes
            and len(piece) / len(zlib.compress(piece)) > self.compression_ratio
            for piece in pieces
        )

    def _looping(self, speech: Speech) -> set[int]:
        """Return the numbers of segments that have part in words said over and over."""
        words = [
            (normalized(word.word), number)
            for number, segment in enumerate(speech.segments)
            for word in segment.words
        ]
        found: set[int] = set()
        for size in range(1, self.loop_words + 1):
            least = max(size * self.loop_repeats, self.loop_total_words)
            same = 0  # how many words in a row are those of ``size`` words before
            for i in range(size, len(words)):
                same = same + 1 if words[i][0] == words[i - size][0] else 0
                if same + size >= least:
                    found.update(number for _, number in words[i - least + 1 : i + 1])
        return found

    def _is_fast(self, words: Sequence[Word]) -> bool:
        """Judge stretches of words; where words are letters, twice as many are said in a second."""
        letters = sum(is_letter_word(word.word) for word in words)
        many = int(self.words_per_second * self.fast_seconds * (1 + (2 * letters > len(words))))
        return any(
            words[i + many].start - words[i].start < self.fast_seconds
            for i in range(len(words) - many)
        )

    def _is_in_silence(self, segment: Segment, timing: Timing, energy: Energy) -> bool:
        """Judge words where their times were heard, the segment where its ends were."""
        slack = self.silence_slack_seconds
        words = segment.words
        if timing == Timing.NONE or not words:
            return False
        if timing == Timing.SEGMENT:
            return energy.is_silent(words[0].start - slack, words[-1].end + slack)
        silent = sum(energy.is_silent(word.start - slack, word.end + slack) for word in words)
        return silent >= self.silent_share * len(words)


#: A stretch without words is looked at when it is longer than this ...
MISSED_SECONDS = 1.5

#: ... and was missed when so much of it is no pause; half, for speech is never all loud.
MISSED_SPEECH_SECONDS = 0.75

#: What is decoded again keeps so much of the silence around it.
MISSED_MARGIN_SECONDS = 0.2


def missed_speech(speech: Speech, energy: Energy) -> list[tuple[float, float]]:
    """Return windows of a chunk, in seconds on its clock, with speech energy but no words.

    Where words have no times of their own it looks between segments, and where segments have
    none either, only at a chunk in which nothing was heard.
    """
    end = energy.duration_seconds
    spans = _spans(speech)
    if spans and speech.timing == Timing.NONE:
        return []
    reached = 0.0
    edges = [(0.0, 0.0)]  # of what has words, without the parts that others cover
    for start, stop in sorted(spans):
        edges.append((start, max(stop, reached)))
        reached = max(stop, reached)
    edges.append((end, end))
    missed: list[tuple[float, float]] = []
    for (_, first), (last, _) in pairwise(edges):
        if last - first <= MISSED_SECONDS or (
            energy.speech_seconds(first, last) < MISSED_SPEECH_SECONDS
        ):
            continue
        loud = energy.loud_extent(first, last)
        if loud is not None:
            margin = MISSED_MARGIN_SECONDS
            missed.append((max(loud[0] - margin, first), min(loud[1] + margin, last)))
    return missed


def _spans(speech: Speech) -> list[tuple[float, float]]:
    """Return when something was heard, as exactly as the engine says."""
    if speech.timing == Timing.WORD:
        return [(word.start, word.end) for segment in speech.segments for word in segment.words]
    return [(s.words[0].start, s.words[-1].end) for s in speech.segments if s.words]
