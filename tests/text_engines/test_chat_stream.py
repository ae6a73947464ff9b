"""Replies piece by piece, and streams that do not end well."""

import json
import threading
from typing import Any

import pytest

from processing.exceptions import (
    BadAnswer,
    ProviderError,
    ProviderTooLarge,
    ProviderUnavailable,
)
from processing.text_engines.chat import OpenAIChat
from tests.processing.text_engine_contract import (
    asking,
)
from tests.providers.server import Reply, answering
from tests.providers.text_server import (
    TextServer,
    breaking_off,
    chunks_of,
    event,
    streaming,
)
from tests.text_engines.conftest import options, streamed, whole

SEVERAL_LINES = (
    b'data: {"choices": [{"delta":\ndata: {"content": "one two"},\n'
    b'data: "finish_reason": "stop"}]}\n\n'
)


class TestStream:
    @pytest.mark.parametrize(
        "pieces",
        [
            [b": hello\r\n\r\n", *chunks_of({"content": "one two"})],
            [b"event: message\nid: 4\nretry: 10\n", *chunks_of({"content": "one two"})],
            [bytes([byte]) for byte in b"".join(chunks_of({"content": "one two"}))],
            [b"".join(chunks_of({"content": "one two"})).replace(b"\n", b"\r\n")],
            [b"".join(chunks_of({"content": "one two"})).replace(b"\n", b"\r") + b"\n"],
            [b"\xef\xbb\xbf", *chunks_of({"content": "one two"})],
            chunks_of({"content": "one two"})[:-1],
            [event({"choices": [], "usage": {}}), *chunks_of({"content": "one two"})],
            [SEVERAL_LINES],
        ],
        ids=[
            *("comment", "other fields", "byte by byte", "CRLF", "CR", "BOM", "no DONE"),
            *("usage", "several lines"),
        ],
    )
    def test_events_are_read_however_they_are_written(
        self, server: TextServer, chat: OpenAIChat, pieces: list[bytes]
    ) -> None:
        server.will(streaming(*pieces))

        assert streamed(chat) == "one two"

    def test_letters_cut_between_bytes_stay_whole(
        self, server: TextServer, chat: OpenAIChat
    ) -> None:
        data = json.dumps({"choices": [{"delta": {"content": "日本語"}}]}, ensure_ascii=False)
        raw = f"data: {data}\n\ndata: [DONE]\n\n".encode()
        server.will(streaming(*(raw[at : at + 7] for at in range(0, len(raw), 7))))

        assert streamed(chat) == "日本語"

    def test_pieces_come_before_the_stream_has_ended(
        self, server: TextServer, chat: OpenAIChat
    ) -> None:
        is_read = threading.Event()

        def wait(number: int) -> None:
            if number == 2:
                assert is_read.wait(10)

        server.will(streaming(*chunks_of({"content": "one two"}), before_each=wait))
        pieces = chat.stream(asking("?"), max_tokens=9)

        first = next(pieces)
        is_read.set()

        assert [first, *pieces] == ["one", " two"]

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            (breaking_off(), ProviderError),
            (streaming(*chunks_of({"content": "one two"})[:2]), BadAnswer),
            (streaming(chunks_of({"content": "one"})[1], b"data: {nonsense\n\n"), BadAnswer),
            (streaming(chunks_of({"content": "one"})[1], b"data: 7\n\n"), BadAnswer),
            (streaming(chunks_of({"content": "one"})[1], b"data: [DO"), BadAnswer),
            (
                streaming(chunks_of({"content": "one"})[1], event({"error": {"message": "oh"}})),
                ProviderUnavailable,
            ),
            (
                streaming(event({"error": {"message": "context length of 9", "code": 400}})),
                ProviderTooLarge,
            ),
            (streaming(content_type="application/json"), BadAnswer),
            (streaming(), BadAnswer),
            (answering({"choices": []}), BadAnswer),
        ],
        ids=[
            *("cut", "ended early", "no JSON", "no object", "half an event", "error"),
            *("error of vLLM", "other type", "nothing", "whole"),
        ],
    )
    def test_one_that_does_not_end_well_is_an_error(
        self, server: TextServer, chat: OpenAIChat, reply: Reply, error: type[ProviderError]
    ) -> None:
        server.will(reply)

        with pytest.raises(error):
            streamed(chat)

    def test_one_that_dries_up_is_given_up(self, server: TextServer) -> None:
        stopped = threading.Event()

        def wait(number: int) -> None:
            if number == 2:
                stopped.wait(10)

        server.will(streaming(*chunks_of({"content": "one two"}), before_each=wait))
        pieces = OpenAIChat(options(server, timeout_seconds=0.3)).stream(asking("?"), max_tokens=9)

        first = next(pieces)
        with pytest.raises(ProviderError):
            next(pieces)
        stopped.set()

        assert first == "one"

    def test_who_stops_listening_closes_the_connection(
        self, server: TextServer, chat: OpenAIChat
    ) -> None:
        is_closed = threading.Event()
        endless = [event({"choices": [{"delta": {"content": "x" * 10_000}}]})] * 10_000

        def talk(exchange: Any) -> None:
            try:
                streaming(*endless)(exchange)
            except OSError:
                is_closed.set()

        server.will(talk)
        pieces = chat.stream(asking("?"), max_tokens=9)
        next(pieces)

        pieces.close()

        assert is_closed.wait(10)

    def test_what_the_listener_does_between_pieces_has_its_own_time(
        self, server: TextServer, chat: OpenAIChat
    ) -> None:
        pieces = chat.stream(asking("one two three"), max_tokens=100)

        words = [(piece, whole(chat)) for piece in pieces]

        assert words == [(word, "one two three") for word in ("one", " two", " three")]
