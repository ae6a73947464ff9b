"""A server that writes and embeds, and engines of ours that ask it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from processing.providers.base import Secret
from processing.text_engines.chat import OpenAIChat
from processing.text_engines.embeddings import OpenAIEmbeddings
from processing.text_engines.server import TextServerSettings
from tests.processing.text_engine_contract import (
    asking,
)
from tests.providers.conftest import KEY
from tests.providers.text_server import (
    TextServer,
    text_serving,
)

Ask = Callable[[OpenAIChat], str]


@pytest.fixture(scope="module")
def server() -> Iterator[TextServer]:
    with text_serving() as server:
        yield server


@pytest.fixture(autouse=True)
def _fresh(server: TextServer) -> None:
    server.provider.requests.clear()
    server.serve()


def options(server: TextServer, **more: Any) -> TextServerSettings:
    known: dict[str, Any] = {"base_url": server.url, "model": "m", "api_key": Secret(KEY)}
    known |= {"dimension": 64, "timeout_seconds": 10.0}
    return TextServerSettings(**known | more)


@pytest.fixture
def chat(server: TextServer) -> OpenAIChat:
    return OpenAIChat(options(server))


@pytest.fixture
def embeddings(server: TextServer) -> OpenAIEmbeddings:
    return OpenAIEmbeddings(options(server))


def whole(chat: OpenAIChat) -> str:
    return chat.reply(asking("one two three"), max_tokens=100).text


def streamed(chat: OpenAIChat) -> str:
    return "".join(chat.stream(asking("one two three"), max_tokens=100))


both_ways = pytest.mark.parametrize("ask", [whole, streamed], ids=["whole", "streamed"])
