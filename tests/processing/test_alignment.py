"""Which words of two neighbours are one word: equal, near in time, or cut at an edge."""

import pytest

from processing.engines.base import Word
from processing.services.merging.alignment import (
    Column,
    TailAligner,
    TimedAligner,
    is_part,
    normalized,
)

Words = list[tuple[str, float]]


def words(said: Words) -> list[Word]:
    return [Word(word, start, start + 0.25) for word, start in said]


def aligned(left: Words, right: Words, *, edges: tuple[float, float] = (100.0, 0.0)) -> str:
    """Return columns as ``left/right``, with ``=`` for a match and nothing for a gap."""
    columns = TimedAligner().align(
        words(left), words(right), left_end=edges[0], right_start=edges[1]
    )
    return shown(columns, left, right)


def shown(columns: list[Column], left: Words, right: Words) -> str:
    return " ".join(
        f"{'' if c.left is None else left[c.left][0]}{'=' if c.is_match else '/'}"
        f"{'' if c.right is None else right[c.right][0]}"
        for c in columns
    )


# By text and time


@pytest.mark.parametrize(
    ("left", "right", "columns"),
    [
        pytest.param([("a", 6.0)], [("a", 6.0)], "a=a", id="equal"),
        pytest.param([("a", 6.0)], [("a", 6.59)], "a=a", id="inside the gate"),
        pytest.param([("a", 6.0)], [("a", 6.61)], "a/ /a", id="outside of the gate"),
        pytest.param([("a", 6.0)], [("b", 6.1)], "a/b", id="substitution"),
        pytest.param([("a", 6.0)], [("b", 7.0)], "a/ /b", id="two words"),
        pytest.param([("b", 7.0)], [("a", 6.0)], "/a b/", id="two words, by time"),
        pytest.param([], [("a", 6.0)], "/a", id="left is silent"),
        pytest.param([("a", 6.0)], [], "a/", id="right is silent"),
        pytest.param([], [], "", id="both are"),
    ],
)
def test_a_word_finds_its_partner(left: Words, right: Words, columns: str) -> None:
    assert aligned(left, right) == columns


def test_an_inserted_word_moves_no_other() -> None:
    left = [("a", 6.0), ("b", 6.3), ("c", 6.6)]
    right = [("a", 6.0), ("um", 6.15), ("b", 6.3), ("c", 6.6)]

    assert aligned(left, right) == "a=a /um b=b c=c"


def test_a_repeated_word_goes_to_the_one_of_its_time() -> None:
    left = [("very", 6.0), ("very", 6.4), ("good", 6.8)]
    right = [("very", 6.4), ("good", 6.8)]

    assert aligned(left, right) == "very/ very=very good=good"


def test_words_are_never_crossed() -> None:
    assert aligned([("a", 6.0), ("b", 6.2)], [("b", 6.0), ("a", 6.2)]) in {
        "a/b b/a",
        "a/ b=b /a",
        "/b a=a b/",
    }


# At the edges of clips


@pytest.mark.parametrize(
    ("left", "right", "edges", "columns"),
    [
        pytest.param([("bro", 9.8)], [("broken", 9.8)], (10.0, 6.0), "bro=broken", id="left end"),
        pytest.param([("seven", 5.8)], [("ven", 6.0)], (10.0, 6.0), "seven=ven", id="right start"),
        pytest.param([("bro", 8.0)], [("broken", 8.0)], (10.0, 6.0), "bro/broken", id="inside"),
        pytest.param([("x", 9.8)], [("broken", 9.8)], (10.0, 6.0), "x/broken", id="no part of it"),
    ],
)
def test_a_part_of_a_word_is_a_match_where_words_are_cut(
    left: Words, right: Words, edges: tuple[float, float], columns: str
) -> None:
    assert aligned(left, right, edges=edges) == columns


def test_only_the_outermost_word_may_be_cut() -> None:
    left = [("bro", 9.6), ("x", 9.9)]

    assert aligned(left, [("broken", 9.6), ("x", 9.9)], edges=(10.0, 6.0)) == "bro/broken x=x"


@pytest.mark.parametrize(
    ("one", "other", "is_one"),
    [("bro", "broken", True), ("broken", "ken", True), ("rok", "broken", False), ("a", "b", False)],
)
def test_a_part_is_a_beginning_or_an_ending(one: str, other: str, is_one: bool) -> None:
    assert is_part(one, other) is is_one


# By text alone


def test_tails_are_aligned_whatever_their_times() -> None:
    left = [("x", 0.0), ("one", 1.0), ("two", 2.0), ("three", 3.0)]
    right = [("one", 90.0), ("two", 91.0), ("three", 92.0), ("y", 93.0)]

    columns = TailAligner().align(words(left), words(right))

    assert shown(columns, left, right) == "x/ one=one two=two three=three /y"


def test_tails_may_be_heard_differently_in_places() -> None:
    left = [("one", 0.0), ("too", 0.0), ("three", 0.0), ("four", 0.0)]
    right = [("one", 0.0), ("two", 0.0), ("three", 0.0), ("for", 0.0), ("four", 0.0)]

    columns = TailAligner().align(words(left), words(right))

    assert shown(columns, left, right) == "one=one too/two three=three /for four=four"


def test_a_single_equal_word_does_not_join_tails() -> None:
    left, right = [("a", 0.0), ("the", 0.0)], [("the", 0.0), ("b", 0.0)]

    columns = TailAligner().align(words(left), words(right))

    assert shown(columns, left, right) == "a/ the/ /the /b"


# What is compared


@pytest.mark.parametrize(
    ("word", "compared"),
    [
        ("Well,", "well"),
        ("it's", "it's"),
        ("it’s", "it's"),  # noqa: RUF001 - the apostrophe of typesetters
        ("STRASSE", "strasse"),
        ("ﬁne", "fine"),
        ("?!", "?!"),
        ("好。", "好"),
        ("ที่", "ที่"),  # the vowel and the tone are marks
        ("की", "की"),
    ],
)
def test_words_are_compared_without_case_and_punctuation(word: str, compared: str) -> None:
    assert normalized(word) == compared
