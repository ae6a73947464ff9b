"""The engine for OpenAI's language: what it asks, what it learns, what guards it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from processing.audio.decode import decode_all
from processing.engines.base import AUTO, SAMPLE_RATE, AudioClip, Speech, Timing
from processing.engines.openai import OpenAIEngine
from processing.exceptions import (
    ProviderRefused,
    ProviderTooLarge,
    UnknownParameter,
    UnsupportedLanguage,
)
from tests.processing.engine_contract import SpeechEngineContract, words_of
from tests.providers.conftest import MakeEngine, transcribe
from tests.providers.server import Exchange, Provider, answering, refusing

NO_VERBOSE = refusing(
    400,
    message="response_format 'verbose_json' is not compatible with model 'm'.",
    param="response_format",
    code="unsupported_value",
)


def listening(exchange: Exchange) -> None:
    """Hear two words in each second that is not silent."""
    exchange.read_body()
    samples = decode_all(exchange.received.file)
    seconds = [at for at in range(len(samples) // SAMPLE_RATE) if samples[at * SAMPLE_RATE :].any()]
    words = [
        {"word": f" word{at}{half}", "start": at + half / 2, "end": at + half / 2 + 0.4}
        for at in seconds
        for half in (0, 1)
    ]
    answering({"text": "...", "language": "english", "words": words})(exchange)


class TestOpenAIEngineKeepsTheContract(SpeechEngineContract):
    @pytest.fixture
    def engine(self, provider: Provider, make_engine: MakeEngine) -> OpenAIEngine:
        provider.always(listening)
        return make_engine(provider.url, languages=("en", "de"))

    @pytest.fixture
    def clip_with_speech(self, clip: AudioClip) -> AudioClip:
        return clip

    @pytest.fixture
    def other_clip(self, clip: AudioClip) -> AudioClip:
        return AudioClip(clip.samples[: 4 * SAMPLE_RATE], start_sample=9 * SAMPLE_RATE)


@pytest.fixture
def engine(provider: Provider, make_engine: MakeEngine) -> OpenAIEngine:
    provider.always(answering({"text": "hello"}))
    return make_engine(provider.url)


class TestRequest:
    def test_it_asks_for_everything_once(
        self, provider: Provider, engine: OpenAIEngine, clip: AudioClip
    ) -> None:
        transcribe(
            engine, clip, prompt="Of rivers.", temperature=0, hotwords="Elbe", keywords=["a", "b"]
        )

        assert [request.path for request in provider.requests] == ["/v1/audio/transcriptions"]
        assert provider.requests[0].form == {
            "model": ["whisper-1"],
            "language": ["en"],
            "prompt": ["Of rivers."],
            "hotwords": ["Elbe"],
            "keywords[]": ["a", "b"],
            "temperature": ["0"],
            "response_format": ["verbose_json"],
            "timestamp_granularities[]": ["word", "segment"],
        }

    def test_the_samples_arrive_unchanged(
        self, provider: Provider, engine: OpenAIEngine, clip: AudioClip
    ) -> None:
        transcribe(engine, clip)

        assert np.array_equal(decode_all(provider.requests[0].file), clip.samples)

    def test_a_language_to_be_found_out_is_not_sent(
        self, provider: Provider, make_engine: MakeEngine, clip: AudioClip
    ) -> None:
        transcribe(make_engine(provider.url, languages=(AUTO, "en")), clip)

        assert "language" not in provider.requests[0].form

    @pytest.mark.parametrize("response_format", ["json", "text", "diarized_json"])
    def test_only_verbose_json_has_granularities(
        self, provider: Provider, make_engine: MakeEngine, clip: AudioClip, response_format: str
    ) -> None:
        provider.always(answering({"text": "hello"}))

        transcribe(make_engine(provider.url, response_format=response_format), clip)

        form = provider.requests[0].form
        assert form["response_format"] == [response_format]
        assert "timestamp_granularities[]" not in form

    @pytest.mark.parametrize(
        "parameters",
        [
            {"temperature": 1.1},
            {"temperature": -0.1},
            {"temperature": "0"},
            {"temperature": True},
            {"temperature": float("nan")},
            {"prompt": 5},
            {"prompt": "a" * 10_001},
            {"hotwords": ["a"]},
            {"keywords": "a"},
            {"keywords": [1]},
        ],
        ids=str,
    )
    def test_a_bad_value_is_refused_before_it_is_sent(
        self,
        provider: Provider,
        engine: OpenAIEngine,
        clip: AudioClip,
        parameters: Mapping[str, Any],
    ) -> None:
        with pytest.raises(UnknownParameter):
            transcribe(engine, clip, **parameters)

        assert provider.requests == []

    def test_parameters_of_other_engines_are_ignored(
        self, provider: Provider, engine: OpenAIEngine, clip: AudioClip
    ) -> None:
        transcribe(engine, clip, beam_size=5, prompt=None)

        assert {"beam_size", "prompt"}.isdisjoint(provider.requests[0].form)

    @pytest.mark.parametrize("seconds", [0.09, 5.0], ids=["too short for a word", "silent"])
    def test_a_clip_without_a_sound_costs_nothing(
        self, provider: Provider, engine: OpenAIEngine, seconds: float
    ) -> None:
        silence = AudioClip(np.zeros(int(seconds * SAMPLE_RATE), np.int16))

        assert transcribe(engine, silence) == Speech((), "en")
        assert provider.requests == []

    @pytest.mark.parametrize(
        ("limit", "message"),
        [({"max_clip_seconds": 9.9}, "clips of 9.9 s"), ({"max_clip_bytes": 9_999}, "9999 bytes")],
        ids=["seconds", "bytes"],
    )
    def test_a_clip_over_a_limit_is_not_sent(
        self,
        provider: Provider,
        make_engine: MakeEngine,
        clip: AudioClip,
        limit: Mapping[str, Any],
        message: str,
    ) -> None:
        engine = make_engine(provider.url)
        engine = make_engine(provider.url, limits=type(engine.limits)(**limit))

        with pytest.raises(ProviderTooLarge, match=message):
            transcribe(engine, clip)

        assert provider.requests == []

    def test_auto_is_refused_by_an_engine_that_does_not_offer_it(
        self, engine: OpenAIEngine, clip: AudioClip
    ) -> None:
        with pytest.raises(UnsupportedLanguage):
            engine.transcribe(clip, language=AUTO, parameters={})


class TestFallBack:
    def test_a_server_without_verbose_json_is_asked_for_json_from_then_on(
        self, provider: Provider, engine: OpenAIEngine, clip: AudioClip
    ) -> None:
        provider.will(NO_VERBOSE)

        speech = transcribe(engine, clip)
        transcribe(engine, clip)

        formats = [request.form["response_format"] for request in provider.requests]
        assert formats == [["verbose_json"], ["json"], ["json"]]
        assert engine.fallback_count == 1
        assert speech.timing is Timing.NONE

    @pytest.mark.parametrize(
        "refusal",
        [
            refusing(400, code="unsupported_value"),
            refusing(400, message="Unknown response_format"),
            answering({"detail": [{"loc": ["body", "response_format"]}]}, status=422),
        ],
        ids=["code", "message", "FastAPI"],
    )
    def test_other_servers_say_so_in_other_ways(
        self, provider: Provider, engine: OpenAIEngine, clip: AudioClip, refusal: Any
    ) -> None:
        provider.will(refusal)

        assert [word.word for word in words_of(transcribe(engine, clip))] == ["hello"]

    def test_a_server_without_granularities_keeps_verbose_json(
        self, provider: Provider, engine: OpenAIEngine, clip: AudioClip
    ) -> None:
        provider.will(refusing(400, param="timestamp_granularities[]"))

        transcribe(engine, clip)

        last = provider.requests[-1].form
        assert last["response_format"] == ["verbose_json"]
        assert "timestamp_granularities[]" not in last

    def test_a_server_that_refuses_everything_is_asked_three_times(
        self, provider: Provider, engine: OpenAIEngine, clip: AudioClip
    ) -> None:
        provider.will(refusing(400, param="timestamp_granularities[]"))
        provider.always(refusing(400, param="response_format"))

        with pytest.raises(ProviderRefused):
            transcribe(engine, clip)

        assert len(provider.requests) == 3

    def test_a_format_that_was_chosen_is_not_replaced(
        self, provider: Provider, make_engine: MakeEngine, clip: AudioClip
    ) -> None:
        provider.will(NO_VERBOSE)

        with pytest.raises(ProviderRefused):
            transcribe(make_engine(provider.url, response_format="diarized_json"), clip)

        assert len(provider.requests) == 1


def test_the_version_names_model_host_format_and_revision(
    make_engine: MakeEngine,
) -> None:
    versions = {
        make_engine("https://one.example/v1").version,
        make_engine("https://two.example/v1").version,
        make_engine("https://one.example/v1", response_format="json").version,
    }

    assert "whisper-1@one.example-auto-2" in versions
    assert len(versions) == 3
