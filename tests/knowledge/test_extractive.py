"""Summaries in the text's own sentences, and the phrases it is about; without a model."""

from pathlib import Path

import pytest
from django.conf import settings

from processing.knowledge.summarizing.extractive import MAX_WORDS, MIN_WORDS, extract_summary
from processing.knowledge.summarizing.key_phrases import key_phrases
from processing.knowledge.summarizing.parts import Piece

LESSON = (Path(settings.BASE_DIR) / "processing" / "demo" / "lesson.txt").read_text()

#: A hundred sentences about everything, and some about one thing.
STORY = [f"Then number{n} went to place{n} with friend{n} and came home." for n in range(100)]
STORY[40] = "The harbour bridge will be closed for repairs until the first of May."
STORY[70] = "Closing the harbour bridge for repairs costs the town a million."

CHINESE = (
    "今天我们去公园散步。公园里有很多人。机器学习是人工智能的一个分支。机器学习使用数据。"
    "深度学习也是机器学习的方法。我们讨论人工智能的未来。公园的湖边有花。人工智能改变世界。"
)
HEBREW = "היום נדבר על בינה מלאכותית. בינה מלאכותית משנה את העולם. תודה לכולם."


def spoken(*texts: str) -> list[Piece]:
    return [Piece(text, float(at), at + 0.5) for at, text in enumerate(texts)]


def without_marks(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum() or c.isspace())


class TestSummary:
    def test_it_is_made_of_what_the_text_says_most(self) -> None:
        sentences = [piece.text for piece in extract_summary(spoken(*STORY), "en")]

        assert STORY[40] in sentences
        assert len(sentences) < 40

    def test_sentences_are_whole_in_order_and_keep_their_times(self) -> None:
        pieces = extract_summary(spoken(*STORY), "en")

        assert [piece.start for piece in pieces] == sorted(piece.start for piece in pieces)
        assert all(STORY[int(piece.start)] == piece.text for piece in pieces)

    def test_what_is_in_one_section_has_its_share_of_the_time(self) -> None:
        pieces = extract_summary([Piece(" ".join(STORY), 100.0, 200.0)], "en")

        [bridge] = [piece for piece in pieces if piece.text == STORY[40]]
        assert bridge.start == pytest.approx(140, abs=2)

    def test_a_short_text_is_its_own_summary(self) -> None:
        pieces = spoken("The river rises in the hills.", "It meets the sea.")

        assert extract_summary(pieces, "en") == pieces

    @pytest.mark.parametrize("count", [30, 600], ids=["short", "long"])
    def test_its_length_is_a_share_of_the_text_within_limits(self, count: int) -> None:
        sentences = [STORY[n % 100].replace("Then", f"Then{n}") for n in range(count)]

        words = sum(len(p.text.split()) for p in extract_summary(spoken(*sentences), "en"))

        assert MIN_WORDS / 2 <= words <= 1.2 * MAX_WORDS

    def test_speech_without_a_full_stop_is_taken_by_segments(self) -> None:
        segments = [without_marks(sentence) for sentence in STORY]

        sentences = [piece.text for piece in extract_summary(spoken(*segments), "en")]

        assert segments[40] in sentences
        assert set(sentences) <= set(segments)

    @pytest.mark.parametrize(
        ("text", "language"), [(CHINESE, "zh"), (HEBREW, "he")], ids=["Chinese", "Hebrew"]
    )
    def test_other_scripts_have_summaries_too(self, text: str, language: str) -> None:
        summary = "".join(p.text for p in extract_summary([Piece(text * 20, 0, 1)], language))

        assert 0 < len(summary) < 20 * len(text)

    @pytest.mark.parametrize(
        "text", ["a" * 50_000, "1 2 3 " * 1_000, "word " * 5_000, "?! " * 1_000, ""]
    )
    def test_what_is_no_text_at_all_comes_to_an_end(self, text: str) -> None:
        assert len(" ".join(p.text for p in extract_summary([Piece(text, 0, 1)], "en"))) < 5_000


class TestKeyPhrases:
    def test_they_are_what_the_text_is_about(self) -> None:
        phrases = [phrase.lower() for phrase, _ in key_phrases("\n".join(STORY), "en", 5)]

        assert "harbour bridge" in " ".join(phrases)

    def test_the_best_comes_first_with_a_score_of_one(self) -> None:
        scores = [score for _, score in key_phrases(LESSON, "en", 6)]

        assert scores[0] == 1.0
        assert scores == sorted(scores, reverse=True)
        assert len(scores) == 6

    def test_none_is_within_another(self) -> None:
        phrases = [f" {phrase.lower()} " for phrase, _ in key_phrases(LESSON, "en", 8)]

        within = [(a, b) for a in phrases for b in phrases if a != b and a in b]
        assert within == []

    def test_stop_words_of_the_language_are_none(self) -> None:
        text = "Die Brücke und die Stadt und die Brücke sind unter der Brücke in der Stadt."

        phrases = {phrase.lower() for phrase, _ in key_phrases(text, "de", 5)}

        assert phrases & {"die", "und", "der", "sind"} == set()
        assert "brücke" in " ".join(phrases)

    def test_letters_without_spaces_are_phrases_when_they_come_often(self) -> None:
        phrases = [phrase for phrase, _ in key_phrases(CHINESE, "zh", 3)]

        assert phrases == ["机器学习", "人工智能", "公园"]

    def test_a_right_to_left_text_has_phrases(self) -> None:
        assert "בינה מלאכותית" in [phrase for phrase, _ in key_phrases(HEBREW, "he", 3)]

    @pytest.mark.parametrize("text", ["", " \n", "?!", "1 2 3", "12.5 13:00", "a"])
    def test_what_says_nothing_has_none(self, text: str) -> None:
        assert key_phrases(text, "en", 5) == []

    @pytest.mark.parametrize("language", ["", "xx", "auto", "../../etc"])
    def test_a_language_that_nobody_knows_is_no_error(self, language: str) -> None:
        assert key_phrases(LESSON, language, 3)

    def test_a_text_of_many_parts_is_about_what_all_say(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("processing.knowledge.summarizing.key_phrases.PART_WORDS", 40)
        lines = [f"The harbour bridge {n}. Nothing of line{n} is like it." for n in range(200)]

        assert key_phrases("\n".join(lines), "en", 1) == [("harbour bridge", 1.0)]
