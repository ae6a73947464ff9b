"""Citations: whatever a model writes, they point to what was given and quote what is there."""

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from processing.knowledge.asking.citations import (
    QUOTE_CHARACTERS,
    MarkChecker,
    Source,
    citations_of,
    nearest_stretch,
)

#: Texts in which there is much that is a mark, or nearly one.
MARKED = st.lists(
    st.sampled_from(
        [
            *("[", "]", "【", "】", "1", "2", "99", "٣", ",", ";", " ", "\n", ".", "。", "!"),
            *("[1]", "[2, 3]", " [99]", "word", "水", "[^1]", "[1-3]", "[[1]]", "0" * 70),
        ]
    )
    | st.text(max_size=5),
    max_size=30,
).map("".join)

SPEECH = "We met on Monday. The budget for the bridge was approved.\nNobody spoke of the harbour."


def source(number: int = 1, text: str = SPEECH, **fields: Any) -> Source:
    return Source(number, 100 + number, f"document-{number}", f"Title {number}", text, **fields)


def checked(answer: str, count: int = 3) -> str:
    checker = MarkChecker(count)
    return checker.feed(answer) + checker.flush()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param("It is so [1].", "It is so [1].", id="known"),
        pytest.param("It is so [99].", "It is so.", id="unknown"),
        pytest.param("It is so [0].", "It is so.", id="zero"),
        pytest.param("It is so [1, 99; 3].", "It is so [1][3].", id="one of several"),
        pytest.param("It is so [2][2].", "It is so [2][2].", id="side by side"),
        pytest.param("It is so [2,2].", "It is so [2].", id="twice in one"),
        pytest.param("就是这样【2】。", "就是这样[2]。", id="Chinese brackets"),
        pytest.param("هكذا [٣].", "هكذا [3].", id="Arabic digits"),
        pytest.param("So.\n[99] Then [1].", "So.\n Then [1].", id="lines are kept"),
        pytest.param("See [a] and [1-3] and [].", "See [a] and [1-3] and [].", id="no marks"),
        pytest.param(f"So [{'9' * 60}].", "So.", id="a number of 60 digits"),
        pytest.param("So [[99]98].", "So […98].", id="a mark that is no mark without another"),
        pytest.param("So [[99][98]1].", "So […1].", id="a mark without two others"),
        pytest.param("So [1 [99] 2].", "So [1… 2].", id="a mark around another"),
        pytest.param("It ends [1", "It ends [1", id="never closed"),
    ],
)
def test_only_numbers_that_were_given_stay(answer: str, expected: str) -> None:
    assert checked(answer) == expected


@settings(max_examples=300)
@given(answer=MARKED, count=st.integers(0, 4))
@example(answer="[[99]98]", count=1)
@example(answer="[ [99] [99] 9]", count=1)
@example(answer="【1" + " " * 70 + "[99]9]", count=1)
def test_no_mark_is_left_that_was_not_given(answer: str, count: int) -> None:
    found = re.findall(r"[\[【]([\s\d,;]{1,60})[\]】]", checked(answer, count))

    numbers = [int(number) for inside in found for number in re.findall(r"\d+", inside)]
    assert set(numbers) <= set(range(1, count + 1))


@settings(max_examples=300)
@given(answer=MARKED, cuts=st.lists(st.integers(0, 60)))
def test_pieces_come_out_as_the_whole_does(answer: str, cuts: list[int]) -> None:
    checker = MarkChecker(3)
    ends = sorted({0, len(answer), *(cut for cut in cuts if cut < len(answer))})

    pieces = [checker.feed(answer[begin:end]) for begin, end in pairwise(ends)]

    assert "".join(pieces) + checker.flush() == checked(answer)


@given(answer=MARKED, texts=st.lists(MARKED, max_size=4))
def test_every_citation_was_given_and_quotes_its_passage(answer: str, texts: list[str]) -> None:
    sources = [source(number, text) for number, text in enumerate(texts, start=1)]

    citations = citations_of(checked(answer, len(sources)), sources)

    by_number = {one.number: one for one in sources}
    assert all(one["quote"] in by_number[one["number"]].text for one in citations)
    assert all(len(one["quote"]) <= QUOTE_CHARACTERS for one in citations)
    assert [one["number"] for one in citations] == sorted({one["number"] for one in citations})


@given(text=MARKED, claim=MARKED, at_most=st.integers(1, 30))
def test_stretch_is_a_part_of_the_text_and_not_longer_than_asked(
    text: str, claim: str, at_most: int
) -> None:
    begin, end = nearest_stretch(text, claim, at_most=at_most)

    assert 0 <= begin <= end <= len(text)
    assert end - begin <= at_most


def test_quote_is_the_sentence_that_the_claim_is_nearest_to() -> None:
    citations = citations_of("They approved a budget for the bridge [1].", [source()])

    assert citations == [
        {
            "number": 1,
            "document": "document-1",
            "title": "Title 1",
            "passage": 101,
            "start": None,
            "end": None,
            "quote": "The budget for the bridge was approved.",
        }
    ]


def test_number_after_the_full_stop_belongs_to_the_sentence_before_it() -> None:
    answer = "The bridge has a budget. [1] The harbour was no topic. [2]"

    citations = citations_of(answer, [source(1), source(2)])

    assert [one["quote"] for one in citations] == [
        "The budget for the bridge was approved.",
        "Nobody spoke of the harbour.",
    ]


def test_speech_without_full_stops_is_quoted_in_part() -> None:
    text = " ".join(["so it went on and on"] * 40 + ["the bridge is paid"] + ["and on"] * 40)

    quote = citations_of("The bridge is paid [1].", [source(text=text)])[0]["quote"]

    assert "the bridge is paid" in quote
    assert len(quote) <= QUOTE_CHARACTERS


def test_quote_of_a_script_without_spaces_is_a_sentence() -> None:
    text = "我们星期一开会。桥梁的预算已经批准。没有人提到港口。"

    quote = citations_of("桥梁的预算批准了[1]。", [source(text=text)])[0]["quote"]

    assert quote == "桥梁的预算已经批准。"


@pytest.mark.parametrize(
    ("claim", "times"),
    [
        pytest.param("We met on Monday [1].", (10.0, 13.0), id="the first"),
        pytest.param("The budget was approved [1].", (13.0, 19.5), id="in the middle"),
        pytest.param("Nobody spoke [1].", (19.5, 25.0), id="the last"),
    ],
)
def test_citation_has_the_time_of_what_is_quoted(claim: str, times: tuple[float, float]) -> None:
    offsets = [0, SPEECH.index("The budget"), SPEECH.index("Nobody")]
    spoken = source(start=10.0, end=25.0, marks=list(zip(offsets, [10.0, 13.0, 19.5], strict=True)))

    citation = citations_of(claim, [spoken])[0]

    assert (citation["start"], citation["end"]) == times


def test_hostile_length_is_no_trouble() -> None:
    answer = ("[" * 20_000) + (" " * 20_000) + ("." * 20_000) + "x [1]"

    assert citations_of(checked(answer), [source()])[0]["number"] == 1
