"""Recordings in other languages, answered in English."""

from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.audio import Translation, TranslationVerbose
from pytest_django import Settings

from processing import models
from processing.exceptions import ProviderRefused
from tests.api.openai.conftest import FIRST, SECOND, TEXT
from tests.fakes.text import FakeTranslator
from tests.fakes.tones import write_tones

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("worker"),
]


@pytest.fixture
def translator(settings: Settings) -> FakeTranslator:
    settings.TRANSLATOR = translator = FakeTranslator()
    return translator


class Refusing(FakeTranslator):
    """Fails for good."""

    def translate(self, *args: Any, **kwargs: Any) -> list[str]:
        raise ProviderRefused("no translation today")


def translate(client: openai.OpenAI, path: Path, *, language: str = "de", **options: Any) -> Any:
    with pytest.warns(DeprecationWarning, match="translations|deprecated"):
        return client.audio.translations.create(
            file=path, model="whisper-1", extra_body={"language": language}, **options
        )


def test_json_has_the_text_in_english(
    client: openai.OpenAI, short: Path, translator: FakeTranslator
) -> None:
    answer = translate(client, short)

    assert isinstance(answer, Translation)
    assert answer.text == f"[en] {FIRST} [en] {SECOND}"


def test_verbose_json_is_english_with_the_times_of_the_recording(
    client: openai.OpenAI, short: Path, translator: FakeTranslator
) -> None:
    answer = translate(client, short, response_format="verbose_json")

    assert isinstance(answer, TranslationVerbose)
    assert (answer.language, answer.to_dict()["task"]) == ("english", "translate")
    assert answer.segments is not None
    assert [(one.start, one.end, one.text) for one in answer.segments] == [
        (0.5, 2.8, f" [en] {FIRST}"),
        (3.7, 6.0, f" [en] {SECOND}"),
    ]


@pytest.mark.parametrize(
    ("response_format", "begins"),
    [
        pytest.param("text", f"[en] {FIRST} [en] {SECOND}\n", id="text"),
        pytest.param("srt", f"1\n00:00:00,500 --> 00:00:02,800\n[en] {FIRST}\n", id="srt"),
        pytest.param("vtt", f"WEBVTT\n\n00:00:00.500 --> 00:00:02.800\n[en] {FIRST}\n", id="vtt"),
    ],
)
def test_raw_formats_are_in_english(
    client: openai.OpenAI,
    short: Path,
    translator: FakeTranslator,
    response_format: str,
    begins: str,
) -> None:
    assert translate(client, short, response_format=response_format).startswith(begins)


def test_english_needs_no_translator(client: openai.OpenAI, short: Path) -> None:
    answer = translate(client, short, language="en", response_format="verbose_json")

    assert (answer.text, answer.language) == (TEXT, "english")
    assert answer.to_dict()["task"] == "translate"


def test_the_same_again_is_neither_heard_nor_translated_again(
    client: openai.OpenAI, short: Path, translator: FakeTranslator
) -> None:
    translate(client, short)
    translate(client, short, response_format="text")

    assert translator.asked == [FIRST, SECOND]
    assert models.Translation.objects.count() == 1


def test_without_a_translator_it_says_what_to_configure_and_keeps_nothing(
    client: openai.OpenAI, short: Path
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        translate(client, short)

    assert refused.value.code == "not_configured"
    assert "from German into English" in refused.value.message
    assert "CHAT_BASE_URL" in refused.value.message
    assert not models.Recording.objects.exists()


def test_a_translation_that_fails_is_the_fault_of_who_translates(
    client: openai.OpenAI, short: Path, settings: Settings
) -> None:
    settings.TRANSLATOR = Refusing()

    with pytest.raises(openai.InternalServerError) as failed:
        translate(client, short)

    assert (failed.value.status_code, failed.value.code) == (502, "provider_refused")
    assert "no translation today" in failed.value.message


def test_silence_needs_no_translation(
    client: openai.OpenAI, tmp_path: Path, translator: FakeTranslator
) -> None:
    silence = write_tones(tmp_path / "silence.wav", [[]], 2.0)

    assert translate(client, silence).text == ""
    assert not translator.asked


def test_there_is_no_diarized_translation(
    client: openai.OpenAI, short: Path, translator: FakeTranslator
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        translate(client, short, response_format="diarized_json")

    assert refused.value.param == "response_format"
