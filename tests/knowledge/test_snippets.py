"""A snippet shows the matches of a passage, and nothing that the passage does not say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing.knowledge.searching.snippets import (
    ELLIPSIS,
    SNIPPET_LENGTH,
    START,
    STOP,
    excerpt,
    spans_of,
    whole_runs,
)

FILLER = "word " * 200


def marked(text: str) -> str:
    return text.replace("[", START).replace("]", STOP)


@pytest.mark.parametrize(
    ("text", "headline", "matches"),
    [
        pytest.param("the cat sat", "the [cat] sat", ["cat"], id="one"),
        pytest.param("cat, cat", "[cat], [cat]", ["cat", "cat"], id="two"),
        pytest.param("今天开会", " 今  [天]  [开]  会 ", ["天开"], id="spaces that we put in"),
        pytest.param("<b>big</b> cat", " big  [cat]", ["cat"], id="spaces for tags"),
        pytest.param("<cat cat>cat", " [cat]", ["cat"], id="the same within a tag"),
        pytest.param("a cat", "[something else]", [], id="of another text"),
    ],
)
def test_matches_are_found_where_they_are_in_the_text(
    text: str, headline: str, matches: list[str]
) -> None:
    assert [text[begin:end] for begin, end in spans_of(text, marked(headline))] == matches


def test_letters_of_a_run_that_stand_elsewhere_are_no_match() -> None:
    text = "会今天开会。会议 cat"

    spans = whole_runs(text, [(0, 1), (3, 5), (6, 8), (9, 12)], ["开会", "会议"])

    assert [text[begin:end] for begin, end in spans] == ["开会", "会议", "cat"]


def test_a_short_text_is_shown_whole() -> None:
    assert excerpt("the cat sat", [(4, 7)]) == [("the ", False), ("cat", True), (" sat", False)]


def test_a_long_text_is_shown_where_the_most_matches_are() -> None:
    text = f"{FILLER}cat {FILLER}cat and cat {FILLER}"
    first, second = text.index("cat"), text.index("cat and")
    spans = [(at, at + 3) for at in (first, second, second + 8)]

    pieces = excerpt(text, spans)

    assert [piece for piece, is_match in pieces if is_match] == ["cat", "cat"]
    assert pieces[0] == pieces[-1] == (ELLIPSIS, False)


def test_a_snippet_is_cut_between_words() -> None:
    text = f"{FILLER}cat {FILLER}"
    at = text.index("cat")

    [_, (before, _), match, (after, _), _] = excerpt(text, [(at, at + 3)])

    assert match == ("cat", True)
    assert set(before.split()) == set(after.split()) == {"word"}
    assert before.endswith(" ")
    assert after.startswith(" ")


def test_without_matches_the_beginning_is_shown() -> None:
    pieces = excerpt(FILLER, [])

    assert pieces[0][0].startswith("word word")
    assert pieces[-1] == (ELLIPSIS, False)


@given(st.text(alphabet="ab \n", max_size=1_000), st.data())
def test_a_snippet_is_a_stretch_of_the_text(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=20)))
    spans = [(cuts[i], cuts[i + 1]) for i in range(0, len(cuts) - 1, 2)]

    shown = "".join(piece for piece, _ in excerpt(text, spans) if piece != ELLIPSIS)

    assert shown in text
    assert len(shown) <= SNIPPET_LENGTH or any(e - b > SNIPPET_LENGTH for b, e in spans)
