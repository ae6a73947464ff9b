"""The chat engine for OpenAI's language: what it asks, and what it makes of every answer."""

import threading
from typing import Any

import pytest

from jobs.exceptions import Postponed
from processing.exceptions import (
    BadAnswer,
    ProviderBusy,
    ProviderError,
    ProviderQuotaExhausted,
    ProviderRefused,
    ProviderTooLarge,
    ProviderUnauthorized,
    ProviderUnavailable,
)
from processing.providers.base import Guards
from processing.text_engines.chat import OpenAIChat
from processing.text_engines.embeddings import OpenAIEmbeddings
from processing.text_engines.server import TextServerSettings
from tests.fakes.text import FakeChat
from tests.processing.text_engine_contract import (
    ChatEngineContract,
    asking,
)
from tests.providers.conftest import KEY
from tests.providers.server import Reply, answering, refusing
from tests.providers.text_server import (
    TextServer,
    choosing,
    never,
    saying,
)
from tests.text_engines.conftest import Ask, both_ways, options, streamed, whole


class TestFakeChat(ChatEngineContract):
    @pytest.fixture
    def chat(self) -> FakeChat:
        return FakeChat()


class TestOpenAIChat(ChatEngineContract):
    """The real one, over sockets."""


class TestRequest:
    def test_it_asks_once_with_key_model_and_limit(
        self, server: TextServer, chat: OpenAIChat
    ) -> None:
        whole(chat)

        [body] = server.chats
        assert server.provider.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert body == {
            "model": "m",
            "messages": [
                {"role": "system", "content": "Say it."},
                {"role": "user", "content": "one two three"},
            ],
            "max_tokens": 100,
            "temperature": 0,
        }

    def test_a_stream_is_asked_for_as_one(self, server: TextServer, chat: OpenAIChat) -> None:
        streamed(chat)

        assert [body["stream"] for body in server.chats] == [True]

    @both_ways
    def test_a_parameter_that_the_model_refuses_is_not_sent_again(
        self, server: TextServer, chat: OpenAIChat, ask: Ask
    ) -> None:
        server.will(
            refusing(
                400,
                message="Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.",
                param="max_tokens",
                code="unsupported_parameter",
            ),
            refusing(400, message="Unsupported value: 'temperature'", code="unsupported_value"),
        )

        texts = [ask(chat), ask(chat)]

        assert texts == ["one two three"] * 2
        assert len(server.chats) == 4
        assert server.chats[-1]["max_completion_tokens"] == 100
        assert {"max_tokens", "temperature"}.isdisjoint(server.chats[-1])

    def test_a_value_that_is_too_large_is_no_reason_to_leave_it_out(
        self, server: TextServer, chat: OpenAIChat
    ) -> None:
        message = "max_tokens is too large: this model supports at most 50 completion tokens"
        server.will(refusing(400, message=message, param="max_tokens"))

        with pytest.raises(ProviderRefused):
            whole(chat)

        assert len(server.chats) == 1

    def test_the_version_names_model_host_and_revision(self) -> None:
        settings = TextServerSettings(base_url="https://one.example/v1", model="m")

        assert OpenAIChat(settings).version == "m@one.example-1"
        assert OpenAIEmbeddings(settings).version == "m@one.example-1"

    def test_tokens_are_charged_as_far_as_a_minute_has_them(self, server: TextServer) -> None:
        charged: list[int] = []
        guards = _Counting(charged)
        chat = OpenAIChat(options(server, tokens_per_minute=50.0), guards=guards)

        whole(chat)
        chat.reply(asking("a"), max_tokens=1)

        assert charged == [50, 17]


class _Counting(Guards):
    """Guards that let everything through and note the tokens."""

    def __init__(self, charged: list[int]) -> None:
        super().__init__()
        object.__setattr__(self, "charged", charged)

    def admitting(self, *, audio_seconds: float = 0.0, tokens: int = 0) -> Any:
        self.charged.append(tokens)  # type: ignore[attr-defined]
        return super().admitting(tokens=tokens)


class TestAnswers:
    @both_ways
    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            (refusing(429), ProviderBusy),
            (refusing(429, code="insufficient_quota"), ProviderQuotaExhausted),
            (refusing(401), ProviderUnauthorized),
            (refusing(404, message="no such model"), ProviderRefused),
            (refusing(503), ProviderUnavailable),
            (refusing(413), ProviderTooLarge),
            (refusing(400, code="context_length_exceeded"), ProviderTooLarge),
            (refusing(400, message="This model's maximum context length is 9"), ProviderTooLarge),
            (refusing(400, type="exceed_context_size_error"), ProviderTooLarge),
            (answering("<html>busy</html>"), BadAnswer),
            (answering("nonsense"), BadAnswer),
            (answering(b"\xff\xfe"), BadAnswer),
            (choosing({"content": ""}), BadAnswer),
            (choosing({"content": None}), BadAnswer),
            (choosing({"content": "  \n"}), BadAnswer),
            (choosing({"content": None, "refusal": "I will not."}), ProviderRefused),
            (choosing({"content": "Half"}, finish_reason="content_filter"), ProviderRefused),
        ],
        ids=[
            *("busy", "quota", "key", "model", "away", "413", "overflow", "overflow of vLLM"),
            *("overflow of llama.cpp", "HTML", "no JSON", "no text", "empty", "null", "blank"),
            *("refusal", "filter"),
        ],
    )
    def test_what_is_no_reply_is_the_error_it_stands_for(
        self,
        server: TextServer,
        chat: OpenAIChat,
        ask: Ask,
        reply: Reply,
        error: type[ProviderError],
    ) -> None:
        server.will(reply)

        with pytest.raises(error) as raised:
            ask(chat)

        assert KEY not in str(raised.value)
        assert len(server.chats) == 1

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({}, BadAnswer),
            ({"choices": []}, BadAnswer),
            ({"choices": "none"}, BadAnswer),
            ({"choices": [7]}, BadAnswer),
            ({"choices": [{"message": "text"}]}, BadAnswer),
            ({"error": {"message": "overloaded", "code": 429}}, ProviderBusy),
            ({"error": "broken"}, ProviderUnavailable),
            ([1, 2], BadAnswer),
        ],
        ids=str,
    )
    def test_a_body_of_another_shape_is_no_reply(
        self, server: TextServer, chat: OpenAIChat, body: Any, error: type[ProviderError]
    ) -> None:
        server.will(answering(body))

        with pytest.raises(error):
            whole(chat)

    def test_a_reply_in_parts_is_one(self, server: TextServer, chat: OpenAIChat) -> None:
        parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
        message = {"role": "assistant", "content": parts}
        server.will(answering({"choices": [{"message": message, "finish_reason": "stop"}]}))

        assert whole(chat) == "one two"

    @both_ways
    @pytest.mark.parametrize(
        ("said", "kept"),
        [
            ("<think>Hm, what?</think>\n\nForty two.", "Forty two."),
            ("<think>a</think>", None),
            ("<think>without an end", None),
            ("<thinking> is a tag", "<thinking> is a tag"),
            ("No <think>thought</think> first", "No <think>thought</think> first"),
        ],
    )
    def test_thoughts_before_a_reply_are_left_out(
        self, server: TextServer, chat: OpenAIChat, ask: Ask, said: str, kept: str | None
    ) -> None:
        server.will(saying(said))

        if kept is None:
            with pytest.raises(BadAnswer, match="empty"):
                ask(chat)
        else:
            assert ask(chat) == kept

    @both_ways
    def test_one_that_never_comes_is_waited_for_no_longer_than_allowed(
        self, server: TextServer, ask: Ask
    ) -> None:
        stopped = threading.Event()
        server.will(never(stopped))

        with pytest.raises(ProviderUnavailable):
            ask(OpenAIChat(options(server, timeout_seconds=0.2)))

        stopped.set()

    def test_an_answer_without_an_end_is_not_read_to_it(
        self, server: TextServer, chat: OpenAIChat
    ) -> None:
        server.will(answering(b"[" + b" " * (17 * 2**20)))

        with pytest.raises(BadAnswer, match="more than"):
            whole(chat)


def test_a_postponed_call_is_no_answer(server: TextServer) -> None:
    class Closed(Guards):
        def admitting(self, *, audio_seconds: float = 0.0, tokens: int = 0) -> Any:
            raise Postponed("not now", seconds=1)

    with pytest.raises(Postponed):
        streamed(OpenAIChat(options(server), guards=Closed()))

    assert server.chats == []
