"""Following, reading, exporting and cancelling transcripts."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.models import Job
from processing.choices import ACTIVE, TERMINAL, ProcessingStatus
from processing.models import Transcript
from processing.services.exports import FORMATS
from processing.services.requesting import request_transcript
from tests.api.conftest import TRANSCRIPTS
from tests.api.test_recordings import assert_problem
from tests.factories.processing import (
    ChunkTaskFactory,
    ProcessingTaskFactory,
    RecordingFactory,
    TranscriptFactory,
    WorkspaceFactory,
)
from tests.queries import queries_of

pytestmark = pytest.mark.django_db


def in_status(status: ProcessingStatus, **fields: Any) -> Transcript:
    trait = {} if status == ProcessingStatus.PENDING else {status.lower(): True}
    return TranscriptFactory.create(**trait, **fields)


def detail(api: APIClient, transcript: Transcript) -> dict[str, Any]:
    body: dict[str, Any] = api.get(f"{TRANSCRIPTS}{transcript.pk}/").json()
    return body


def listed(api: APIClient, **query: Any) -> list[str]:
    return [item["id"] for item in api.get(TRANSCRIPTS, query).json()["items"]]


def test_running_transcript_says_how_far_it_is(api: APIClient) -> None:
    now = timezone.now()
    run = ProcessingTaskFactory.create(
        processing=True,
        total_samples=240 * 16_000,
        done_samples=42 * 16_000,
        completed_chunks=1,
        started_at=now - timedelta(seconds=20),
    )

    with time_machine.travel(now, tick=False):
        body = detail(api, run.transcript)

    assert body["status"] == "PROCESSING"
    assert body["progress"] == pytest.approx(42 / 240)
    assert (body["done_seconds"], body["total_seconds"]) == (42.0, 240.0)
    assert body["progress_text"] == "0:42 of 4:00, about 1:34 left"
    assert body["eta_seconds"] == pytest.approx(94.3, abs=0.05)
    assert (body["text"], body["segments"], body["gaps"]) == ("", [], [])
    assert body["error"] is None


def test_length_nobody_knows_yet_is_null(api: APIClient) -> None:
    transcript = TranscriptFactory.create(recording__duration_seconds=None)

    body = detail(api, transcript)

    assert (body["total_seconds"], body["progress_text"]) == (None, "0:00 of ?")
    assert body["eta_seconds"] is None


def test_completed_transcript_has_its_words(api: APIClient) -> None:
    transcript = TranscriptFactory.create(completed=True)

    body = detail(api, transcript)

    assert (body["status"], body["progress"]) == ("COMPLETED", 1.0)
    assert body["text"] == "so it was said"
    assert [segment["text"] for segment in body["segments"]] == ["so it", "was said"]
    assert list(body["segments"][0]) == ["start", "end", "text", "words"]
    assert list(body["segments"][0]["words"][0]) == ["word", "start", "end", "confidence"]


def test_language_that_was_heard_is_told(api: APIClient) -> None:
    transcript = TranscriptFactory.create(completed=True, language="auto", heard_language="de")

    body = detail(api, transcript)

    assert (body["language"], body["heard_language"]) == ("auto", "de")


SEAM = {
    "at": 1.0,
    "left_chunk": 0,
    "right_chunk": 1,
    "method": "aligned",
    "matched": 1,
    "left": ["it"],
    "right": ["it"],
    "kept": ["it"],
}


def test_seams_are_counted_and_shown_when_asked_for(api: APIClient) -> None:
    transcript = TranscriptFactory.create(completed=True, seams=[SEAM])

    asked = api.get(f"{TRANSCRIPTS}{transcript.pk}/", {"include": "seams"}).json()
    body = detail(api, transcript)

    assert (asked["seam_count"], asked["seams"]) == (1, [SEAM])
    assert body["seam_count"] == 1
    assert "seams" not in body


def test_nothing_else_can_be_included(api: APIClient) -> None:
    transcript = TranscriptFactory.create(completed=True)

    response = api.get(f"{TRANSCRIPTS}{transcript.pk}/", {"include": "audio"})

    assert "known: seams" in assert_problem(response, 400, "invalid")["errors"]["include"][0]


def test_partial_transcript_names_its_gaps(api: APIClient) -> None:
    body = detail(api, TranscriptFactory.create(partial=True))

    assert body["gaps"] == [{"start": 1.0, "end": 2.0, "reason": "error: the engine gave up"}]


def test_failed_transcript_says_why(api: APIClient) -> None:
    body = detail(api, TranscriptFactory.create(failed=True))

    assert body["error"]["code"] == "unreadable_audio"
    assert "no sound" in body["error"]["message"]


def test_latest_run_is_the_one_that_counts(api: APIClient) -> None:
    transcript = TranscriptFactory.create(failed=True)
    ProcessingTaskFactory.create(transcript=transcript, splitting=True)

    assert detail(api, transcript)["status"] == "SPLITTING"
    assert listed(api, status="SPLITTING") == [str(transcript.pk)]
    assert listed(api, status="FAILED") == []


@pytest.mark.parametrize("format_name", list(FORMATS))
def test_export_is_what_the_format_makes_of_it(api: APIClient, format_name: str) -> None:
    transcript = TranscriptFactory.create(completed=True, recording__name="Board: meeting.mp3")
    content_type, render = FORMATS[format_name]

    response = api.get(f"{TRANSCRIPTS}{transcript.pk}/export/", {"format": format_name})

    assert response.status_code == 200
    assert response["Content-Type"] == content_type
    assert response.content.decode() == render(transcript)
    extension = "txt" if format_name == "text" else format_name
    assert f"Board: meeting.{extension}" in response["Content-Disposition"]


@pytest.mark.parametrize("accept", ["text/html", "application/x-subrip", "application/nonsense"])
def test_export_does_not_depend_on_what_the_client_accepts(api: APIClient, accept: str) -> None:
    transcript = TranscriptFactory.create(completed=True)

    response = api.get(
        f"{TRANSCRIPTS}{transcript.pk}/export/", {"format": "srt"}, HTTP_ACCEPT=accept
    )

    assert response.content.startswith(b"1\n00:00:00,100 --> ")


def test_export_is_text_when_no_format_is_named(api: APIClient) -> None:
    transcript = TranscriptFactory.create(completed=True)

    response = api.get(f"{TRANSCRIPTS}{transcript.pk}/export/")

    assert response.content == b"so it\nwas said\n"


@pytest.mark.parametrize("format_name", ["doc", "api", ""])
def test_unknown_format_is_refused_with_the_known_ones(api: APIClient, format_name: str) -> None:
    transcript = TranscriptFactory.create(completed=True)

    response = api.get(f"{TRANSCRIPTS}{transcript.pk}/export/", {"format": format_name})

    problem = assert_problem(response, 400, "invalid")
    assert "text, json, srt, vtt" in problem["errors"]["format"][0]


@pytest.mark.parametrize(
    "status", [*ACTIVE, ProcessingStatus.FAILED, ProcessingStatus.CANCELLED], ids=str
)
def test_export_of_what_is_not_finished_is_refused(
    api: APIClient, status: ProcessingStatus
) -> None:
    transcript = in_status(status)

    response = api.get(f"{TRANSCRIPTS}{transcript.pk}/export/", {"format": "srt"})

    assert f"is {status}" in assert_problem(response, 409, "not_finished")["detail"]


def test_gaps_are_marked_in_a_text_when_asked_for(api: APIClient) -> None:
    transcript = TranscriptFactory.create(partial=True)

    response = api.get(f"{TRANSCRIPTS}{transcript.pk}/export/", {"gaps": "mark"})

    assert response.content == b"so it\n[not heard: error: the engine gave up]\n"


@pytest.mark.parametrize(
    ("format_name", "gaps"),
    [
        pytest.param("text", "show", id="unknown way"),
        pytest.param("srt", "mark", id="format without marks"),
    ],
)
def test_gaps_cannot_be_shown_in_any_other_way(api: APIClient, format_name: str, gaps: str) -> None:
    transcript = TranscriptFactory.create(partial=True)
    query = {"format": format_name, "gaps": gaps}

    response = api.get(f"{TRANSCRIPTS}{transcript.pk}/export/", query)

    assert "gaps" in assert_problem(response, 400, "invalid")["errors"]


def partial(api: APIClient, transcript: Transcript) -> dict[str, Any]:
    body: dict[str, Any] = api.get(f"{TRANSCRIPTS}{transcript.pk}/partial/").json()
    return body


def test_partial_is_what_was_heard_by_now(api: APIClient) -> None:
    run = ProcessingTaskFactory.create(processing=True)
    ChunkTaskFactory.create(processing=run, completed=True)
    ChunkTaskFactory.create(processing=run)

    body = partial(api, run.transcript)

    assert (body["status"], body["progress"]) == ("PROCESSING", 0.5)
    assert (body["text"], [segment["text"] for segment in body["segments"]]) == ("word", ["word"])
    assert body["gaps"] == [{"start": 1.0, "end": 2.0, "reason": "not heard yet"}]


def test_partial_is_all_of_it_once_it_is_over(api: APIClient) -> None:
    transcript = TranscriptFactory.create(completed=True)

    body = partial(api, transcript)
    finished = detail(api, transcript)

    assert body["text"] == "so it was said"
    assert {name: body[name] for name in ("segments", "gaps")} == {
        name: finished[name] for name in ("segments", "gaps")
    }


def test_retry_has_the_gaps_heard_again(api: APIClient, admin_user: User) -> None:
    transcript = gapped()

    body = api.post(f"{TRANSCRIPTS}{transcript.pk}/retry/").json()

    run = transcript.processings.first()
    assert run is not None
    assert (body["id"], body["status"]) == (str(transcript.pk), "PENDING")
    assert (transcript.processings.count(), run.status) == (2, "PENDING")
    assert Job.objects.about(transcript.pk).get().created_by == admin_user


def gapped() -> Transcript:
    """Return the partial transcript that a request has led to."""
    asked = request_transcript(recording=RecordingFactory.create(), engine="scripted")
    Job.objects.about(asked.transcript.pk).delete()
    asked.processing.delete()
    ProcessingTaskFactory.create(transcript=asked.transcript, partial=True)
    return asked.transcript


def test_retry_of_what_has_no_gaps_is_refused(api: APIClient) -> None:
    transcript = TranscriptFactory.create(completed=True)

    response = api.post(f"{TRANSCRIPTS}{transcript.pk}/retry/")

    assert_problem(response, 409, "no_gaps")
    assert transcript.processings.count() == 1


def test_retry_of_what_another_engine_would_hear_now_leads_to_its_transcript(
    api: APIClient,
) -> None:
    transcript = TranscriptFactory.create(partial=True)  # of no version that there is

    body = api.post(f"{TRANSCRIPTS}{transcript.pk}/retry/").json()

    assert Transcript.objects.get(pk=body["id"]) != transcript
    assert body["recording"] == str(transcript.recording_id)


def test_viewers_retry_nothing(viewer: APIClient) -> None:
    transcript = TranscriptFactory.create(partial=True)

    response = viewer.post(f"{TRANSCRIPTS}{transcript.pk}/retry/")

    assert_problem(response, 403, "permission_denied")
    assert transcript.processings.count() == 1


@pytest.mark.parametrize("status", ACTIVE, ids=str)
def test_cancel_stops_what_goes_on(api: APIClient, status: ProcessingStatus) -> None:
    transcript = in_status(status)

    response = api.post(f"{TRANSCRIPTS}{transcript.pk}/cancel/")

    assert (response.status_code, response.json()["status"]) == (200, "CANCELLED")
    assert transcript.processings.get().status == ProcessingStatus.CANCELLED


@pytest.mark.parametrize("status", TERMINAL, ids=str)
def test_cancel_of_what_is_over_is_refused(api: APIClient, status: ProcessingStatus) -> None:
    transcript = in_status(status)

    response = api.post(f"{TRANSCRIPTS}{transcript.pk}/cancel/")

    assert status in assert_problem(response, 409, "already_over")["detail"]
    assert transcript.processings.get().status == status


@pytest.mark.parametrize(
    ("method", "action"), [("get", "cancel"), ("post", "export"), ("get", "retry")]
)
def test_action_by_the_wrong_method_is_refused(api: APIClient, method: str, action: str) -> None:
    transcript = TranscriptFactory.create(completed=True)

    response = getattr(api, method)(f"{TRANSCRIPTS}{transcript.pk}/{action}/")

    assert_problem(response, 405, "method_not_allowed")


@pytest.mark.parametrize("action", ["", "export/", "partial/", "cancel/", "retry/"])
def test_transcripts_of_another_workspace_do_not_exist(api: APIClient, action: str) -> None:
    recording = RecordingFactory.create(workspace=WorkspaceFactory.create())
    transcript = TranscriptFactory.create(completed=True, recording=recording)
    call = api.post if action in ("cancel/", "retry/") else api.get

    assert listed(api) == []
    assert_problem(call(f"{TRANSCRIPTS}{transcript.pk}/{action}"), 404, "not_found")


def test_list_is_narrowed_by_several_statuses(api: APIClient) -> None:
    failed, partial = TranscriptFactory.create(failed=True), TranscriptFactory.create(partial=True)
    TranscriptFactory.create(completed=True)

    assert set(listed(api, status=["FAILED", "PARTIAL"])) == {str(failed.pk), str(partial.pk)}


def test_list_is_narrowed_by_recording_engine_and_time(api: APIClient) -> None:
    now = timezone.now()
    old = TranscriptFactory.create(engine="sphinx", created_at=now - timedelta(days=2))
    new = TranscriptFactory.create()
    yesterday = (now - timedelta(days=1)).isoformat()

    assert listed(api, engine="sphinx") == [str(old.pk)]
    assert listed(api, recording=new.recording_id) == [str(new.pk)]
    assert listed(api, created_after=yesterday) == [str(new.pk)]
    assert listed(api, created_before=yesterday) == [str(old.pk)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "DONE"),
        ("sort_by", "segments"),
        ("ordering", "created_at"),
        ("created_after", "yesterday"),
        ("recording", "x"),
    ],
)
def test_filter_that_makes_no_sense_is_refused(api: APIClient, name: str, value: str) -> None:
    problem = assert_problem(api.get(TRANSCRIPTS, {name: value}), 400, "invalid")

    assert name in problem["errors"]


def test_list_asks_the_database_as_often_for_many_as_for_one(api: APIClient) -> None:
    TranscriptFactory.create(completed=True)
    few = queries_of(lambda: api.get(TRANSCRIPTS))

    TranscriptFactory.create_batch(5, partial=True)
    many = queries_of(lambda: api.get(TRANSCRIPTS))

    assert len(many) == len(few)
    assert not [sql for sql in many if '"segments"' in sql or '"text"' in sql]
