"""What every text engine must do, run against the fakes and against the real ones."""

import numpy as np
import pytest

from processing.text_engines.base import ChatEngine, EmbeddingEngine, Message

TEXT = "the river rises in the hills and meets the sea"


class ChatEngineContract:
    """Subclass it and give the fixture ``chat``, which says the first words of what it is told."""

    def test_its_name_version_and_context_are_told(self, chat: ChatEngine) -> None:
        assert chat.name
        assert chat.version
        assert chat.context_tokens > 0

    def test_it_replies_to_the_last_message(self, chat: ChatEngine) -> None:
        reply = chat.reply(asking("one two three"), max_tokens=100)

        assert (reply.text, reply.is_cut) == ("one two three", False)

    def test_the_same_conversation_has_the_same_reply(self, chat: ChatEngine) -> None:
        assert chat.reply(asking(TEXT), max_tokens=50) == chat.reply(asking(TEXT), max_tokens=50)

    def test_a_reply_that_needs_more_tokens_is_cut_and_says_so(self, chat: ChatEngine) -> None:
        reply = chat.reply(asking(TEXT), max_tokens=5)

        assert reply.is_cut
        assert TEXT.startswith(reply.text)
        assert len(reply.text) < len(TEXT)

    def test_the_pieces_of_a_stream_are_the_reply(self, chat: ChatEngine) -> None:
        pieces = list(chat.stream(asking(TEXT), max_tokens=50))

        assert len(pieces) > 1
        assert "".join(pieces) == chat.reply(asking(TEXT), max_tokens=50).text

    def test_a_stream_that_is_left_harms_nothing(self, chat: ChatEngine) -> None:
        pieces = chat.stream(asking(TEXT), max_tokens=50)
        first = next(pieces)
        pieces.close()

        assert TEXT.startswith(first)
        assert chat.reply(asking(TEXT), max_tokens=50).text == TEXT

    @pytest.mark.parametrize(
        ("text", "tokens"),
        [
            ("", 0),
            ("The river rises in the hills.", 7),
            ("Донаудампфшиффартсгезельшафт", 10),
            ("今天天气很好", 6),
            ("2026-11-22", 6),
            ("\U0001f600", 1),
        ],
        ids=["empty", "English", "Cyrillic", "Chinese", "digits", "emoji"],
    )
    def test_tokens_are_rather_counted_too_many_than_too_few(
        self, chat: ChatEngine, text: str, tokens: int
    ) -> None:
        assert tokens <= chat.count_tokens(text) <= max(3 * tokens, 3 * len(text))

    def test_two_texts_have_the_tokens_of_both(self, chat: ChatEngine) -> None:
        both = chat.count_tokens(TEXT + TEXT)

        assert both == pytest.approx(2 * chat.count_tokens(TEXT), abs=2)


class EmbeddingEngineContract:
    """Subclass it and give the fixture ``embeddings``."""

    def test_its_name_version_and_dimension_are_told(self, embeddings: EmbeddingEngine) -> None:
        assert embeddings.name
        assert embeddings.version
        assert embeddings.dimension > 0

    def test_each_text_has_a_vector_of_length_one(self, embeddings: EmbeddingEngine) -> None:
        vectors = embeddings.embed(["the river", "the sea", "!"])

        assert vectors.shape == (3, embeddings.dimension)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)

    def test_no_texts_have_no_vectors(self, embeddings: EmbeddingEngine) -> None:
        assert embeddings.embed([]).shape == (0, embeddings.dimension)

    def test_texts_that_say_the_same_are_nearer(self, embeddings: EmbeddingEngine) -> None:
        river, same, other = embeddings.embed([TEXT, f"so {TEXT}", "tax returns for last year"])

        assert river @ same > river @ other

    def test_vectors_come_in_the_order_of_many_texts(self, embeddings: EmbeddingEngine) -> None:
        texts = [f"text number{number}" for number in range(70)]
        alone = embeddings.embed(texts[65:66])[0]

        assert np.allclose(embeddings.embed(texts)[65], alone, atol=1e-6)

    def test_a_blank_text_is_refused(self, embeddings: EmbeddingEngine) -> None:
        with pytest.raises(ValueError, match="blank"):
            embeddings.embed(["the river", " \n"])


def asking(text: str) -> list[Message]:
    return [Message("system", "Say it."), Message("user", text)]
