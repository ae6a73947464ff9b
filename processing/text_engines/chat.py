"""A chat engine at any server that speaks OpenAI's language: OpenAI, vLLM, Ollama, llama.cpp."""

import logging
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from processing.exceptions import ProviderTooLarge
from processing.providers.base import Guards
from processing.providers.failures import ErrorDetails, RequestRefused
from processing.providers.http import client_for
from processing.text_engines.base import Message, Reply
from processing.text_engines.replies import read_pieces, read_reply
from processing.text_engines.server import TextServerSettings
from processing.text_engines.tokens import MESSAGE_TOKENS, estimated_tokens

logger = logging.getLogger(__name__)

#: Part of the version; to be raised when a change of this code changes what is written.
REVISION = 1

PATH = "chat/completions"

#: Parameters that some models refuse, and what each is replaced by.
REPLACEABLE: Mapping[str, str | None] = {
    "max_tokens": "max_completion_tokens",
    "temperature": None,
}

#: Words in refusals of a conversation that is too long: of OpenAI, vLLM, llama.cpp, Groq, Ollama.
OVERFLOWS = (
    "context_length",
    "context length",
    "context window",
    "context size",
    "exceed_context",
    "too many tokens",
    "reduce the length",
)


class OpenAIChat:
    """Sends one request for a reply, and reads what comes back.

    A server that refuses a parameter in ``REPLACEABLE`` is asked again without it, once; this
    process then never sends it any more. Each reply otherwise costs one request, and whoever
    calls tries again. Safe for threads and forks.
    """

    def __init__(self, settings: TextServerSettings, *, guards: Guards | None = None) -> None:
        self.name = settings.model
        self.version = f"{settings.model}@{settings.provider.name}-{REVISION}"
        self.context_tokens = settings.context_tokens
        #: What the server has turned out to refuse, of ``REPLACEABLE``.
        self.lacking: frozenset[str] = frozenset()
        self._settings = settings
        self._guards = guards or Guards()

    def count_tokens(self, text: str) -> int:
        """Return an estimate (``processing.text_engines.tokens``), which asks nobody."""
        return estimated_tokens(text)

    def reply(self, messages: Sequence[Message], *, max_tokens: int) -> Reply:
        """Return the next turn; what the model only thought (``<think>``) is left out."""
        while True:
            payload, lacking = self._payload(messages, max_tokens), self.lacking
            try:
                with self._guards.admitting(tokens=self._cost(messages, max_tokens)):
                    return client_for(self._settings.provider).post(
                        PATH, payload=payload, read=read_reply, learn=self._guards.learn
                    )
            except RequestRefused as refusal:
                self._go_on_without(refusal, lacking)

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Generator[str, None, None]:
        """Yield the next turn piece by piece; one that the model had not ended is ``BadAnswer``.

        That its tokens were used up is an end, too.
        """
        while True:
            payload, lacking = self._payload(messages, max_tokens), self.lacking
            try:
                with self._guards.admitting(tokens=self._cost(messages, max_tokens)):
                    events = client_for(self._settings.provider).stream(
                        PATH, payload=payload | {"stream": True}, learn=self._guards.learn
                    )
                    yield from read_pieces(events, provider=self._settings.provider.name)
                    return
            except RequestRefused as refusal:
                self._go_on_without(refusal, lacking)

    def _payload(self, messages: Sequence[Message], max_tokens: int) -> dict[str, Any]:
        wanted: dict[str, Any] = {"max_tokens": max_tokens, "temperature": 0}
        parameters = {
            (REPLACEABLE[name] if name in self.lacking else name): value
            for name, value in wanted.items()
        }
        return {
            "model": self._settings.model,
            "messages": [{"role": one.role, "content": one.content} for one in messages],
            **{name: value for name, value in parameters.items() if name is not None},
        }

    def _cost(self, messages: Sequence[Message], max_tokens: int) -> int:
        asked = sum(estimated_tokens(one.content) + MESSAGE_TOKENS for one in messages)
        return self._settings.charged(asked + max_tokens)

    def _go_on_without(self, refusal: RequestRefused, lacking: frozenset[str]) -> None:
        """Take what was refused out of all further requests; raise where that is nothing."""
        details = refusal.details
        about = _said(details)
        if says_overflow(details):
            raise ProviderTooLarge(str(refusal)) from refusal
        is_unsupported = any(words in about for words in ("unsupported", "not support"))
        unknown = next(
            (name for name in REPLACEABLE if name == details.param or f"'{name}'" in about), None
        )
        if unknown is None or unknown in lacking or not is_unsupported:
            raise refusal
        if unknown not in self.lacking:
            logger.warning("%s goes on without %s: %s", self.name, unknown, refusal)
        self.lacking |= {unknown}


def says_overflow(details: ErrorDetails) -> bool:
    """Whether a request was refused because the model cannot read so much."""
    about = _said(details)
    return any(words in about for words in OVERFLOWS)


def _said(details: ErrorDetails) -> str:
    return f"{details.code or ''} {details.type or ''} {details.message}".lower()
