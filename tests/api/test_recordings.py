"""Uploading, listing and reading recordings."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import TestCase
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.choices import JobPriority
from jobs.models import Job
from processing.models import ProcessingTask, Recording, Transcript
from tests.api.conftest import RECORDINGS
from tests.factories.audio import silent_video_bytes, wav_bytes
from tests.factories.processing import RecordingFactory, TranscriptFactory, WorkspaceFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

Upload = Callable[..., Any]
StoredFiles = Callable[[], set[Path]]


def one_hertz_wav() -> bytes:
    header = bytearray(wav_bytes())
    header[24:28] = (1).to_bytes(4, "little")
    return bytes(header)


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (problem["status"], problem["code"]) == (status, code)
    return problem


def test_upload_is_stored_and_its_transcript_asked_for(upload: Upload, admin_user: User) -> None:
    content = wav_bytes()

    response = upload(content, "board meeting.wav", engine="scripted", language="de")

    body = response.json()
    recording = Recording.objects.get()
    transcript = Transcript.objects.get()
    assert response.status_code == 201
    assert response["Location"] == f"http://testserver{RECORDINGS}{recording.pk}/"
    assert body["name"] == "board meeting.wav"
    assert body["sha256"] == recording.sha256 == hashlib.sha256(content).hexdigest()
    assert (body["container"], body["duration_seconds"]) == ("wav", 2.0)
    assert body["transcript"] == body["transcripts"][0]
    assert UUID(body["transcript"]["id"]) == transcript.pk
    assert (body["transcript"]["status"], body["transcript"]["language"]) == ("PENDING", "de")
    assert recording.created_by == admin_user
    assert Job.objects.about(transcript.pk).count() == 1
    assert Path(recording.file.path).read_bytes() == content


def test_links_of_an_upload_lead_to_what_they_name(upload: Upload, api: APIClient) -> None:
    body = upload(wav_bytes()).json()

    links = body["transcript"]["links"]

    assert api.get(body["links"]["self"]).json()["id"] == body["id"]
    assert api.get(links["self"]).json()["id"] == body["transcript"]["id"]
    assert api.get(links["recording"]).json()["id"] == body["id"]
    assert api.get(links["export"]).status_code == 409
    assert api.get(links["partial"]).json()["id"] == body["transcript"]["id"]
    assert api.post(links["retry"]).json()["id"] == body["transcript"]["id"]
    assert api.post(links["cancel"]).json()["status"] == "CANCELLED"


def test_same_content_again_answers_the_recording_that_exists(
    upload: Upload, stored_files: StoredFiles
) -> None:
    first = upload(wav_bytes(), "one.wav").json()
    files = stored_files()

    again = upload(wav_bytes(), "two.wav")

    assert again.status_code == 200
    assert again.json() == first
    assert stored_files() == files
    assert ProcessingTask.objects.count() == 1


def test_another_language_of_the_same_content_is_another_transcript(upload: Upload) -> None:
    upload(wav_bytes(), engine="scripted", language="en")

    body = upload(wav_bytes(), engine="scripted", language="de").json()

    assert body["transcript"]["language"] == "de"
    assert {transcript["language"] for transcript in body["transcripts"]} == {"en", "de"}


def test_parameters_and_priority_are_part_of_what_is_asked(upload: Upload) -> None:
    response = upload(
        wav_bytes(),
        engine="scripted",
        parameters='{"channels": "separate", "beam": 5}',
        priority="4",
    )

    transcript = Transcript.objects.get()
    assert response.status_code == 201
    assert transcript.parameters == {"channels": "separate", "beam": 5}
    assert transcript.latest_processing.priority == JobPriority.URGENT
    assert Job.objects.about(transcript.pk).get().priority == JobPriority.URGENT


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        pytest.param('{"prompt": "x"}', "scripted has no parameter prompt", id="unknown name"),
        pytest.param('{"channels": "left"}', "mixed, separate", id="unknown value"),
    ],
)
def test_parameter_nobody_knows_is_refused_before_anything_is_stored(
    upload: Upload, stored_files: StoredFiles, parameters: str, reason: str
) -> None:
    files = stored_files()

    response = upload(wav_bytes(), engine="scripted", parameters=parameters)

    assert reason in assert_problem(response, 400, "unknown_parameter")["detail"]
    assert not Recording.objects.exists()
    assert stored_files() == files


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="a list"),
        pytest.param('"x"', id="a string"),
        pytest.param("null", id="null"),
        pytest.param('{"beam": {"a": 1}}', id="an object inside"),
        pytest.param('{"beam": [[1]]}', id="a list inside a list"),
        pytest.param('{"beam": NaN}', id="not a number"),
        pytest.param('{"beam": 1e999}', id="infinite"),
        pytest.param('{"beam": "a\\u0000b"}', id="null character"),
        pytest.param('{"beam": "\\ud800"}', id="half a letter"),
        pytest.param("[" * 100_000, id="nested too deeply"),
        pytest.param('{"beam": ' + "9" * 5_000 + "}", id="too many digits"),
    ],
)
def test_parameters_that_no_row_can_hold_are_refused(upload: Upload, parameters: str) -> None:
    problem = assert_problem(upload(wav_bytes(), parameters=parameters), 400, "invalid")

    assert list(problem["errors"]) == ["parameters"]


def test_backslash_before_u0000_is_only_text(upload: Upload) -> None:
    response = upload(wav_bytes(), engine="scripted", parameters=r'{"beam": "a\\u0000b"}')

    assert response.status_code == 201
    assert Transcript.objects.get().parameters == {"beam": r"a\u0000b"}


@pytest.mark.parametrize("priority", ["0", "5", "high"])
def test_priority_nobody_knows_is_refused(upload: Upload, priority: str) -> None:
    problem = assert_problem(upload(wav_bytes(), priority=priority), 400, "invalid")

    assert list(problem["errors"]) == ["priority"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"hello " * 100, "not audio", id="not audio"),
        pytest.param(b"", "empty", id="empty"),
        pytest.param(silent_video_bytes(), "no sound", id="video without sound"),
        pytest.param(one_hertz_wav(), "1 samples per second", id="declares 1 Hz"),
        pytest.param(b"#EXTM3U\nhttp://127.0.0.1/a.wav\n", "not audio", id="playlist"),
        pytest.param(b"ffconcat version 1.0\nfile /etc/passwd\n", "not audio", id="concat list"),
    ],
)
def test_what_is_not_audio_is_refused_and_leaves_nothing(
    upload: Upload, stored_files: StoredFiles, content: bytes, reason: str
) -> None:
    files = stored_files()

    problem = assert_problem(upload(content), 415, "unreadable_audio")

    assert reason in problem["detail"]
    assert not Recording.objects.exists()
    assert stored_files() == files


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({"engine": "oracle"}, "unknown_engine", id="engine"),
        pytest.param({"language": "tlh"}, "unsupported_language", id="language"),
    ],
)
def test_unknown_engine_or_language_is_refused_before_anything_is_stored(
    upload: Upload, stored_files: StoredFiles, fields: dict[str, str], code: str
) -> None:
    files = stored_files()

    assert_problem(upload(wav_bytes(), **fields), 400, code)

    assert not Recording.objects.exists()
    assert stored_files() == files


def test_file_over_the_limit_is_refused_while_it_is_received(
    upload: Upload, settings: Any, stored_files: StoredFiles
) -> None:
    settings.MAX_UPLOAD_BYTES = 10_000
    files = stored_files()

    problem = assert_problem(upload(wav_bytes(1.0)), 413, "too_large")

    assert "10,000" in problem["detail"]
    assert not Recording.objects.exists()
    assert stored_files() == files


def test_file_of_just_the_limit_is_accepted(upload: Upload, settings: Any) -> None:
    content = wav_bytes()
    settings.MAX_UPLOAD_BYTES = len(content)

    assert upload(content).status_code == 201


def test_body_that_says_it_is_over_the_limit_is_refused_unread(
    api: APIClient, settings: Any
) -> None:
    settings.MAX_UPLOAD_BYTES = 10_000

    # There is no body: a read would fail the test client's own assertion.
    response = api.generic(
        "POST",
        RECORDINGS,
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH="99999999",
    )

    assert_problem(response, 413, "too_large")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("two\nlines\r\n.wav", "two lines  .wav", id="newlines"),
        pytest.param("concat:a.wav|b.wav", "concat:a.wav|b.wav", id="concat protocol"),
        pytest.param("a meeting.wav", "a meeting.wav", id="spaces"),
        pytest.param("<script>.wav", "<script>.wav", id="markup"),
        pytest.param("", "meeting.wav", id="empty"),
    ],
)
def test_name_is_only_ever_shown(upload: Upload, name: str, shown: str) -> None:
    response = upload(wav_bytes(), name=name)

    recording = Recording.objects.get()
    assert response.json()["name"] == recording.name == shown
    assert UUID(Path(recording.file.path).name)


@pytest.mark.parametrize(
    "file_name",
    [
        pytest.param("http:example.org.wav", id="http"),
        pytest.param("concat:a|b", id="concat"),
        pytest.param("é" * 120 + ".wav", id="long in bytes"),
        pytest.param("a." + "x" * 240, id="long extension"),
    ],
)
def test_file_name_of_the_client_never_reaches_the_disk(upload: Upload, file_name: str) -> None:
    response = upload(wav_bytes(), file_name)

    assert response.status_code == 201
    assert response.json()["name"] == file_name
    assert UUID(Path(Recording.objects.get().file.path).name)


def test_null_character_in_a_field_is_refused(upload: Upload) -> None:
    problem = assert_problem(upload(wav_bytes(), name="a\0b"), 400, "invalid")

    assert "name" in problem["errors"]


def test_upload_without_a_file_is_refused(api: APIClient) -> None:
    problem = assert_problem(api.post(RECORDINGS, {"name": "x"}), 400, "invalid")

    assert "file" in problem["errors"]


def test_body_that_is_not_a_form_is_refused(api: APIClient) -> None:
    response = api.post(RECORDINGS, b"{", content_type="application/json")

    assert_problem(response, 415, "unsupported_media_type")


def test_form_without_a_boundary_is_refused(api: APIClient) -> None:
    response = api.post(RECORDINGS, b"x", content_type="multipart/form-data")

    assert_problem(response, 400, "parse_error")


def test_form_with_too_large_a_field_is_refused(api: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000

    assert_problem(api.post(RECORDINGS, {"name": "x" * 2_000}), 413, "refused")


def test_body_of_unannounced_length_is_refused(api: APIClient) -> None:
    response = api.post(RECORDINGS, {}, HTTP_TRANSFER_ENCODING="chunked")

    assert_problem(response, 411, "length_required")


def test_without_a_login_nothing_is_answered(client: Any) -> None:
    response = client.get(RECORDINGS)

    assert_problem(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_who_is_no_member_is_refused(django_user_model: type[User]) -> None:
    client = APIClient()
    client.force_authenticate(django_user_model.objects.create_user("guest"))

    assert_problem(client.get(RECORDINGS), 403, "no_workspace")


def test_recordings_are_not_replaced(api: APIClient) -> None:
    recording = RecordingFactory.create()

    response = api.put(f"{RECORDINGS}{recording.pk}/")

    assert_problem(response, 405, "method_not_allowed")


def test_recording_is_deleted_with_all_that_came_of_it(
    api: APIClient, stored_files: Callable[[], set[Path]]
) -> None:
    transcript = TranscriptFactory.create(completed=True)

    with TestCase.captureOnCommitCallbacks(execute=True):
        response = api.delete(f"{RECORDINGS}{transcript.recording_id}/")

    assert response.status_code == 204
    assert not Transcript.objects.exists()
    assert Path(transcript.recording.file.path) not in stored_files()


def test_stored_recording_is_transcribed_again_by_another_engine(api: APIClient) -> None:
    transcript = TranscriptFactory.create(completed=True)
    asked = {"recording": str(transcript.recording_id), "engine": "sphinx"}

    response = api.post("/api/v1/transcripts/", asked, format="json")

    body = response.json()
    assert response.status_code == 202
    assert response.headers["Location"] == body["links"]["self"]
    assert (body["engine"], body["status"]) == ("sphinx", "PENDING")
    assert Transcript.objects.count() == 2


def test_transcript_that_is_there_is_answered_at_once(api: APIClient) -> None:
    recording = RecordingFactory.create()
    asked = {"recording": str(recording.pk), "engine": "scripted"}
    first = api.post("/api/v1/transcripts/", asked, format="json").json()
    ProcessingTask.objects.update(status="COMPLETED", completed_at=timezone.now())

    response = api.post("/api/v1/transcripts/", asked, format="json")

    assert (response.status_code, response.json()["id"]) == (200, first["id"])


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"recording": "x"}, 400, "invalid"),
        ({"recording": str(UUID(int=0))}, 404, "not_found"),
    ],
    ids=["nothing", "no id", "not there"],
)
def test_request_for_no_recording_is_refused(
    api: APIClient, asked: dict[str, str], status: int, code: str
) -> None:
    assert_problem(api.post("/api/v1/transcripts/", asked, format="json"), status, code)


@pytest.mark.parametrize(
    "path", ["recordings/nonsense/", f"recordings/{UUID(int=0)}/", "nothing/", "recordings/?page=9"]
)
def test_what_does_not_exist_is_a_problem_too(api: APIClient, path: str) -> None:
    assert_problem(api.get(f"/api/v1/{path}"), 404, "not_found")


def test_error_is_a_page_to_a_browser(api: APIClient) -> None:
    response = api.get(f"{RECORDINGS}nonsense/", HTTP_ACCEPT="text/html")

    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


def test_list_and_detail_show_the_same_recording(api: APIClient) -> None:
    transcript = TranscriptFactory.create(partial=True)

    page = api.get(RECORDINGS).json()
    detail = api.get(f"{RECORDINGS}{transcript.recording_id}/").json()

    assert (page["total"], page["items"]) == (1, [detail])
    assert detail["transcripts"][0]["status"] == "PARTIAL"


def test_recordings_of_another_workspace_do_not_exist(api: APIClient) -> None:
    foreign = RecordingFactory.create(workspace=WorkspaceFactory.create())

    assert api.get(RECORDINGS).json()["total"] == 0
    assert_problem(api.get(f"{RECORDINGS}{foreign.pk}/"), 404, "not_found")


def test_list_asks_the_database_as_often_for_many_as_for_one(api: APIClient) -> None:
    TranscriptFactory.create(completed=True)
    few = queries_of(lambda: api.get(RECORDINGS))

    TranscriptFactory.create_batch(5, completed=True)
    many = queries_of(lambda: api.get(RECORDINGS))

    assert len(many) == len(few)
    assert not [sql for sql in many if '"segments"' in sql or '"text"' in sql]


def test_list_is_ordered_by_what_is_allowed(api: APIClient) -> None:
    RecordingFactory.create(name="b")
    RecordingFactory.create(name="a")

    page = api.get(RECORDINGS, {"sort_by": "name", "sort_order": "asc"}).json()

    assert [item["name"] for item in page["items"]] == ["a", "b"]


def test_pages_of_equal_rows_neither_repeat_nor_miss_one(api: APIClient) -> None:
    ids = {str(recording.pk) for recording in RecordingFactory.create_batch(5, name="same")}

    pages = [
        api.get(RECORDINGS, {"sort_by": "name", "size": 2, "page": page}).json()["items"]
        for page in (1, 2, 3)
    ]

    seen = [item["id"] for items in pages for item in items]
    assert sorted(seen) == sorted(ids)


def test_ordering_by_anything_else_is_refused(api: APIClient) -> None:
    problem = assert_problem(api.get(RECORDINGS, {"sort_by": "file"}), 400, "invalid")

    assert "created_at or name or duration_seconds" in problem["errors"]["sort_by"][0]


def test_list_is_narrowed_by_name_and_content(api: APIClient) -> None:
    wanted = RecordingFactory.create(name="Board meeting")
    RecordingFactory.create(name="Interview")

    by_name = api.get(RECORDINGS, {"name": "board"}).json()["items"]
    by_content = api.get(RECORDINGS, {"sha256": wanted.sha256}).json()["items"]

    assert by_name == by_content
    assert [item["id"] for item in by_name] == [str(wanted.pk)]
