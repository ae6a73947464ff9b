"""An embedding engine at any server that speaks OpenAI's language: OpenAI, TEI, vLLM, Ollama."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.exceptions import ProviderRefused, ProviderTooLarge
from processing.providers.answers import Answer
from processing.providers.base import Guards
from processing.providers.failures import RequestRefused
from processing.providers.http import client_for
from processing.text_engines.chat import says_overflow
from processing.text_engines.server import TextServerSettings
from processing.text_engines.tokens import estimated_tokens

#: Part of the version; to be raised when a change of this code changes the vectors.
REVISION = 1

#: What one request has at most: the least that servers are known to take (TEI's default batch).
MAX_BATCH_TEXTS = 32
MAX_BATCH_TOKENS = 100_000


class OpenAIEmbeddings:
    """Asks for the vectors of texts, a batch with each request, and checks what comes back.

    Safe for threads and forks.
    """

    def __init__(self, settings: TextServerSettings, *, guards: Guards | None = None) -> None:
        self.name = settings.model
        self.version = f"{settings.model}@{settings.provider.name}-{REVISION}"
        self.dimension = settings.dimension
        self._settings = settings
        self._guards = guards or Guards()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts; ValueError for a blank one, which servers refuse."""
        if any(not text.strip() for text in texts):
            raise ValueError("a blank text has no embedding")
        vectors = [self._ask(batch, tokens) for batch, tokens in batches(texts)]
        return np.concatenate([np.empty((0, self.dimension), np.float32), *vectors])

    def _ask(self, texts: list[str], tokens: int) -> NDArray[np.float32]:
        payload = {"model": self._settings.model, "input": texts, "encoding_format": "float"}
        try:
            with self._guards.admitting(tokens=self._settings.charged(tokens)):
                return client_for(self._settings.provider).post(
                    "embeddings",
                    payload=payload,
                    learn=self._guards.learn,
                    read=lambda answer: read_vectors(
                        answer, count=len(texts), dimension=self.dimension
                    ),
                )
        except RequestRefused as refusal:
            if says_overflow(refusal.details):
                raise ProviderTooLarge(str(refusal)) from refusal
            raise


def batches(texts: Sequence[str]) -> Iterator[tuple[list[str], int]]:
    """Yield texts in batches, in order, each with its tokens; a text is never cut."""
    batch: list[str] = []
    tokens = 0
    for text in texts:
        cost = estimated_tokens(text)
        if batch and (len(batch) == MAX_BATCH_TEXTS or tokens + cost > MAX_BATCH_TOKENS):
            yield batch, tokens
            batch, tokens = [], 0
        batch.append(text)
        tokens += cost
    if batch:
        yield batch, tokens


def read_vectors(answer: Answer, *, count: int, dimension: int) -> NDArray[np.float32]:
    """Return the vectors in an answer, in the order of the texts, each of length 1.

    Raises ``BadAnswer`` for another count, for what is no vector, and ``ProviderRefused`` for
    vectors of another dimension: they will always be of that.
    """
    data = answer.json_object().get("data")
    if not isinstance(data, list) or len(data) != count:
        raise answer.bad(f"there are not the {count} vectors that were asked for in it")
    placed: dict[int, Any] = {}
    for place, item in enumerate(data):
        if not isinstance(item, dict):
            raise answer.bad("an item of it is no vector")
        placed[item.get("index", place)] = item.get("embedding")
    if placed.keys() != set(range(count)):
        raise answer.bad("its vectors are not numbered as the texts are")
    vectors = [_vector(placed[place], answer) for place in range(count)]
    for vector in vectors:
        if len(vector) != dimension:
            raise ProviderRefused(
                f"vectors of {answer.provider} have {len(vector)} numbers, not {dimension}: "
                "EMBEDDINGS_DIMENSION is wrong for the model"
            )
    array = np.stack(vectors)
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(array, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise answer.bad("a vector in it has no direction")
    normalised: NDArray[np.float32] = (array / lengths).astype(np.float32)
    return normalised


def _vector(value: Any, answer: Answer) -> NDArray[np.float64]:
    try:
        vector = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise answer.bad("an item of it is no vector") from None
    if vector.ndim != 1:
        raise answer.bad("an item of it is no vector")
    return vector
