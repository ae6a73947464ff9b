"""The embedding engine for OpenAI's language."""

from collections.abc import Mapping
from typing import Any

import pytest

from processing.exceptions import (
    BadAnswer,
    ProviderError,
    ProviderRefused,
    ProviderTooLarge,
)
from processing.text_engines.embeddings import OpenAIEmbeddings
from processing.text_engines.server import TextServerSettings
from tests.fakes.text import FakeEmbeddings
from tests.processing.text_engine_contract import (
    EmbeddingEngineContract,
)
from tests.providers.server import answering, refusing
from tests.providers.text_server import (
    TextServer,
    embeddings_body,
)


class TestFakeEmbeddings(EmbeddingEngineContract):
    @pytest.fixture
    def embeddings(self) -> FakeEmbeddings:
        return FakeEmbeddings()


class TestOpenAIEmbeddings(EmbeddingEngineContract):
    """The real one, over sockets."""


class TestVectors:
    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({}, BadAnswer),
            (embeddings_body([[1.0] * 64]), BadAnswer),
            (embeddings_body([[1.0] * 64] * 3), BadAnswer),
            (embeddings_body([[1.0] * 64, [1.0] * 63]), ProviderRefused),
            (embeddings_body([[1.0] * 64, [0.0] * 64]), BadAnswer),
            (embeddings_body([[1.0] * 64, [float("nan")] * 64]), BadAnswer),
            (embeddings_body([[1.0] * 64, [1e308] * 64]), BadAnswer),
            (embeddings_body([[1.0] * 64, "vector"]), BadAnswer),
            (embeddings_body([[1.0] * 64, None]), BadAnswer),
            (embeddings_body([[1.0] * 64, [["x"]]]), BadAnswer),
            ({"data": [{"index": 0, "embedding": [1.0] * 64}] * 2}, BadAnswer),
            ({"data": [1, 2]}, BadAnswer),
        ],
        ids=[
            *("nothing", "too few", "too many", "dimension", "zero", "NaN", "overflow", "text"),
            *("null", "nested", "the same twice", "no objects"),
        ],
    )
    def test_what_are_no_vectors_for_the_texts_is_an_error(
        self,
        server: TextServer,
        embeddings: OpenAIEmbeddings,
        body: Mapping[str, Any],
        error: type[ProviderError],
    ) -> None:
        server.will(answering(body))

        with pytest.raises(error):
            embeddings.embed(["one", "two"])

    def test_vectors_are_placed_by_their_index(
        self, server: TextServer, embeddings: OpenAIEmbeddings
    ) -> None:
        one, two = [2.0] + [0.0] * 63, [0.0, 3.0] + [0.0] * 62
        server.will(
            answering({"data": [{"index": 1, "embedding": two}, {"index": 0, "embedding": one}]})
        )

        vectors = embeddings.embed(["one", "two"])

        assert (vectors[0, 0], vectors[1, 1]) == (1.0, 1.0)

    def test_many_texts_go_in_batches(
        self, server: TextServer, embeddings: OpenAIEmbeddings
    ) -> None:
        long = "word " * 36_000

        embeddings.embed(["short"] * 33 + [long, long, long])

        assert [len(texts) for texts in server.embedded] == [32, 2, 1, 1]

    def test_a_text_over_the_model_s_limit_is_too_large(
        self, server: TextServer, embeddings: OpenAIEmbeddings
    ) -> None:
        server.will(refusing(400, message="maximum context length is 8192 tokens"))

        with pytest.raises(ProviderTooLarge):
            embeddings.embed(["one"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "ftp://x"},
        {"model": ""},
        {"context_tokens": 0},
        {"dimension": -1},
        {"timeout_seconds": 0},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    known: dict[str, Any] = {"base_url": "http://localhost:9/v1", "model": "m"}

    with pytest.raises(ValueError, match=r"above 0|base_url|model"):
        TextServerSettings(**known | wrong)
