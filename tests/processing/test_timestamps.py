"""From a chunk's clock to the recording's."""

import pytest

from processing.engines.base import SAMPLE_RATE, Word
from processing.services.merging.timestamps import TimestampAdjuster

THIRTY_SEVEN_HOURS = 37 * 3600 * SAMPLE_RATE


@pytest.mark.parametrize(
    ("start_sample", "offset_seconds", "seconds"),
    [
        (0, 0.0, 0.0),
        (SAMPLE_RATE, 0.25, 1.25),
        (1, 0.0, 0.0),
        (8, 0.0, 0.001),
        (THIRTY_SEVEN_HOURS, 0.001, 133_200.001),
        (THIRTY_SEVEN_HOURS + 16, 29.999, 133_230.0),
        (2**31 + 5, 0.0, 134_217.728),
    ],
)
def test_a_time_moves_by_the_exact_sample_its_chunk_starts_at(
    start_sample: int, offset_seconds: float, seconds: float
) -> None:
    assert TimestampAdjuster(start_sample).seconds(offset_seconds) == seconds


def test_a_word_keeps_its_text_and_confidence() -> None:
    word = TimestampAdjuster(2 * SAMPLE_RATE).word(Word("so", 0.1, 0.4, 0.7))

    assert word == Word("so", 2.1, 2.4, 0.7)


def test_a_word_never_ends_before_it_starts() -> None:
    assert TimestampAdjuster(0).word(Word("so", 0.5, 0.2)) == Word("so", 0.5, 0.5)


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [
        pytest.param(-0.5, 0.5, (2.0, 2.5), id="before its audio"),
        pytest.param(0.5, 1.5, (2.5, 3.0), id="after its audio"),
        pytest.param(1.2, 1.5, (3.0, 3.0), id="all of it after"),
    ],
)
def test_a_word_stays_inside_the_audio_of_its_chunk(
    start: float, end: float, kept: tuple[float, float]
) -> None:
    clock = TimestampAdjuster(2 * SAMPLE_RATE, 3 * SAMPLE_RATE)

    assert clock.word(Word("so", start, end)) == Word("so", *kept)
