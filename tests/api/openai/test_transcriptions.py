"""What OpenAI's own client gets for a recording, in each format."""

import threading
from pathlib import Path
from typing import Any

import openai
import pytest
from django.conf import settings as django_settings
from openai.types.audio import Transcription, TranscriptionDiarized, TranscriptionVerbose
from pytest_django import Settings

from jobs.exceptions import PermanentError
from processing.audio.decode import decode_all
from processing.engines.base import AudioClip
from processing.models import AuditEvent, Recording, Transcript, Workspace
from tests.api.openai.conftest import FIRST, SECOND, SHORT_SECONDS, TEXT
from tests.audio import write_wav
from tests.fakes.tones import ToneEngine, tones, write_tones

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("worker")]

RIVER = Path(django_settings.BASE_DIR) / "processing" / "demo" / "river.opus"


def transcribe(client: openai.OpenAI, file: Path | bytes, **options: Any) -> Any:
    return client.audio.transcriptions.create(file=file, **({"model": "whisper-1"} | options))


def test_json_is_the_default_and_has_the_text(client: openai.OpenAI, short: Path) -> None:
    answer = transcribe(client, short)

    assert isinstance(answer, Transcription)
    assert answer.text == TEXT
    assert [language.code for language in answer.languages or ()] == ["en"]
    assert answer.usage is not None
    assert answer.usage.to_dict() == {"type": "duration", "seconds": 8}


def test_text_is_one_line(client: openai.OpenAI, short: Path) -> None:
    assert transcribe(client, short, response_format="text") == f"{TEXT}\n"


def test_srt_is_numbered_cues_on_the_clock_of_the_recording(
    client: openai.OpenAI, short: Path
) -> None:
    assert transcribe(client, short, response_format="srt") == (
        f"1\n00:00:00,500 --> 00:00:02,800\n{FIRST}\n\n2\n00:00:03,700 --> 00:00:06,000\n{SECOND}\n"
    )


def test_vtt_is_cues_under_a_header(client: openai.OpenAI, short: Path) -> None:
    assert transcribe(client, short, response_format="vtt") == (
        f"WEBVTT\n\n00:00:00.500 --> 00:00:02.800\n{FIRST}\n\n"
        f"00:00:03.700 --> 00:00:06.000\n{SECOND}\n"
    )


@pytest.mark.parametrize(
    ("granularities", "has_segments", "has_words"),
    [
        pytest.param(openai.omit, True, False, id="none means segments"),
        pytest.param(["segment"], True, False, id="segments"),
        pytest.param(["word"], False, True, id="words"),
        pytest.param(["word", "segment"], True, True, id="both"),
    ],
)
def test_verbose_json_has_the_granularities_asked_for(
    client: openai.OpenAI, short: Path, granularities: Any, has_segments: bool, has_words: bool
) -> None:
    answer = transcribe(
        client,
        short,
        response_format="verbose_json",
        timestamp_granularities=granularities,
    )

    assert isinstance(answer, TranscriptionVerbose)
    assert (answer.text, answer.language, answer.duration) == (TEXT, "english", SHORT_SECONDS)
    assert answer.to_dict()["task"] == "transcribe"
    assert (answer.segments is not None, answer.words is not None) == (has_segments, has_words)


def test_segments_have_all_that_those_of_whisper_have(client: openai.OpenAI, short: Path) -> None:
    answer = transcribe(client, short, response_format="verbose_json", temperature=0.2)

    first, second = (segment.to_dict() for segment in answer.segments)
    assert first | {"compression_ratio": None} == {
        "id": 0,
        "seek": 50,
        "start": 0.5,
        "end": 2.8,
        "text": f" {FIRST}",
        "tokens": [],
        "temperature": 0.2,
        "avg_logprob": pytest.approx(-0.105, abs=0.001),
        "compression_ratio": None,
        "no_speech_prob": 0.0,
    }
    assert 0.5 < first["compression_ratio"] < 1.5
    assert (second["id"], second["seek"]) == (1, 370)


def test_words_have_their_times(client: openai.OpenAI, short: Path) -> None:
    answer = transcribe(
        client, short, response_format="verbose_json", timestamp_granularities=["word"]
    )

    assert " ".join(word.word for word in answer.words) == TEXT
    assert [(word.start, word.end) for word in answer.words[:2]] == [(0.5, 0.8), (1.0, 1.3)]


def test_diarized_json_names_speakers_by_letters(client: openai.OpenAI, short: Path) -> None:
    answer = transcribe(client, short, model="voices", response_format="diarized_json")

    assert isinstance(answer, TranscriptionDiarized)
    assert (answer.task, answer.duration) == ("transcribe", SHORT_SECONDS)
    assert answer.text == f"A: {FIRST}\nB: {SECOND}"
    assert answer.segments[0].to_dict() == {
        "type": "transcript.text.segment",
        "id": "seg_001",
        "start": 0.5,
        "end": 2.8,
        "text": FIRST,
        "speaker": "A",
    }


def test_known_speakers_keep_their_names(client: openai.OpenAI, short: Path) -> None:
    answer = transcribe(
        client,
        short,
        model="voices",
        response_format="diarized_json",
        known_speaker_names=["bob", "Eve"],
        known_speaker_references=["data:audio/wav;base64,AA==", "data:audio/wav;base64,AA=="],
        chunking_strategy="auto",
    )

    assert [segment.speaker for segment in answer.segments] == ["A", "bob"]


def test_speakers_in_channels_of_their_own_are_told_apart_by_any_engine(
    client: openai.OpenAI, tmp_path: Path
) -> None:
    legs = [tones(8.0, channel=channel, of=2) for channel in range(2)]
    call = write_tones(tmp_path / "call.wav", legs, 8.0)

    answer = transcribe(
        client, call, response_format="diarized_json", extra_body={"channels": "separate"}
    )

    assert [segment.speaker for segment in answer.segments] == ["A", "B"]


def test_diarized_json_is_refused_where_nobody_tells_speakers_apart(
    client: openai.OpenAI, short: Path
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        transcribe(client, short, response_format="diarized_json")

    assert (refused.value.code, refused.value.param) == ("unsupported_value", "response_format")


@pytest.mark.parametrize("model", ["whisper-1", "gpt-4o-transcribe", "gpt-transcribe", "tones"])
def test_names_of_openai_mean_the_engine_of_the_workspace(
    client: openai.OpenAI, short: Path, model: str
) -> None:
    transcribe(client, short, model=model)

    assert {asked.engine for asked in ToneEngine.asked} == {"tones"}


def test_an_engine_of_the_workspace_comes_before_that_of_the_installation(
    client: openai.OpenAI, short: Path, workspace: Workspace
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(engines=["voices"])

    transcribe(client, short)

    assert Transcript.objects.get().engine == "voices"


def test_prompt_and_language_reach_the_engine_and_what_it_does_not_know_is_left_out(
    client: openai.OpenAI, short: Path
) -> None:
    answer = transcribe(
        client,
        short,
        language="German",
        prompt=" about tones",
        temperature=0.7,
        include=["logprobs"],
        chunking_strategy={"type": "server_vad", "threshold": 0.5},
        extra_body={"something": "else", "keywords[]": ["tone"]},
        response_format="verbose_json",
    )

    asked = ToneEngine.asked[0]
    assert (asked.language, asked.parameters) == ("de", {"prompt": " about tones"})
    assert answer.language == "german"


def test_a_language_of_several_is_the_one_the_engine_knows(
    client: openai.OpenAI, short: Path
) -> None:
    transcribe(client, short, extra_body={"languages": ["fr", "de"]})

    assert ToneEngine.asked[0].language == "de"


def test_an_empty_prompt_is_none(client: openai.OpenAI, short: Path) -> None:
    transcribe(client, short)
    transcribe(client, short, prompt="", language="")

    assert Transcript.objects.count() == 1


def test_the_same_recording_again_is_heard_once(client: openai.OpenAI, short: Path) -> None:
    answers = [
        transcribe(client, short),
        transcribe(client, short.read_bytes()),
        transcribe(client, short, response_format="verbose_json"),
    ]

    assert {answer.text for answer in answers} == {TEXT}
    assert (Recording.objects.count(), len(ToneEngine.asked)) == (1, 1)


def test_a_long_recording_is_heard_in_parallel_within_one_request(
    client: openai.OpenAI, long: Path
) -> None:
    answer = transcribe(client, long)

    assert answer.text == " ".join(f"t{200 + 100 * number}" for number in range(60))
    assert len(ToneEngine.asked) == 4


def test_a_client_that_comes_back_finds_the_run_it_left(client: openai.OpenAI, short: Path) -> None:
    is_left = threading.Event()
    ToneEngine.troubles["tones"] = lambda clip: is_left.wait(20)

    with pytest.raises(openai.APITimeoutError):
        transcribe(client.with_options(timeout=0.5), short)
    is_left.set()
    answer = transcribe(client, short)

    assert answer.text == TEXT
    assert Transcript.objects.get().processings.count() == 1
    assert len(ToneEngine.asked) == 1


@pytest.fixture
def unheard_end(long: Path) -> None:
    """Have the part from 30 s on be heard by nobody."""

    def trouble(clip: AudioClip) -> None:
        if clip.start_sample >= 25 * 16_000:
            raise PermanentError("the engine gave up")

    ToneEngine.troubles["tones"] = trouble


@pytest.mark.usefixtures("unheard_end")
def test_a_transcript_with_gaps_says_so_in_its_body_and_its_header(
    client: openai.OpenAI, long: Path
) -> None:
    raw = client.audio.transcriptions.with_raw_response.create(
        file=long, model="whisper-1", response_format="verbose_json"
    )

    answer = raw.parse()
    gap = dict(answer)["gaps"][0]
    assert gap["reason"] == "permanent: the engine gave up"
    assert gap["end"] == 40.0
    assert raw.headers["longhand-gaps"] == f"1; seconds={40.0 - gap['start']:.3f}"
    assert answer.text.startswith(TEXT)


@pytest.mark.usefixtures("unheard_end")
def test_subtitles_with_gaps_say_so_in_their_header_alone(
    client: openai.OpenAI, long: Path
) -> None:
    raw = client.audio.transcriptions.with_raw_response.create(
        file=long, model="whisper-1", response_format="srt"
    )

    assert raw.headers["longhand-gaps"].startswith("1; seconds=")
    assert "gave up" not in raw.text


def test_silence_is_an_empty_text_in_every_format(client: openai.OpenAI, tmp_path: Path) -> None:
    silence = write_tones(tmp_path / "silence.wav", [[]], 2.0)

    formats = ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")
    answers = [transcribe(client, silence, response_format=name) for name in formats]

    assert [getattr(answer, "text", answer) for answer in answers] == [
        "",
        "\n",
        "",
        "WEBVTT\n\n",
        "",
        "",
    ]


def test_answers_have_the_headers_of_openai(
    client: openai.OpenAI, short: Path, settings: Settings
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 60
    settings.API_UPLOADS_PER_MINUTE = 30

    raw = client.audio.transcriptions.with_raw_response.create(file=short, model="whisper-1")

    headers = raw.headers
    assert raw.request_id == headers["x-request-id"]
    assert len(raw.request_id or "") >= 16
    assert headers["openai-version"] == "2020-10-01"
    assert headers["openai-organization"] == "default"
    assert int(headers["openai-processing-ms"]) >= 0
    assert headers["x-ratelimit-limit-requests"] == "30"
    assert headers["x-ratelimit-remaining-requests"] == "29"
    assert headers["x-ratelimit-reset-requests"] == "2s"
    assert headers["longhand-transcript"] == str(Transcript.objects.get().pk)


def test_who_asked_is_in_the_account(client: openai.OpenAI, short: Path) -> None:
    transcribe(client, short)

    event = AuditEvent.objects.get()
    assert (event.action, event.object_type) == ("openai-transcription.create", "transcript")
    assert event.object_id == str(Transcript.objects.get().pk)
    assert event.api_key_id in client.api_key


def test_recordings_are_those_of_the_other_api(
    client: openai.OpenAI, short: Path, workspace: Workspace
) -> None:
    transcribe(client, short)

    recording = Recording.objects.in_workspace(workspace).get()
    assert (recording.name, recording.created_by and recording.created_by.username) == (
        "short.wav",
        "editor-of-tapes",
    )


def test_real_speech_is_heard(client: openai.OpenAI, settings: Settings, tmp_path: Path) -> None:
    settings.ENGINE = "sphinx"
    first_sentence = write_wav(tmp_path / "river.wav", decode_all(RIVER.read_bytes())[:72_000])

    answer = transcribe(client, first_sentence, response_format="verbose_json")

    assert answer.text.startswith("every morning the old man walks down to the river")
    assert answer.language == "english"
