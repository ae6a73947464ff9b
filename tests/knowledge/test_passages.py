"""What a document says is cut into passages without losing a word."""

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing.knowledge.content import Section
from processing.knowledge.searching.passages import PassageCutter, Stretch

CUTTER = PassageCutter()

SENTENCE = "What was said here is a sentence of some sixty characters. "


def cut(*sections: Section) -> list[Stretch]:
    return list(CUTTER.cut(sections))


def spoken(count: int, text: str = SENTENCE, *, speaker: str = "") -> list[Section]:
    return [Section(text.strip(), 5.0 * i, 5.0 * i + 4.0, speaker) for i in range(count)]


def letters_of(text: str) -> str:
    return "".join(text.split())


def test_nothing_is_cut_into_nothing() -> None:
    assert cut() == []


def test_a_short_document_is_one_passage() -> None:
    [passage] = cut(Section("Good morning.", 1.0, 2.5, "Anna"))

    assert passage == Stretch("Good morning.", "Anna", 1.0, 2.5, [[0, 1.0]])


def test_passages_are_whole_sentences_of_about_a_thousand_characters() -> None:
    passages = cut(*spoken(100))

    assert all(600 <= len(passage.text) <= 1_000 for passage in passages[:-1])
    assert all(passage.text.endswith("characters.") for passage in passages)


def test_the_segments_of_a_passage_begin_where_its_marks_say() -> None:
    passages = cut(*spoken(40))

    for passage in passages:
        assert all(passage.text[int(at) :].startswith("What was") for at, _ in passage.marks)
    assert [seconds for passage in passages for _, seconds in passage.marks] == [
        5.0 * i for i in range(40)
    ]


def test_the_times_of_passages_are_those_of_their_segments() -> None:
    passages = cut(*spoken(40))

    assert passages[0].start_seconds == 0.0
    assert passages[-1].end_seconds == 199.0
    assert all(one.end_seconds == next_.start_seconds - 1.0 for one, next_ in pairwise(passages))  # type: ignore[operator]  # spoken


def test_a_passage_is_of_one_speaker() -> None:
    turns = [*spoken(3, speaker="Anna"), *spoken(2, speaker="Ben"), *spoken(1, speaker="Anna")]

    assert [passage.speaker for passage in cut(*turns)] == ["Anna", "Ben", "Anna"]


def test_a_long_segment_is_cut_between_sentences_with_times_in_proportion() -> None:
    passages = cut(Section(SENTENCE * 100, 0.0, 600.0))

    assert all(passage.text.endswith("characters.") for passage in passages)
    half = next(p for p in passages if p.end_seconds and p.end_seconds > 300)
    assert sum(len(p.text) + 1 for p in passages[: passages.index(half)]) == pytest.approx(
        len(SENTENCE) * 100 / 2, abs=1_000
    )


def test_a_number_is_no_end_of_a_sentence() -> None:
    [passage] = cut(Section("Pi is 3.14 and a bit more than that"))

    assert len(passage.marks) == 0
    assert passage.text == "Pi is 3.14 and a bit more than that"


def test_a_line_without_spaces_is_cut_hard() -> None:
    passages = cut(Section("x" * 7_000))

    assert [len(passage.text) for passage in passages] == [2_000, 2_000, 2_000, 1_000]


def test_paragraphs_stay_apart_within_a_passage() -> None:
    [passage] = cut(Section("A title"), Section("And what follows."))

    assert passage.text == "A title\n\nAnd what follows."
    assert (passage.start_seconds, passage.end_seconds, passage.marks) == (None, None, [])


def test_segments_of_a_script_without_spaces_are_joined_without_spaces() -> None:
    [passage] = cut(Section("今天开会。", 0.0, 1.0), Section("明天休息。", 1.0, 2.0))

    assert passage.text == "今天开会。明天休息。"
    assert passage.marks == [[0, 0.0], [5, 1.0]]


def test_a_hundred_megabytes_of_one_line_are_cut_in_little_memory() -> None:
    section = Section("x" * 20_000_000)
    tracemalloc.start()

    count = sum(1 for _ in CUTTER.cut([section]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 10_000
    assert peak < 100_000


@given(
    st.lists(
        st.tuples(
            st.text(alphabet="ab 。.会\n\u0301", max_size=5_000), st.sampled_from(["", "A", "B"])
        ),
        max_size=8,
    )
)
def test_no_letter_is_lost_and_no_passage_is_too_long(turns: list[tuple[str, str]]) -> None:
    sections = [Section(text, float(i), i + 1.0, who) for i, (text, who) in enumerate(turns)]

    passages = cut(*sections)

    assert letters_of("".join(p.text for p in passages)) == letters_of("".join(t for t, _ in turns))
    assert all(0 < len(passage.text) <= CUTTER.limit for passage in passages)
    assert all(passage.text == passage.text.strip() for passage in passages)
