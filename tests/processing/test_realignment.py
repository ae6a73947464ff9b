"""Words that were corrected: what was heard keeps its time, and the rest has one."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing.engines.spacing import spaced, words_of
from processing.services.merging.realignment import realigned, timed_words

WORDS = ["so", "it", "was", "said", "So,", "we", "went.", "今日", "は", "ไป", "שלום", "don't", "-"]


def heard(*words: tuple[str, float, float]) -> list[dict[str, Any]]:
    return [
        {"word": word, "start": start, "end": end, "confidence": 0.9} for word, start, end in words
    ]


SAID = heard(("so", 1.0, 1.2), ("it", 1.3, 1.4), ("was", 1.6, 2.0), ("said", 2.0, 2.5))


def corrected(text: str) -> list[dict[str, Any]]:
    return realigned(SAID, text, start=1.0, end=2.5)


def spans(words: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    return [(word["word"], word["start"], word["end"]) for word in words]


def test_the_same_text_changes_nothing() -> None:
    assert corrected("so it was said") == SAID


def test_case_and_punctuation_are_taken_over_and_times_and_confidence_stay() -> None:
    words = corrected("So, it was said.")

    assert spans(words) == [
        ("So,", 1.0, 1.2),
        ("it", 1.3, 1.4),
        ("was", 1.6, 2.0),
        ("said.", 2.0, 2.5),
    ]
    assert {word["confidence"] for word in words} == {0.9}
    assert not any("is_corrected" in word for word in words)


def test_words_in_place_of_others_share_their_span_by_letters() -> None:
    words = corrected("so they had said")

    assert spans(words)[1:3] == [("they", 1.3, 1.7), ("had", 1.7, 2.0)]
    assert [word["confidence"] for word in words] == [0.9, None, None, 0.9]
    assert [word.get("is_corrected", False) for word in words] == [False, True, True, False]


def test_words_in_place_of_none_lie_between_their_neighbours() -> None:
    words = corrected("so it never was said")

    assert spans(words)[2] == ("never", 1.4, 1.6)
    assert [words[0], words[1], words[3], words[4]] == SAID


@pytest.mark.parametrize(
    ("text", "first_or_last", "span"),
    [
        pytest.param("and so it was said", 0, ("and", 1.0, 1.0), id="before the first"),
        pytest.param("so it was said then", -1, ("then", 2.5, 2.5), id="after the last"),
    ],
)
def test_words_at_an_edge_stay_in_the_segment(
    text: str, first_or_last: int, span: tuple[str, float, float]
) -> None:
    assert spans(corrected(text))[first_or_last] == span


def test_deleted_words_go_and_no_other_moves() -> None:
    assert corrected("so said") == [SAID[0], SAID[3]]


def test_no_text_has_no_words() -> None:
    assert corrected(" \n") == []


def test_a_text_for_a_segment_without_words_has_its_whole_span() -> None:
    words = realigned([], "one three", start=4.0, end=8.0)

    assert spans(words) == [("one", 4.0, 5.5), ("three", 5.5, 8.0)]


def test_a_heard_word_of_several_letters_without_spaces_stays_one() -> None:
    words = heard(("今日", 0.0, 0.5), ("は", 0.5, 0.7), ("雨", 0.7, 1.0))

    corrected_words = realigned(words, "今日は雪", start=0.0, end=1.0)

    assert corrected_words[:2] == words[:2]
    assert spans(corrected_words[2:]) == [("雪", 0.7, 1.0)]


def test_a_part_of_such_a_word_is_corrected_with_the_whole_of_it() -> None:
    words = heard(("今日", 0.0, 0.5), ("は", 0.5, 0.7))

    corrected_words = realigned(words, "昨日は", start=0.0, end=0.7)

    assert spans(corrected_words) == [("昨", 0.0, 0.25), ("日", 0.25, 0.5), ("は", 0.5, 0.7)]


def test_words_written_from_right_to_left_keep_their_times() -> None:
    words = heard(("שלום", 0.0, 0.5), ("לך", 0.5, 0.9))

    corrected_words = realigned(words, "שלום, לכם", start=0.0, end=0.9)

    assert spans(corrected_words) == [("שלום,", 0.0, 0.5), ("לכם", 0.5, 0.9)]


def test_a_new_word_does_not_reach_into_the_next_when_those_heard_overlap() -> None:
    words = heard(("one", 0.0, 0.6), ("two", 0.5, 1.0))

    assert spans(realigned(words, "won two", start=0.0, end=1.0))[0] == ("won", 0.0, 0.5)


def test_a_mark_of_doubt_stays_on_a_word_that_stays() -> None:
    words = [{**SAID[0], "is_cut": True}, *SAID[1:]]

    assert realigned(words, "So it is said", start=1.0, end=2.5)[0]["is_cut"]


def test_a_segment_of_nothing_but_text_has_its_words_in_proportion() -> None:
    segment = {"start": 0.0, "end": 2.0, "text": "a bcd"}

    assert spans(timed_words(segment)) == [("a", 0.0, 0.5), ("bcd", 0.5, 2.0)]


# What holds of every correction

texts = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@st.composite
def segments(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Words in order that do not overlap, in milliseconds."""
    words = draw(st.lists(st.sampled_from([*WORDS, "New York"]), min_size=1, max_size=12))
    steps = draw(st.lists(st.integers(0, 900), min_size=2 * len(words), max_size=2 * len(words)))
    at, timed = 1_000, []
    for word, pause, length in zip(words, steps[::2], steps[1::2], strict=True):
        timed.append((word, (at + pause) / 1000, (at + pause + length) / 1000))
        at += pause + length
    return heard(*timed)


@given(segments(), texts)
def test_the_words_are_those_of_the_text(words: list[dict[str, Any]], text: str) -> None:
    result = realigned(words, text, start=words[0]["start"], end=words[-1]["end"])

    assert spaced(word["word"] for word in result) == spaced(words_of(text))


@given(segments(), texts)
def test_times_never_fall_and_stay_in_the_segment(words: list[dict[str, Any]], text: str) -> None:
    start, end = words[0]["start"], words[-1]["end"]

    result = realigned(words, text, start=start, end=end)

    assert all(start <= word["start"] <= word["end"] <= end for word in result)
    assert all(one["end"] <= next_["start"] for one, next_ in pairwise(result))


@given(segments(), st.data())
def test_untouched_words_stay_as_they_were(
    words: list[dict[str, Any]], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(words)))
    text = spaced([*(w["word"] for w in words[:at]), "xyzzy", *(w["word"] for w in words[at:])])

    result = realigned(words, text, start=words[0]["start"], end=words[-1]["end"])

    assert [word for word in result if word["word"] != "xyzzy"] == words


@given(segments(), texts)
def test_a_correction_made_again_changes_nothing(words: list[dict[str, Any]], text: str) -> None:
    start, end = words[0]["start"], words[-1]["end"]
    once = realigned(words, text, start=start, end=end)

    assert realigned(once, text, start=start, end=end) == once
