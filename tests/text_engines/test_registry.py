"""Which text engines there are: by settings, one in a process, guarded together."""

from collections.abc import Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from processing.exceptions import BreakerIsOpen, ProviderUnavailable, RateLimited
from processing.providers.breaker import CircuitBreaker
from processing.providers.rate_limit import RateLimit, RateLimiter
from processing.text_engines.registry import chat_engine, embedding_engine, translator_for
from tests.fakes.text import FakeChat, FakeEmbeddings, FakeTranslator
from tests.processing.text_engine_contract import asking
from tests.providers.server import refusing
from tests.providers.text_server import TextServer, saying, text_serving

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing(settings: Settings) -> None:
    settings.CHAT = settings.EMBEDDINGS = settings.TRANSLATOR = None


@pytest.fixture
def text_server(settings: Settings) -> Iterator[TextServer]:
    with text_serving() as server:
        server.configure(settings)
        yield server


def test_without_settings_there_is_none() -> None:
    assert (chat_engine(), embedding_engine(), translator_for("en", "de")) == (None, None, None)


def test_a_server_is_one_engine_of_the_process(text_server: TextServer) -> None:
    chat, embeddings = chat_engine(), embedding_engine()

    assert chat is chat_engine()
    assert embeddings is embedding_engine()
    assert chat is not None
    assert embeddings is not None
    assert (chat.name, embeddings.name) == ("chat-model", "embedding-model")


def test_other_settings_are_another_engine(settings: Settings, text_server: TextServer) -> None:
    before = chat_engine()
    settings.CHAT = text_server.chat_settings(CONTEXT_TOKENS=9_000)

    after = chat_engine()

    assert after is not before
    assert after is not None
    assert after.context_tokens == 9_000


def test_settings_may_be_an_engine_itself(settings: Settings) -> None:
    settings.CHAT, settings.EMBEDDINGS = FakeChat(), FakeEmbeddings()

    assert chat_engine() is settings.CHAT
    assert embedding_engine() is settings.EMBEDDINGS


@pytest.mark.parametrize(
    "wrong",
    [{"BASE_URL": "ftp://x"}, {"MODEL": ""}, {"CONTEXT_TOKENS": 0}, {"MAX_CONCURRENCY": -1}],
    ids=str,
)
def test_a_server_that_cannot_be_is_refused(
    settings: Settings, text_server: TextServer, wrong: dict[str, object]
) -> None:
    settings.CHAT = text_server.chat_settings(**wrong)

    with pytest.raises(ImproperlyConfigured, match="CHAT"):
        chat_engine()


def test_tokens_are_of_a_limit_that_all_share(settings: Settings, text_server: TextServer) -> None:
    settings.CHAT = text_server.chat_settings(TOKENS_PER_MINUTE=600.0)
    chat = chat_engine()
    assert chat is not None
    chat.reply(asking("one two"), max_tokens=500)
    other = RateLimiter(
        settings.REDIS_URL,
        name="chat",
        limit=RateLimit(tokens_per_minute=600.0),
        live_workers=lambda: 1,
    )

    with pytest.raises(RateLimited), other.admitted(tokens=500):
        pass
    with pytest.raises(RateLimited):
        chat.reply(asking("one two"), max_tokens=500)

    assert len(text_server.chats) == 1


def test_a_server_that_is_away_is_soon_asked_by_nobody(
    settings: Settings, text_server: TextServer
) -> None:
    text_server.always(refusing(503))
    chat = chat_engine()
    assert chat is not None
    breaker = CircuitBreaker(settings.REDIS_URL, name="chat")

    for _ in range(breaker.policy.minimum_calls):
        with pytest.raises(ProviderUnavailable):
            chat.reply(asking("?"), max_tokens=9)

    with pytest.raises(BreakerIsOpen):
        list(chat.stream(asking("?"), max_tokens=9))
    with pytest.raises(BreakerIsOpen), breaker.guarding():
        pass
    assert len(text_server.chats) == breaker.policy.minimum_calls


def test_a_stream_that_is_left_holds_no_place(settings: Settings, text_server: TextServer) -> None:
    settings.CHAT = text_server.chat_settings(MAX_CONCURRENCY=1)
    text_server.always(saying("one two three"))
    chat = chat_engine()
    assert chat is not None
    pieces = chat.stream(asking("?"), max_tokens=9)
    next(pieces)
    with pytest.raises(RateLimited):
        chat.reply(asking("?"), max_tokens=9)

    pieces.close()

    assert chat.reply(asking("?"), max_tokens=9).text == "one two three"


def test_a_translator_of_ours_comes_before_the_chat_engine(settings: Settings) -> None:
    settings.CHAT, settings.TRANSLATOR = FakeChat(), FakeTranslator(pairs=[("en", "de")])

    german, french = translator_for("en", "de"), translator_for("en", "fr")

    assert german is settings.TRANSLATOR
    assert french is not None
    assert french is not settings.TRANSLATOR
