"""Settings that cannot be are refused at the start, in words that say which."""

from typing import Any

import pytest
from pytest_django import Settings

from processing.checks import check_engines, check_text_engines
from processing.engines.remote import remote_engine
from tests.providers.text_server import text_settings

PROVIDER: dict[str, Any] = {
    "BASE_URL": "https://speech.example/v1",
    "MODEL": "whisper-1",
    "API_KEY": "a-key",
    "RESPONSE_FORMAT": "auto",
    "LANGUAGES": [],
    "MAX_CONCURRENCY": 4,
    "REQUESTS_PER_MINUTE": 0,
    "AUDIO_SECONDS_PER_HOUR": 0,
    "MAX_CLIP_SECONDS": 1400,
    "MAX_CLIP_BYTES": 26_214_400,
}


def problems() -> list[str]:
    return [str(message.msg) for message in check_engines()]


def test_settings_that_can_be_are_nothing_to_speak_of(settings: Settings) -> None:
    settings.PROVIDERS = {"speech": PROVIDER}
    settings.CONCURRENCY_LIMITS = {"speech": 4}

    assert problems() == []
    assert remote_engine("speech").limits.max_concurrency == 4


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        pytest.param({"BASE_URL": "speech.example"}, "base_url starts with http", id="address"),
        pytest.param({"API_KEY": "a key\n"}, "a secret is ASCII without spaces", id="key"),
    ],
)
def test_a_provider_that_cannot_be_is_named_with_the_reason(
    settings: Settings, wrong: dict[str, Any], reason: str
) -> None:
    settings.PROVIDERS = {"speech": PROVIDER | wrong}

    [problem] = problems()

    assert "the provider speech" in problem
    assert reason in problem
    assert "a key" not in problem


def test_a_default_and_a_limit_name_engines_that_there_are(settings: Settings) -> None:
    settings.ENGINE = "nothing"
    settings.CONCURRENCY_LIMITS = {"nobody": 1}

    assert problems() == ["ENGINE is 'nothing'", "ENGINE_CONCURRENCY names nobody"]


@pytest.mark.parametrize("name", ["CHAT", "EMBEDDINGS"])
def test_a_server_for_text_that_cannot_be_is_named_with_the_reason(
    settings: Settings, name: str
) -> None:
    setattr(settings, name, text_settings("text.example", "a-model"))

    [problem] = [str(message.msg) for message in check_text_engines()]

    assert problem.startswith(f"{name}: ")
    assert "base_url starts with http" in problem
