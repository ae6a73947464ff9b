"""What an engine heard, stored and read again."""

import json

import pytest

from processing.engines.base import Segment, Speech, Timing, Word
from processing.services.hearing import speech_of, stored, text_of

SPEECH = Speech(
    (
        Segment((Word("so", 0.0, 0.25, 0.5), Word("it", 0.25, 0.5))),
        Segment((Word("was", 1.0, 1.5),), "A", -0.25, 0.125),
        Segment(()),
    ),
    "de",
    Timing.SEGMENT,
)


def test_what_was_stored_is_read_as_it_was_said() -> None:
    assert speech_of(json.loads(json.dumps(stored(SPEECH)))) == SPEECH


@pytest.mark.parametrize("timing", Timing)
def test_how_exact_times_are_is_kept(timing: Timing) -> None:
    assert speech_of(stored(Speech((), "en", timing))) == Speech((), "en", timing)


def test_a_segment_says_what_its_engine_said_of_it_and_no_more() -> None:
    plain, full, _ = stored(SPEECH)["segments"]

    assert set(plain) == {"words"}
    assert (full["speaker"], full["avg_logprob"], full["no_speech_prob"]) == ("A", -0.25, 0.125)


def test_times_are_kept_to_the_millisecond_however_late() -> None:
    word = Word("late", 137_000.123_449, 137_000.987_6, 0.123_456)

    [segment] = stored(Speech((Segment((word,)),), "en"))["segments"]

    assert segment["words"] == [["late", 137_000.123, 137_000.988, 0.123]]


def test_the_text_of_an_answer_is_its_words() -> None:
    assert text_of(stored(SPEECH)) == "so it was"
