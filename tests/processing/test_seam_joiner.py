"""One seam: what both chunks heard is there once, and what one heard is not lost."""

import pytest

from processing.engines.base import Timing
from processing.services.merging.merger import Merger
from tests.processing.overlaps import Words, estimated, merge, overlapping, side, text

# Words that both heard, and words that one heard


SHARED: Words = [("a", 6.5, 6.8), ("b", 7.2, 7.6), ("c", 7.8, 8.2), ("d", 8.6, 9.0)]


def test_words_that_both_sides_heard_are_there_once() -> None:
    left: Words = [("first", 5.0, 5.4), *SHARED]
    right: Words = [*SHARED, ("last", 10.5, 10.9)]

    assert overlapping(left, right) == "first a b c d last"


def test_the_broken_words_at_the_ends_of_the_audio_are_dropped() -> None:
    left: Words = [*SHARED, ("br~", 9.8, 10.0)]
    right: Words = [("~en", 6.0, 6.2), *SHARED, ("broken", 9.8, 10.4)]

    assert overlapping(left, right) == "a b c d broken"


def test_words_that_only_one_side_heard_in_its_own_half_are_kept() -> None:
    left: Words = [("a", 6.5, 6.8), ("left", 7.0, 7.3), ("c", 7.8, 8.2), ("d", 8.6, 9.0)]
    right: Words = [("a", 6.5, 6.8), ("c", 7.8, 8.2), ("d", 8.6, 9.0), ("right", 9.2, 9.5)]

    assert overlapping(left, right) == "a left c d right"


def test_a_word_said_twice_in_the_overlap_is_there_twice() -> None:
    said: Words = [("very", 6.5, 6.9), ("very", 7.4, 7.8), ("very", 8.3, 8.7), ("good", 9.0, 9.4)]

    assert overlapping(said, said) == "very very very good"


def test_equal_words_at_different_times_are_not_taken_for_one() -> None:
    left: Words = [("no", 6.2, 6.5), ("stop", 7.0, 7.4)]
    right: Words = [("go", 8.8, 9.1), ("no", 9.4, 9.7)]

    assert overlapping(left, right) == "no stop go no"


def test_times_may_differ_a_little_between_the_sides() -> None:
    right: Words = [(word, start + 0.15, end + 0.15) for word, start, end in SHARED]

    assert overlapping(SHARED, right) == "a b c d"


def test_case_and_punctuation_do_not_keep_words_from_agreeing() -> None:
    left: Words = [("well", 6.5, 6.8), ("OK", 7.8, 8.1), ("then", 8.5, 8.9)]
    right: Words = [("Well,", 6.5, 6.8), ("ok.", 7.8, 8.1), ("Then", 8.5, 8.9)]

    assert overlapping(left, right) == "well ok. Then"


def test_sides_that_agree_on_nothing_change_at_the_cut() -> None:
    left: Words = [("x", 6.5, 6.8), ("y", 7.2, 7.6), ("z", 8.6, 9.0)]
    right: Words = [("u", 6.5, 6.8), ("v", 8.3, 8.5), ("w", 8.6, 9.0)]

    assert overlapping(left, right) == "x y v w"


@pytest.mark.parametrize(
    ("left", "right", "joined"),
    [
        pytest.param([], SHARED, "a b c d", id="left heard nothing"),
        pytest.param([("far", 1.0, 1.5)], SHARED, "far a b c d", id="left heard nothing near"),
        pytest.param(SHARED, [], "a b c d", id="right heard nothing"),
        pytest.param(SHARED, [("far", 15.0, 15.5)], "a b c d far", id="right heard nothing near"),
        pytest.param([], [], "", id="nobody heard anything"),
    ],
)
def test_what_only_one_side_heard_of_an_overlap_is_kept(
    left: Words, right: Words, joined: str
) -> None:
    assert overlapping(left, right) == joined


# Heard differently, and heard by one


@pytest.mark.parametrize(
    ("left", "right", "joined"),
    [
        pytest.param(
            [("a", 6.5, 6.8), ("x", 7.2, 7.6), ("c", 7.8, 8.2)],
            [("a", 6.5, 6.8), ("y", 7.2, 7.6), ("c", 7.8, 8.2)],
            "a x c",
            id="in the left half",
        ),
        pytest.param(
            [("c", 7.8, 8.2), ("x", 8.4, 8.8), ("d", 9.0, 9.3)],
            [("c", 7.8, 8.2), ("y", 8.4, 8.8), ("d", 9.0, 9.3)],
            "c y d",
            id="in the right half",
        ),
        pytest.param(
            [("a", 6.5, 6.8), ("everyone", 7.0, 7.6), ("c", 7.8, 8.2)],
            [("a", 6.5, 6.8), ("every", 7.0, 7.3), ("one", 7.3, 7.6), ("c", 7.8, 8.2)],
            "a every one c",
            id="one word as two",
        ),
    ],
)
def test_what_both_heard_differently_is_there_once(left: Words, right: Words, joined: str) -> None:
    assert overlapping(left, right) == joined


@pytest.mark.parametrize(
    ("left", "right", "joined"),
    [
        pytest.param(
            [("a", 6.5, 6.8), ("c", 7.8, 8.2)],
            [("a", 6.5, 6.8), ("only", 7.3, 7.5), ("c", 7.8, 8.2)],
            "a only c",
            id="by the right in the left half",
        ),
        pytest.param(
            [("c", 7.8, 8.2), ("only", 8.4, 8.7), ("d", 8.9, 9.3)],
            [("c", 7.8, 8.2), ("d", 8.9, 9.3)],
            "c only d",
            id="by the left in the right half",
        ),
        pytest.param(
            [("c", 7.8, 8.2), ("only", 9.5, 9.8)],
            [("c", 7.8, 8.2)],
            "c only",
            id="at its edge, where the other is deaf",
        ),
    ],
)
def test_a_word_without_a_partner_outlives_the_change_of_sides(
    left: Words, right: Words, joined: str
) -> None:
    assert overlapping(left, right) == joined


def test_at_its_edge_a_side_does_not_overrule_one_that_heard_well() -> None:
    left: Words = [("c", 7.8, 8.2), ("um", 9.3, 9.5)]
    right: Words = [("c", 7.8, 8.2), ("d", 8.9, 9.2), ("e", 9.9, 10.3)]

    assert overlapping(left, right) == "c d e"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param([*SHARED, ("bro", 9.8, 10.0)], [*SHARED, ("broken", 9.8, 10.4)], id="end"),
        pytest.param([("seven", 5.7, 6.2), *SHARED], [("ven", 6.0, 6.2), *SHARED], id="beginning"),
    ],
)
def test_a_word_cut_at_the_edge_is_whole_again(left: Words, right: Words) -> None:
    whole = [word for word, _, _ in [*left, *right] if len(word) > 3]

    assert [word for word in overlapping(left, right).split() if len(word) > 1] == whole


def test_a_word_of_the_other_side_joins_the_segment_around_it() -> None:
    left: Words = [("a", 6.5, 6.8), ("c", 7.8, 8.2)]
    right: Words = [("a", 6.5, 6.8), ("b", 7.3, 7.5), ("c", 7.8, 8.2)]

    assert [segment["text"] for segment in merge([left], [right]).segments] == ["a b", "c"]


def test_a_segment_that_reaches_into_an_overlap_stays_one() -> None:
    left: Words = [("a", 5.0, 5.3), ("b", 6.5, 6.8), ("c", 7.9, 8.2)]
    right: Words = [("b", 6.5, 6.8), ("c", 7.9, 8.2), ("d", 9.0, 9.3)]

    segments = merge([left], [right]).segments

    assert [segment["text"] for segment in segments] == ["a b", "c d"]


def test_segments_of_both_sides_stay_segments() -> None:
    left: list[Words] = [[("a", 5.0, 5.3)], [("b", 7.0, 7.3), ("c", 7.8, 8.2)]]
    right: list[Words] = [[("b", 7.0, 7.3), ("c", 7.8, 8.2)], [("d", 9.5, 9.9)]]

    segments = merge(left, right).segments

    assert [segment["text"] for segment in segments] == ["a", "b", "c", "d"]


# Without times of words

LINE = ["one", "two", "three", "four", "five", "six"]


def test_estimated_times_may_be_further_apart() -> None:
    left = estimated(LINE, 5.0, 10.0)
    right = estimated(LINE[1:], 6.0, 10.0) + estimated(["on"], 12.0, 12.5)

    merged = merge([left], [right], Timing.SEGMENT)

    assert text(merged) == "one two three four five six on"
    assert merged.seams[0]["method"] == "alignment"


def test_segments_that_share_no_word_change_in_their_middles() -> None:
    left = [estimated(["a", "b"], 3.0, 7.0), estimated(["c", "d"], 8.5, 10.0)]
    right = [estimated(["e", "f"], 6.0, 7.0), estimated(["g", "h"], 8.0, 12.0)]

    merged = merge(left, right, Timing.SEGMENT)

    assert text(merged) == "a b g h"
    assert merged.seams[0]["method"] == "segment"


def test_a_segment_on_the_wrong_side_stays_when_nothing_covers_it() -> None:
    left = [estimated(["a", "b"], 8.5, 9.5)]
    right = [estimated(["g", "h"], 11.0, 12.0)]

    merged = merge(left, right, Timing.SEGMENT)

    assert text(merged) == "a b g h"


def test_without_times_tails_are_joined_by_their_words() -> None:
    left = estimated(["zero", *LINE], 0.0, 10.0)
    right = estimated([*LINE[2:], "seven", "eight"], 6.0, 16.0)

    merged = merge([left], [right], Timing.NONE)

    assert text(merged) == "zero one two three four five six seven eight"
    assert merged.seams[0]["method"] == "alignment"


def test_without_times_and_shared_words_nothing_is_dropped() -> None:
    merged = merge(
        [estimated(["a", "b"], 0.0, 10.0)],
        [estimated(["c", "d"], 6.0, 16.0)],
        Timing.NONE,
    )

    assert text(merged) == "a b c d"
    assert merged.seams[0]["method"] == "plain"


def test_without_times_a_side_does_not_overrule_at_its_edge_one_that_heard_well() -> None:
    left = estimated(["zero", *LINE, "um"], 0.0, 10.0)
    right = estimated(["hm", *LINE, "seven", "eight", "nine"], 6.0, 16.0)

    assert text(merge([left], [right], Timing.NONE)) == (
        "zero one two three four five six seven eight nine"
    )


def test_a_seam_is_as_exact_as_the_less_exact_of_its_sides() -> None:
    left = side(0, (0.0, 0.0, 8.0, 10.0), [estimated(LINE, 5.0, 10.0)], Timing.WORD)
    right = side(1, (6.0, 8.0, 16.0, 16.0), [estimated(LINE, 9.0, 16.0)], Timing.NONE)

    assert text(Merger().merge([left, right])) == "one two three four five six"


# The account, and doubt


def test_the_account_of_a_seam_hides_nothing() -> None:
    left: Words = [("a", 6.5, 6.8), ("x", 7.2, 7.6), ("c", 7.9, 8.2)]
    right: Words = [("a", 6.5, 6.8), ("y", 7.2, 7.6), ("c", 7.9, 8.2)]

    assert merge([left], [right]).seams == [
        {
            "at": 8.0,
            "left_chunk": 0,
            "right_chunk": 1,
            "method": "alignment",
            "matched": 2,
            "left": ["a", "x", "c"],
            "right": ["a", "y", "c"],
            "kept": ["a", "x", "c"],
        }
    ]


def flags_of(left: Words, right: Words) -> list[str]:
    segments = merge([left], [right]).segments
    return [flag for segment in segments for flag in segment.get("flags", [])]


def test_words_repeated_across_a_seam_are_flagged() -> None:
    left = estimated(["so", "we", "go"], 6.2, 7.4)

    assert flags_of(left, estimated(["so", "we", "go"], 8.2, 9.4)) == ["repeated_across_seam"]


def test_words_that_one_side_heard_twice_were_said_twice() -> None:
    said = estimated(["so", "we", "go", "so", "we", "go"], 6.2, 9.4)

    assert flags_of(said, said) == []


def test_two_words_repeated_are_no_repetition() -> None:
    left = estimated(["so", "we"], 6.2, 7.4)

    assert flags_of(left, estimated(["so", "we"], 8.2, 9.4)) == []
