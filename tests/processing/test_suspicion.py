"""Doubt: loops and invented words are flagged, normal speech is not."""

from pathlib import Path

import pytest

from processing.engines.base import Segment, Speech, Timing, Word
from processing.services.merging.suspicion import Energy, Flag, Suspicion, missed_speech

LOUD, QUIET = -20.0, -80.0
DEMO = Path(__file__).parents[2] / "processing" / "demo"
PROSE = [word for text in sorted(DEMO.glob("*.txt")) for word in text.read_text().split()]


def segment(text: str | list[str], *, start: float = 0.0, rate: float = 3.0) -> Segment:
    """Return a segment of ``rate`` words per second."""
    said = text.split() if isinstance(text, str) else text
    return Segment(
        tuple(Word(word, start + i / rate, start + (i + 0.9) / rate) for i, word in enumerate(said))
    )


def flags(
    *segments: Segment, timing: Timing = Timing.WORD, energy: Energy | None = None
) -> list[set[Flag]]:
    return Suspicion().flags(Speech(segments, "en", timing), energy)


def energy(*stretches: tuple[float, float]) -> Energy:
    """Return an envelope of stretches of ``(seconds, dB)``."""
    levels = [db for seconds, db in stretches for _ in range(round(seconds * 10))]
    return Energy.of(levels, threshold_db=-50.0)


# Loops


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("thank you " * 10, id="two words"),
        pytest.param("no " * 12, id="one word"),
        pytest.param("so " + "I don't know what to do about it " * 6, id="a sentence"),
        pytest.param("Subtitles by the community. " * 5, id="credits"),
        pytest.param("one, One! ONE? one " * 3, id="in other letters"),
    ],
)
def test_words_said_over_and_over_are_a_loop(text: str) -> None:
    assert flags(segment(text)) == [{Flag.LOOP}]


def test_a_loop_over_segments_flags_each_of_them() -> None:
    loop = [segment("Thank you.", start=at) for at in range(10, 40, 5)]

    found = flags(segment("so this is the end of it"), *loop, segment("and now on", start=50.0))

    assert found == [set(), *([{Flag.LOOP}] * 6), set()]


def test_a_long_loop_with_changes_is_found_by_compression() -> None:
    said = " ".join(f"and the {i} of them went to the house and the house was" for i in range(12))

    assert flags(segment(said)) == [{Flag.LOOP}]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("very very very very good", id="emphasis"),
        pytest.param("no no no no no I did not", id="denial"),
        pytest.param("thank you thank you thank you so much", id="thanks"),
        pytest.param("I know I know I know but listen", id="impatience"),
        pytest.param("one two three four one two three four", id="counting in"),
        pytest.param("ha ha ha ha ha ha", id="laughing"),
    ],
)
def test_repetition_as_people_use_it_is_no_loop(text: str) -> None:
    assert flags(segment(text)) == [set()]


def test_long_prose_is_no_loop() -> None:
    assert flags(segment(PROSE)) == [set()]


# Speed


@pytest.mark.parametrize(
    ("rate", "found"),
    [
        pytest.param(3.0, set(), id="normal"),
        pytest.param(5.0, set(), id="fast talker"),
        pytest.param(5.9, set(), id="auctioneer"),
        pytest.param(8.0, {Flag.FAST}, id="nobody"),
        pytest.param(100.0, {Flag.FAST}, id="crammed"),
    ],
)
def test_more_words_than_can_be_said_are_fast(rate: float, found: set[Flag]) -> None:
    assert flags(segment(PROSE[:30], rate=rate)) == [found]


@pytest.mark.parametrize(("rate", "found"), [(9.0, set()), (20.0, {Flag.FAST})])
def test_letters_that_are_words_come_faster(rate: float, found: set[Flag]) -> None:
    assert flags(
        segment(list("吾輩は猫である名前はまだ無いどこで生れたか頓と見当が"), rate=rate)
    ) == [found]


def test_a_burst_of_short_words_is_normal() -> None:
    assert flags(segment("as if it is to be", rate=9.0)) == [set()]


# Silence


SPEECH_THEN_SILENCE = energy((5.0, LOUD), (10.0, QUIET))


@pytest.mark.parametrize(
    ("start", "timing", "found"),
    [
        pytest.param(1.0, Timing.WORD, set(), id="speech"),
        pytest.param(8.0, Timing.WORD, {Flag.SILENCE}, id="silence"),
        pytest.param(1.0, Timing.SEGMENT, set(), id="segment of speech"),
        pytest.param(8.0, Timing.SEGMENT, {Flag.SILENCE}, id="segment of silence"),
        pytest.param(4.5, Timing.SEGMENT, set(), id="segment that begins with speech"),
        pytest.param(8.0, Timing.NONE, set(), id="times that mean nothing"),
    ],
)
def test_words_out_of_silence_are_flagged(start: float, timing: Timing, found: set[Flag]) -> None:
    heard = segment("thanks for watching", start=start)

    assert flags(heard, timing=timing, energy=SPEECH_THEN_SILENCE) == [found]


def test_a_word_at_a_slightly_wrong_time_is_not_flagged() -> None:
    assert flags(segment("so", start=5.1), energy=SPEECH_THEN_SILENCE) == [set()]


def test_one_word_in_a_pause_does_not_flag_the_others() -> None:
    spoken = energy((1.0, LOUD), (1.5, QUIET), (2.5, LOUD))

    assert flags(segment("a b c d e f g h i j k l"), energy=spoken) == [set()]


# What the engine says itself


@pytest.mark.parametrize(
    ("avg_logprob", "no_speech_prob", "found"),
    [
        (None, None, set()),
        (-0.3, 0.1, set()),
        (-1.0, None, set()),
        (-1.1, None, {Flag.LOW_CONFIDENCE}),
        (-1.1, 0.6, {Flag.LOW_CONFIDENCE}),
        (-1.1, 0.7, {Flag.LOW_CONFIDENCE, Flag.NO_SPEECH}),
        (-0.3, 0.9, set()),
        (None, 0.9, set()),
    ],
)
def test_the_doubts_of_whisper_are_taken_over(
    avg_logprob: float | None, no_speech_prob: float | None, found: set[Flag]
) -> None:
    heard = Segment((Word("so", 0.0, 0.3),), avg_logprob=avg_logprob, no_speech_prob=no_speech_prob)

    assert flags(heard) == [found]


def test_no_speech_has_no_flags() -> None:
    assert flags() == []


# The envelope


def test_an_envelope_keeps_levels_to_the_nearest_decibel() -> None:
    assert Energy.of([3.0, -0.4, -20.6, -400.0], threshold_db=-50.0).levels == bytes(
        [0, 0, 21, 255]
    )


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        (0.0, 1.0, 0.0),
        (0.0, 3.0, 1.0),
        (1.25, 1.5, 0.25),
        (1.95, 2.5, 0.05),
        (-5.0, 50.0, 1.0),
        (50.0, 60.0, 0.0),
    ],
)
def test_speech_is_counted_where_it_is_loud(start: float, end: float, seconds: float) -> None:
    envelope = energy((1.0, QUIET), (1.0, LOUD), (1.0, QUIET))

    assert envelope.speech_seconds(start, end) == pytest.approx(seconds)
    assert envelope.is_silent(start, end) is (seconds == 0)


# Speech that was missed

TEN_LOUD = energy((10.0, LOUD))


@pytest.mark.parametrize(
    ("heard", "missed"),
    [
        pytest.param([], [(0.0, 10.0)], id="all"),
        pytest.param([(0.0, 10.0)], [], id="nothing"),
        pytest.param([(0.0, 4.0), (7.0, 10.0)], [(4.0, 7.0)], id="the middle"),
        pytest.param([(2.0, 10.0)], [(0.0, 2.0)], id="the beginning"),
        pytest.param([(0.0, 8.0)], [(8.0, 10.0)], id="the end"),
        pytest.param([(0.0, 4.0), (5.4, 10.0)], [], id="too short a time"),
        pytest.param([(0.0, 9.0), (1.0, 2.0), (9.0, 10.0)], [], id="words inside of others"),
    ],
)
def test_loud_stretches_without_words_were_missed(
    heard: list[tuple[float, float]], missed: list[tuple[float, float]]
) -> None:
    words = tuple(Word("so", start, end) for start, end in heard)

    assert missed_speech(Speech((Segment(words),), "en"), TEN_LOUD) == [
        pytest.approx(window) for window in missed
    ]


@pytest.mark.parametrize(
    ("stretches", "missed"),
    [
        pytest.param([(10.0, QUIET)], [], id="silence"),
        pytest.param([(5.0, QUIET), (0.3, LOUD), (4.7, QUIET)], [], id="a click"),
        pytest.param([(4.0, QUIET), (2.0, LOUD), (4.0, QUIET)], [(3.8, 6.2)], id="speech"),
    ],
)
def test_only_speech_is_missed_and_little_of_the_silence_around_it(
    stretches: list[tuple[float, float]], missed: list[tuple[float, float]]
) -> None:
    assert missed_speech(Speech((), "en"), energy(*stretches)) == [
        pytest.approx(window) for window in missed
    ]


@pytest.mark.parametrize(
    ("timing", "missed"),
    [(Timing.WORD, [(0.9, 9.0)]), (Timing.SEGMENT, []), (Timing.NONE, [])],
)
def test_estimated_times_inside_a_segment_do_not_prove_a_hole(
    timing: Timing, missed: list[tuple[float, float]]
) -> None:
    heard = Segment((Word("so", 0.0, 0.9), Word("on", 9.0, 10.0)))

    assert missed_speech(Speech((heard,), "en", timing), TEN_LOUD) == [
        pytest.approx(window) for window in missed
    ]
