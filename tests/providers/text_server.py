"""A provider that writes and embeds: OpenAI's contract over real sockets, as a test scripts it."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import LazySettings
from pytest_django import Settings

from processing.text_engines.base import Message
from tests.fakes.text import Script, cut_to, embedding_of, first_words, pieces_of
from tests.providers.server import Exchange, Provider, Reply, answering, serving

#: For how long a reply that never comes is held back at most, unless the server is stopped.
NEVER_SECONDS = 30.0


class TextServer:
    """Answers ``chat/completions``, plain or as a stream, and ``embeddings``.

    It says what ``script`` says, and gives texts the vectors of ``FakeEmbeddings``. ``will`` gives
    the next requests other answers, one each: those of ``tests.providers.server``, or ``saying``,
    ``choosing``, ``streaming``, ``never`` of this module; ``always`` gives them to all.
    """

    def __init__(self, provider: Provider, *, dimension: int) -> None:
        self.url = provider.url
        self.dimension = dimension
        self.script: Script = first_words
        self.provider = provider
        self.will = provider.will
        self.always = provider.always
        provider.always(self._reply)

    @property
    def chats(self) -> list[dict[str, Any]]:
        """The bodies of all requests for a reply, in order."""
        return self._bodies("/chat/completions")

    @property
    def embedded(self) -> list[list[str]]:
        """The texts of all requests for embeddings, in order."""
        return [body["input"] for body in self._bodies("/embeddings")]

    def serve(self) -> None:
        """Answer all requests as it does by itself."""
        self.always(self._reply)

    def chat_settings(self, **options: Any) -> dict[str, Any]:
        """Return ``settings.CHAT`` for this server; ``options`` replace some of it."""
        return text_settings(self.url, "chat-model") | options

    def embedding_settings(self, **options: Any) -> dict[str, Any]:
        """Return ``settings.EMBEDDINGS`` for this server; ``options`` replace some of it."""
        return text_settings(self.url, "embedding-model") | {"DIMENSION": self.dimension} | options

    def configure(self, settings: Settings | LazySettings, **options: Any) -> None:
        """Have both settings name this server; ``options`` are those of ``CHAT``."""
        settings.CHAT = self.chat_settings(**options)
        settings.EMBEDDINGS = self.embedding_settings()

    def _bodies(self, path: str) -> list[dict[str, Any]]:
        return [
            json.loads(request.body)
            for request in list(self.provider.requests)
            if request.path.endswith(path) and request.body
        ]

    def _reply(self, exchange: Exchange) -> None:
        exchange.read_body()
        if exchange.received.path.endswith("/embeddings"):
            texts = json.loads(exchange.received.body)["input"]
            vectors = [embedding_of(text, self.dimension).tolist() for text in texts]
            answering(embeddings_body(vectors))(exchange)
        else:
            saying(self.script)(exchange)


def text_settings(url: str, model: str) -> dict[str, Any]:
    return {
        "BASE_URL": url,
        "MODEL": model,
        "API_KEY": "",
        "MAX_CONCURRENCY": 0,
        "REQUESTS_PER_MINUTE": 0.0,
        "TOKENS_PER_MINUTE": 0.0,
        "TIMEOUT_SECONDS": 300.0,
        "CONTEXT_TOKENS": 16_000,
        "DIMENSION": 64,
    }


@contextmanager
def text_serving(*, dimension: int = 64) -> Iterator[TextServer]:
    """Run a server in threads of this process."""
    with serving() as provider:
        yield TextServer(provider, dimension=dimension)


def saying(script: Script | str) -> Reply:
    """Write this, or what a script says to the conversation: whole, or as a stream if asked to."""

    def reply(exchange: Exchange) -> None:
        body = _body(exchange)
        messages = [Message(one["role"], one["content"]) for one in body["messages"]]
        text = script if isinstance(script, str) else script(messages)
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 10**9
        said = cut_to(text, limit)
        reason = "length" if said.is_cut else "stop"
        choosing({"role": "assistant", "content": said.text}, finish_reason=reason)(exchange)

    return reply


def choosing(message: dict[str, Any], *, finish_reason: str | None = "stop") -> Reply:
    """Answer with one choice, whose message is this."""

    def reply(exchange: Exchange) -> None:
        if _body(exchange).get("stream"):
            streaming(*chunks_of(message, finish_reason))(exchange)
            return
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": finish_reason}
        answering({"id": "1", "object": "chat.completion", "choices": [choice]})(exchange)

    return reply


def chunks_of(message: dict[str, Any], finish_reason: str | None = "stop") -> list[bytes]:
    """Return the events in which a message is streamed, ``[DONE]`` included."""
    pieces = pieces_of(message.get("content") or "")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in pieces]
    deltas += [{name: message[name]} for name in ("refusal",) if name in message]
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
    ]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish_reason})
    return [*(event({"choices": [choice]}) for choice in choices), b"data: [DONE]\n\n"]


def event(data: Any) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def streaming(
    *events: bytes,
    ends: bool = True,
    before_each: Callable[[int], object] = id,
    content_type: str = "text/event-stream",
) -> Reply:
    """Stream these events; break off after them unless it ``ends``.

    ``before_each`` is called with the number of each event, counted from 0, before it is sent.
    """

    def reply(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send_response_only(200)
        exchange.send_header("Content-Type", content_type)
        exchange.send_header("Transfer-Encoding", "chunked")
        exchange.end_headers()
        for number, data in enumerate(events):
            before_each(number)
            exchange.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            exchange.wfile.flush()
        if ends:
            exchange.wfile.write(b"0\r\n\r\n")
        else:
            exchange.close_connection = True

    return reply


def breaking_off(text: str = "The beginning of", *, after: int = 2) -> Reply:
    """Stream some pieces of a reply and then close the connection."""
    return streaming(*chunks_of({"content": text})[: after + 1], ends=False)


def never(stopped: threading.Event | None = None) -> Reply:
    """Say nothing until ``stopped`` is set, or for longer than a test waits."""
    held = stopped or threading.Event()

    def reply(exchange: Exchange) -> None:
        exchange.read_body()
        held.wait(NEVER_SECONDS)
        exchange.close_connection = True

    return reply


def embeddings_body(vectors: Sequence[Any]) -> dict[str, Any]:
    """Return the answer that carries these vectors."""
    data = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(vectors)
    ]
    return {"object": "list", "data": data}


def _body(exchange: Exchange) -> dict[str, Any]:
    exchange.read_body()
    body: dict[str, Any] = json.loads(exchange.received.body)
    return body
