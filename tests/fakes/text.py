"""Text engines that answer what a test says, behind the same promises as the real ones.

A test has them used by ``settings.CHAT = FakeChat(...)``, and ``EMBEDDINGS`` and ``TRANSLATOR``
likewise: what is there need not be the description of a server.
"""

import re
import zlib
from collections.abc import Callable, Collection, Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from processing.text_engines.base import Message, Reply
from processing.text_engines.tokens import estimated_tokens

#: What a chat engine is to say to a conversation; it may raise instead.
Script = Callable[[Sequence[Message]], str]


def first_words(messages: Sequence[Message], count: int = 12) -> str:
    """Say the first words of the last message: what most tests are content with."""
    return " ".join(messages[-1].content.split()[:count]) or "nothing"


class FakeChat:
    """Says what ``script`` says; ``asked`` are the conversations it was given, in order."""

    def __init__(
        self,
        script: Script = first_words,
        *,
        name: str = "fake-chat",
        version: str = "1",
        context_tokens: int = 16_000,
    ) -> None:
        self.name = name
        self.version = version
        self.context_tokens = context_tokens
        self.script = script
        self.asked: list[list[Message]] = []

    def count_tokens(self, text: str) -> int:
        return estimated_tokens(text)

    def reply(self, messages: Sequence[Message], *, max_tokens: int) -> Reply:
        self.asked.append(list(messages))
        return cut_to(self.script(messages), max_tokens)

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Generator[str, None, None]:
        yield from pieces_of(self.reply(messages, max_tokens=max_tokens).text)


class FakeEmbeddings:
    """Texts that share words are near to each other; ``asked`` are the texts, in order."""

    def __init__(
        self, *, name: str = "fake-embeddings", version: str = "1", dimension: int = 64
    ) -> None:
        self.name = name
        self.version = version
        self.dimension = dimension
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if any(not text.strip() for text in texts):
            raise ValueError("a blank text has no embedding")
        self.asked.extend(texts)
        vectors = [embedding_of(text, self.dimension) for text in texts]
        return np.array(vectors, np.float32).reshape(len(texts), self.dimension)


class FakeTranslator:
    """Puts ``[de]`` before what is to be German; knows all ``pairs``, or any where that is None."""

    def __init__(
        self,
        *,
        name: str = "fake-translator",
        version: str = "1",
        pairs: Collection[tuple[str, str]] | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.pairs = pairs
        self.asked: list[str] = []

    def can_translate(self, source: str, target: str) -> bool:
        return self.pairs is None or (source, target) in self.pairs

    def translate(
        self, texts: Sequence[str], *, source: str, target: str, before: str = ""
    ) -> list[str]:
        self.asked.extend(texts)
        return [f"[{target}] {text}" for text in texts]


def cut_to(text: str, max_tokens: int) -> Reply:
    """Return a reply that ends after ``max_tokens``, as a model's does."""
    if estimated_tokens(text) <= max_tokens:
        return Reply(text)
    words = text.split()
    while words and estimated_tokens(" ".join(words)) > max_tokens:
        words.pop()
    return Reply(" ".join(words), is_cut=True)


def pieces_of(text: str) -> list[str]:
    """Cut a reply into the pieces that it is streamed in: words with the spaces before them."""
    return re.findall(r"\s*\S+|\s+$", text)


def embedding_of(text: str, dimension: int) -> NDArray[np.float32]:
    """Return a vector of length 1 in which each word of ``text`` has a place of its own."""
    vector = np.zeros(dimension, np.float32)
    for word in re.findall(r"\w+", text.lower()) or [text]:
        vector[zlib.crc32(word.encode()) % dimension] += 1
    normalised: NDArray[np.float32] = vector / np.linalg.norm(vector)
    return normalised
