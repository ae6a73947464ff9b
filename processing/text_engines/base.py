"""What everybody who reads or writes text for us promises."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; instructions are the system's, texts of others the user's."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote; ``is_cut``: it was not done when its tokens were used up."""

    text: str
    is_cut: bool = False


class ChatEngine(Protocol):
    """Writes the next turn of a conversation.

    Raises ``jobs.exceptions.TransientError`` for what may pass, ``jobs.exceptions.Postponed``
    for what has not begun, and ``jobs.exceptions.PermanentError`` for what will not pass. Safe
    for threads and forks.
    """

    #: The name staff know it by, and what changes whenever its answers may.
    name: str
    version: str
    #: What a conversation and its next turn may have together, in tokens.
    context_tokens: int

    def count_tokens(self, text: str) -> int:
        """Return about how many tokens ``text`` is; rather too many than too few."""
        ...

    def reply(self, messages: Sequence[Message], *, max_tokens: int) -> Reply:
        """Return the next turn, of at most ``max_tokens``."""
        ...

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Generator[str, None, None]:
        """Yield the next turn piece by piece; raises what ``reply`` does, also half-way.

        To stop before the end closes the connection.
        """
        ...


class EmbeddingEngine(Protocol):
    """Turns texts into vectors that are near to each other when the texts say the same.

    Raises what a ``ChatEngine`` raises.
    """

    name: str
    #: Changes whenever its vectors may; those of two versions are never compared.
    version: str
    dimension: int

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return an array of shape ``(len(texts), dimension)``, whose rows have length 1.

        ValueError for a blank text: servers refuse it.
        """
        ...


class Translator(Protocol):
    """Puts texts into another language. Raises what a ``ChatEngine`` raises."""

    name: str
    version: str

    def can_translate(self, source: str, target: str) -> bool:
        """Say whether it knows this pair of languages (ISO 639-1)."""
        ...

    def translate(
        self, texts: Sequence[str], *, source: str, target: str, before: str = ""
    ) -> list[str]:
        """Return a translation of each text, in order.

        ``before`` is the end of what was said before them; it is not translated.
        """
        ...
