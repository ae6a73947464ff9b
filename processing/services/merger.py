"""Joining chunks into one transcript, by index and sample offset, never by who finished first."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from processing.engines.base import SAMPLE_RATE, Word
from processing.services.timestamps import TimestampAdjuster

JsonObject = dict[str, Any]

_PUNCTUATION = re.compile(r"[^\w']+")


@dataclass(frozen=True)
class HeardChunk:
    """What is known of one chunk when it is joined.

    Offsets are those of ``ChunkTask``. ``segments`` is its ``result``, or None when the chunk
    failed for ``reason``.
    """

    start_sample: int
    core_start_sample: int
    core_end_sample: int
    end_sample: int
    segments: Sequence[Sequence[Sequence[Any]]] | None
    reason: str = ""


@dataclass
class _Line:
    """A segment under construction: words on the recording's clock."""

    words: list[Word]


@dataclass(frozen=True)
class Merger:
    """Joins what was heard in consecutive chunks.

    Where neighbours do not overlap nothing can be lost or doubled. Where they do, the two
    word lists of the overlap are aligned (longest common subsequence) and the join changes
    sides at the agreed word nearest the cut; two words agree when their text is equal and
    their times are within ``gate_seconds``. With no agreed word it changes sides at the cut,
    and what only one side heard is kept.
    """

    gate_seconds: float = 0.6

    def merge(self, chunks: Iterable[HeardChunk]) -> tuple[list[JsonObject], list[JsonObject]]:
        """Return the segments and gaps of the transcript, as ``Transcript`` stores them."""
        lines: list[_Line] = []
        gaps: list[dict[str, Any]] = []
        previous_begin = previous_end = 0  # where its lines begin, and where its audio ends
        for chunk in chunks:
            if chunk.segments is None:
                gaps.append(self._gap(chunk))
                continue
            heard = self._lines(chunk)
            if chunk.start_sample < previous_end:
                self._join(lines[previous_begin:], heard, chunk, previous_end)
            previous_begin = len(lines)
            lines.extend(line for line in heard if line.words)
            previous_end = chunk.end_sample
        return [self._segment(line.words) for line in lines if line.words], gaps

    def _lines(self, chunk: HeardChunk) -> list[_Line]:
        clock = TimestampAdjuster(chunk.start_sample)
        return [
            _Line([clock.word(Word(*fields)) for fields in segment])
            for segment in chunk.segments or ()
        ]

    def _join(
        self, left: list[_Line], right: list[_Line], chunk: HeardChunk, previous_end: int
    ) -> None:
        """Drop from both sides of an overlap what the other side has."""
        begin, end = chunk.start_sample / SAMPLE_RATE, previous_end / SAMPLE_RATE
        cut = chunk.core_start_sample / SAMPLE_RATE
        left_words = [w for line in left for w in line.words if w.end > begin]
        right_words = [w for line in right for w in line.words if w.start < end]
        if not left_words or not right_words:
            return
        pairs = self._aligned(left_words, right_words)
        if pairs:
            seam_left, seam_right = min(pairs, key=lambda pair: abs(pair[0].start - cut))
            left_end, right_begin = seam_left.start, seam_right.start
        else:
            left_end = right_begin = cut
        for line in left:
            line.words = [w for w in line.words if w.end <= begin or _middle(w, pairs) < left_end]
        for line in right:
            line.words = [w for w in line.words if _middle(w, pairs) >= right_begin]

    def _aligned(self, left: Sequence[Word], right: Sequence[Word]) -> list[tuple[Word, Word]]:
        """Return the longest common subsequence of two word lists, gated by time."""
        rows, columns = len(left), len(right)
        lengths = [[0] * (columns + 1) for _ in range(rows + 1)]
        for i in reversed(range(rows)):
            for j in reversed(range(columns)):
                if self._agree(left[i], right[j]):
                    lengths[i][j] = lengths[i + 1][j + 1] + 1
                else:
                    lengths[i][j] = max(lengths[i + 1][j], lengths[i][j + 1])
        pairs, i, j = [], 0, 0
        while i < rows and j < columns:
            if self._agree(left[i], right[j]) and lengths[i][j] == lengths[i + 1][j + 1] + 1:
                pairs.append((left[i], right[j]))
                i, j = i + 1, j + 1
            elif lengths[i + 1][j] >= lengths[i][j + 1]:
                i += 1
            else:
                j += 1
        return pairs

    def _agree(self, a: Word, b: Word) -> bool:
        return normalized(a.word) == normalized(b.word) and (
            abs(a.start - b.start) < self.gate_seconds
        )

    @staticmethod
    def _gap(chunk: HeardChunk) -> JsonObject:
        clock = TimestampAdjuster(0)
        return {
            "start": clock.seconds(chunk.core_start_sample / SAMPLE_RATE),
            "end": clock.seconds(chunk.core_end_sample / SAMPLE_RATE),
            "reason": chunk.reason,
        }

    @staticmethod
    def _segment(words: Sequence[Word]) -> JsonObject:
        return {
            "start": words[0].start,
            "end": words[-1].end,
            "text": " ".join(w.word for w in words),
            "words": [
                {"word": w.word, "start": w.start, "end": w.end, "confidence": w.confidence}
                for w in words
            ],
        }


def normalized(word: str) -> str:
    """Return a word as it is compared: case and punctuation apart."""
    return _PUNCTUATION.sub("", word.casefold())


def _middle(word: Word, pairs: Sequence[tuple[Word, Word]]) -> float:
    """Where a word stands for the join: its start when words were aligned, else its middle."""
    return word.start if pairs else (word.start + word.end) / 2
