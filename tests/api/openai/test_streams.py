"""Transcripts told while they are heard, as OpenAI's own client reads them."""

import json
import threading
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from django.test import RequestFactory
from openai.types.audio import (
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionTextSegmentEvent,
)
from pytest_django import Settings
from rest_framework.request import Request

from jobs.exceptions import PermanentError
from processing.api.openai.requests import AudioRequest
from processing.api.openai.streaming import TranscriptStream
from processing.engines.base import AudioClip
from processing.live.events import DONE, RESTART, SEGMENTS, Event
from processing.models import Transcript
from processing.services.orchestrator import cancel_processing
from tests.api.openai.conftest import FIRST, SECOND, TEXT
from tests.factories.processing import TranscriptFactory, heard_segment
from tests.fakes.tones import ToneEngine
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def stream(client: openai.OpenAI, path: Path, **options: Any) -> Any:
    options = {"model": "gpt-4o-transcribe"} | options
    return client.audio.transcriptions.create(file=path, stream=True, **options)


def told(*events: Event) -> list[str]:
    """Return what a stream tells of a run: deltas, and the whole text or the code of an error."""
    segments = [heard_segment(0.0, "so it"), heard_segment(1.0, "said")]
    transcript = TranscriptFactory.create(completed=True, text="so it said", segments=segments)
    asked = AudioRequest(None, "", "", {}, "json", 0.0)  # type: ignore[arg-type]  # no file
    request = Request(RequestFactory().get("/"))
    frames = list(TranscriptStream(iter(events), transcript.pk, asked, request=request))
    bodies = [json.loads(frame.removeprefix("data: ")) for frame in frames if frame[0] != ":"]
    return [body.get("delta") or body.get("text") or body["error"]["code"] for body in bodies]


def heard(*texts: str) -> Event:
    return Event(SEGMENTS, {"segments": [heard_segment(0.0, text) for text in texts]})


@pytest.mark.parametrize(
    ("events", "deltas"),
    [
        pytest.param([heard("so it"), heard("said")], ["so it", " said"], id="as it is heard"),
        pytest.param([heard("so it")], ["so it", " said"], id="the rest at the end"),
        pytest.param(
            [heard("so it"), Event(RESTART), heard("so it", "said")],
            ["so it", " said"],
            id="nothing twice",
        ),
        pytest.param(
            [heard("so is"), Event(RESTART), heard("so it", "said")],
            ["so is"],
            id="nothing more once it is another",
        ),
    ],
)
def test_what_was_told_is_gone_on_with_or_left(events: list[Event], deltas: list[str]) -> None:
    assert told(*events, Event(DONE)) == [*deltas, "so it said"]


def test_a_stream_that_nobody_can_go_on_with_is_to_be_asked_for_again() -> None:
    assert told(heard("so it")) == ["so it", "still_running"]


@pytest.mark.usefixtures("worker")
def test_deltas_are_the_text_and_the_end_has_all_of_it(client: openai.OpenAI, long: Path) -> None:
    *deltas, done = stream(client, long)

    assert {type(delta) for delta in deltas} == {TranscriptionTextDeltaEvent}
    assert isinstance(done, TranscriptionTextDoneEvent)
    assert done.text == Transcript.objects.get().text
    assert "".join(delta.delta for delta in deltas) == done.text


@pytest.mark.usefixtures("worker")
def test_a_delta_comes_while_the_rest_is_still_being_heard(
    client: openai.OpenAI, long: Path
) -> None:
    is_told = threading.Event()

    def wait(clip: AudioClip) -> None:
        if clip.start_sample > 25 * 16_000:
            assert is_told.wait(20)

    ToneEngine.troubles["tones"] = wait
    events = iter(stream(client, long))

    first = next(events)
    is_active = Transcript.objects.get().latest_processing.is_active
    is_told.set()
    *_, done = events

    assert is_active
    assert first.delta == FIRST
    assert done.text.startswith(TEXT)


@pytest.mark.usefixtures("worker")
def test_what_was_heard_before_is_told_at_once(client: openai.OpenAI, short: Path) -> None:
    client.audio.transcriptions.create(file=short, model="whisper-1")

    events = list(stream(client, short))

    assert [event.type for event in events] == [
        "transcript.text.delta",
        "transcript.text.delta",
        "transcript.text.done",
    ]
    assert len(ToneEngine.asked) == 1


@pytest.mark.usefixtures("worker")
def test_diarized_streams_tell_segments_with_who_speaks(client: openai.OpenAI, short: Path) -> None:
    events = list(stream(client, short, model="voices", response_format="diarized_json"))

    segments = [one for one in events if isinstance(one, TranscriptionTextSegmentEvent)]
    deltas = [one for one in events if isinstance(one, TranscriptionTextDeltaEvent)]
    assert [(one.id, one.speaker, one.text) for one in segments] == [
        ("seg_001", "A", FIRST),
        ("seg_002", "B", SECOND),
    ]
    assert [one.segment_id for one in deltas] == ["seg_001", "seg_002"]
    assert events[-1].text == TEXT


@pytest.mark.usefixtures("worker")
def test_a_diarized_stream_without_speakers_ends_in_an_error(
    client: openai.OpenAI, short: Path
) -> None:
    with pytest.raises(openai.APIError) as failed:
        list(stream(client, short, response_format="diarized_json"))

    assert failed.value.code == "unsupported_value"


@pytest.mark.usefixtures("worker")
def test_gaps_are_told_at_the_end(client: openai.OpenAI, long: Path) -> None:
    def trouble(clip: AudioClip) -> None:
        if clip.start_sample >= 25 * 16_000:
            raise PermanentError("the engine gave up")

    ToneEngine.troubles["tones"] = trouble

    *_, done = stream(client, long)

    assert [gap["reason"] for gap in done.to_dict()["gaps"]] == ["permanent: the engine gave up"]


@pytest.mark.usefixtures("worker")
def test_a_run_that_fails_is_an_error_within_the_stream(client: openai.OpenAI, short: Path) -> None:
    with pytest.raises(openai.APIError) as failed:
        list(stream(client, short, model="broken"))

    assert (failed.value.code, failed.value.type) == ("permanent", "server_error")
    assert failed.value.message == "the engine is broken"


def test_a_run_that_is_cancelled_is_an_error_within_the_stream(
    client: openai.OpenAI, short: Path
) -> None:
    events = stream(client, short)

    assert cancel_processing(Transcript.objects.get().latest_processing)
    with pytest.raises(openai.APIError) as failed:
        list(events)

    assert failed.value.code == "cancelled"


def test_streams_beat_while_nothing_is_heard(
    url: str, client: openai.OpenAI, short: Path, settings: Settings
) -> None:
    settings.EVENT_HEARTBEAT_SECONDS = 0.05

    with httpx2.stream(
        "POST",
        f"{url}/audio/transcriptions",
        headers={"Authorization": f"Bearer {client.api_key}"},
        data={"model": "whisper-1", "stream": "true"},
        files={"file": short.open("rb")},
    ) as response:
        lines = response.iter_lines()
        pings = [line for line, _ in zip((line for line in lines if line), range(3), strict=False)]
        cancel_processing(wait_for(lambda: Transcript.objects.get().latest_processing))
        last = [line for line in lines if line.startswith("data:")]

    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-cache"
    assert pings == [": ping"] * 3
    assert json.loads(last[-1].removeprefix("data: "))["error"]["code"] == "cancelled"
