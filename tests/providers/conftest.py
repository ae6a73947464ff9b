"""Providers on this machine, and clients of ours to them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from processing.engines.base import SAMPLE_RATE, AudioClip, Speech
from processing.engines.openai import OpenAIEngine, OpenAISettings
from processing.providers.answers import Answer
from processing.providers.base import Guards, ProviderSettings, Secret, Timeouts
from processing.providers.http import ProviderClient
from tests.providers.server import CERTIFICATE, Provider, serving

#: Found in no message, log or repr: a key that can be searched for.
KEY = "sk-do-not-tell-anybody-1234567890"

#: Short enough to be waited for, long enough for two slow cores.
SHORT = Timeouts(connect=5.0, read=2.0, write=5.0, pool=5.0, total=10.0)

UPLOAD = {"file": ("clip.flac", b"\x00\xff" * 50_000, "audio/flac")}

MakeClient = Callable[..., ProviderClient]
MakeEngine = Callable[..., OpenAIEngine]


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture
def secure_provider() -> Iterator[Provider]:
    with serving(tls=True, http2=True) as provider:
        yield provider


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    """Make a client of a provider, by its URL; its key is ``KEY``."""
    made: list[ProviderClient] = []

    def make(base_url: str, **options: Any) -> ProviderClient:
        options = {"api_key": Secret(KEY), "timeouts": SHORT, **options}
        made.append(ProviderClient(ProviderSettings(base_url=base_url, **options)))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def make_engine() -> MakeEngine:
    """Make an engine that asks a provider, by its URL; its key is ``KEY``."""

    def make(base_url: str, *, guards: Guards | None = None, **options: Any) -> OpenAIEngine:
        options = {"api_key": Secret(KEY), "timeouts": SHORT, "languages": ("en",), **options}
        return OpenAIEngine(
            OpenAISettings(name="remote", base_url=base_url, model="whisper-1", **options),
            guards=guards,
        )

    return make


@pytest.fixture
def clip() -> AudioClip:
    """Ten seconds of something that is not silence."""
    noise = np.random.default_rng(1).integers(-500, 500, 10 * SAMPLE_RATE)
    return AudioClip(noise.astype(np.int16))


@pytest.fixture
def certificate() -> str:
    return str(CERTIFICATE)


def transcribe(engine: OpenAIEngine, clip: AudioClip, **parameters: Any) -> Speech:
    return engine.transcribe(clip, language=engine.languages[0], parameters=parameters)


def ask(client: ProviderClient, **options: Any) -> dict[str, Any]:
    options = {"payload": {"question": 1}, "read": Answer.json_object, **options}
    answer: dict[str, Any] = client.post("chat", **options)
    return answer


def upload(client: ProviderClient) -> dict[str, Any]:
    return client.post(
        "audio/transcriptions",
        fields={"model": "m", "words[]": ["a", "b"]},
        files=UPLOAD,
        read=Answer.json_object,
    )
