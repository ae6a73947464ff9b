"""Long texts in sentences and in parts: of each text there is everything, once and in order."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing.knowledge.content import Section
from processing.knowledge.summarizing.parts import Part, Piece, parts_of, pieces_of
from processing.knowledge.summarizing.sentences import MAX_SENTENCE_CHARACTERS, sentences_of

TEXTS = st.lists(st.text(alphabet="ab .!\n本。ש؟'", max_size=80), max_size=12)


def letters(*texts: str) -> str:
    return "".join("".join(text.split()) for text in texts)


def packed(*texts: str, limit: float = 30) -> list[Part]:
    """Pack texts of a second each; what is counted are letters."""
    pieces = [Piece(text, at, at + 1) for at, text in enumerate(texts)]
    return parts_of(pieces, limit=limit, cost=len, language="en")


class TestSentences:
    @pytest.mark.parametrize(
        ("text", "language", "sentences"),
        [
            ("Dr. Smith came. He left!", "en", ["Dr. Smith came.", "He left!"]),
            ("今天很好。我们走吧。", "zh", ["今天很好。", "我们走吧。"]),
            ("كيف حالك؟ أنا بخير.", "ar", ["كيف حالك؟", "أنا بخير."]),
            ("no full stop at all", "en", ["no full stop at all"]),
            ("A line that\ngoes on. Next.", "", ["A line that goes on.", "Next."]),
            ("今天\n很好。", "zh", ["今天很好。"]),
            (" \n\n ", "en", []),
            ("", "xx", []),
        ],
        ids=["English", "Chinese", "Arabic", "speech", "wrapped", "wrapped Chinese", "-", "none"],
    )
    def test_a_text_is_cut_where_its_language_ends_sentences(
        self, text: str, language: str, sentences: list[str]
    ) -> None:
        assert sentences_of(text, language) == sentences

    @pytest.mark.parametrize("text", ["word " * 1_000, "本" * 5_000, "x" * 5_000])
    def test_what_has_no_sentences_is_cut_to_a_length(self, text: str) -> None:
        sentences = sentences_of(text, "en")

        assert max(map(len, sentences)) <= MAX_SENTENCE_CHARACTERS
        assert letters(*sentences) == letters(text)

    @given(TEXTS)
    def test_no_letter_is_lost_doubled_or_moved(self, texts: list[str]) -> None:
        text = "\n".join(texts)

        assert letters(*sentences_of(text, "en")) == letters(text)


class TestPieces:
    def test_what_was_spoken_keeps_its_times_and_speaker(self) -> None:
        assert list(pieces_of([Section("Hello.", 1.5, 2.5, "Anna")])) == [
            Piece("Hello.", 1.5, 2.5, "Anna")
        ]

    def test_what_nobody_spoke_has_its_place_in_the_text(self) -> None:
        assert list(pieces_of([Section("Hello."), Section("You.")])) == [
            Piece("Hello.", 0, 6),
            Piece("You.", 8, 12),
        ]


class TestParts:
    def test_what_fits_is_one_part(self) -> None:
        [part] = packed("one", "two")

        assert (part.text, part.start, part.end) == ("one\ntwo", 0, 2)

    def test_who_speaks_is_said(self) -> None:
        piece = Piece("Hello.", 0, 1, "Anna")

        [part] = parts_of([piece], limit=20, cost=len, language="en")

        assert part.text == "Anna: Hello."

    def test_a_part_ends_where_the_next_section_does_not_fit(self) -> None:
        parts = packed("a" * 14, "b" * 14, "c" * 14)

        assert [part.text for part in parts] == [f"{'a' * 14}\n{'b' * 14}", "c" * 14]

    def test_a_section_over_the_limit_is_cut_between_sentences(self) -> None:
        parts = packed("The river rises there. It meets the sea. It ends.")

        assert [part.text for part in parts] == [
            "The river rises there.",
            "It meets the sea.\nIt ends.",
        ]

    def test_a_sentence_over_the_limit_is_cut_between_words(self) -> None:
        parts = packed("the river rises in the hills and meets the sea")

        words = " ".join(part.text.replace("\n", " ") for part in parts)
        assert words == "the river rises in the hills and meets the sea"

    def test_a_word_over_the_limit_is_cut_at_last(self) -> None:
        assert letters(*(part.text for part in packed("x" * 100))) == "x" * 100

    def test_the_times_of_a_cut_section_are_shared_out(self) -> None:
        first, second = packed("a" * 19 + ".", "b" * 20 + ". " + "c" * 20 + ".")[-2:]

        assert (first.end, second.start, second.end) == (1.5, 1.5, 2.0)

    @given(TEXTS, st.integers(min_value=3, max_value=60))
    def test_parts_are_the_whole_text_within_the_limit(self, texts: list[str], limit: int) -> None:
        parts = packed(*texts, limit=limit)

        assert letters(*(part.text for part in parts)) == letters(*texts)
        assert all(len(part.text) <= limit for part in parts)
        assert all(one.end <= next_.start + 1e-9 for one, next_ in pairwise(parts))
