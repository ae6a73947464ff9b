"""From a chunk's clock to the recording's."""

from dataclasses import dataclass

from processing.engines.base import SAMPLE_RATE, Word

#: Decimals kept of times in seconds: a millisecond, which subtitles can show.
TIME_DECIMALS = 3


@dataclass(frozen=True)
class TimestampAdjuster:
    """Moves words by the exact sample at which their chunk starts."""

    start_sample: int

    def seconds(self, offset_seconds: float) -> float:
        """Return seconds on the recording's clock for an offset into the chunk."""
        return round(self.start_sample / SAMPLE_RATE + offset_seconds, TIME_DECIMALS)

    def word(self, word: Word) -> Word:
        """Return ``word`` with its times on the recording's clock."""
        start, end = self.seconds(word.start), self.seconds(word.end)
        return Word(word.word, start, max(start, end), word.confidence)
