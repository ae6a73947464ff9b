"""From a chunk's clock to the recording's."""

from dataclasses import dataclass

from processing.engines.base import SAMPLE_RATE, Word

#: Decimals kept of times in seconds: a millisecond, which subtitles can show.
TIME_DECIMALS = 3


@dataclass(frozen=True)
class TimestampAdjuster:
    """Moves words by the exact sample at which their chunk starts.

    Engines sometimes put words outside of what they were given; with ``end_sample``, where the
    audio of the chunk ends, their times are kept inside it.
    """

    start_sample: int
    end_sample: int | None = None

    def seconds(self, offset_seconds: float) -> float:
        """Return seconds on the recording's clock for an offset into the chunk."""
        return round(self.start_sample / SAMPLE_RATE + offset_seconds, TIME_DECIMALS)

    def word(self, word: Word) -> Word:
        """Return ``word`` with its times on the recording's clock."""
        start, end = self._inside(word.start), self._inside(word.end)
        return Word(word.word, start, max(start, end), word.confidence)

    def _inside(self, offset_seconds: float) -> float:
        seconds = max(self.seconds(offset_seconds), self.seconds(0.0))
        if self.end_sample is None:
            return seconds
        return min(seconds, round(self.end_sample / SAMPLE_RATE, TIME_DECIMALS))
