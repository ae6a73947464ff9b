"""Uploading, renaming and deleting recordings in the admin."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from jobs.models import Job
from processing.models import AuditEvent, ProcessingTask, Recording, Transcript, Workspace
from tests.factories.audio import silent_video_bytes, wav_bytes
from tests.factories.processing import RecordingFactory, TranscriptFactory
from tests.fakes.speech import ScriptedEngine

pytestmark = pytest.mark.django_db

ADD = reverse("admin:processing_recording_add")
LIST = reverse("admin:processing_recording_changelist")

SCRIPTED = "tests.fakes.speech.ScriptedEngine"
PROMPTED = "tests.admin.test_recordings.PromptedEngine"

StoredFiles = Callable[[], set[Path]]


class PromptedEngine(ScriptedEngine):
    """Is told what a recording is about."""

    name = "prompted"
    parameter_names = frozenset({"prompt", "hotwords"})


def upload(client: Client, content: bytes, name: str = "meeting.wav", **fields: str) -> Any:
    return client.post(ADD, {"file": SimpleUploadedFile(name, content), **fields})


def original_of(recording: Recording) -> str:
    return reverse("admin:processing_recording_original", args=[recording.pk])


def test_upload_leads_to_its_transcript(admin_client: Client, admin_user: User) -> None:
    response = upload(admin_client, wav_bytes(), engine="scripted", language="de")

    transcript = Transcript.objects.get()
    assert response.status_code == 302
    assert response["Location"] == reverse(
        "admin:processing_transcript_change", args=[transcript.pk]
    )
    assert (transcript.engine, transcript.language) == ("scripted", "de")
    assert (transcript.recording.name, transcript.recording.created_by) == (
        "meeting.wav",
        admin_user,
    )
    assert Job.objects.about(transcript.pk).count() == 1


def test_upload_asks_for_what_was_chosen(admin_client: Client, settings: LazySettings) -> None:
    settings.ENGINES = {**settings.ENGINES, "prompted": PROMPTED}
    fields = {"channels": "separate", "prompt": "A council meeting", "hotwords": "Longhand"}

    upload(admin_client, wav_bytes(), engine="prompted", **fields)

    assert Transcript.objects.get().parameters == fields


def test_upload_that_leaves_all_as_it_is_has_no_parameters(admin_client: Client) -> None:
    upload(admin_client, wav_bytes(), engine="scripted", channels="mixed", prompt="")

    assert Transcript.objects.get().parameters == {}


def test_form_names_the_engines_that_know_a_parameter(
    admin_client: Client, settings: LazySettings
) -> None:
    settings.ENGINES = {"scripted": SCRIPTED, "prompted": PROMPTED, "odd": "no_such_package.Engine"}

    page = admin_client.get(ADD).content.decode()

    assert "What the recording is about, in its language. For prompted." in page


def test_form_names_the_engine_that_is_asked_where_none_is_chosen(admin_client: Client) -> None:
    without = admin_client.get(ADD).content.decode()
    Workspace.objects.update_or_create(slug="default", defaults={"engines": ["scripted", "sphinx"]})

    preferred = admin_client.get(ADD).content.decode()

    assert "default (sphinx)" in without
    assert "default (scripted)" in preferred


def test_form_has_no_field_that_no_engine_knows(
    admin_client: Client, settings: LazySettings
) -> None:
    settings.ENGINES = {"scripted": SCRIPTED}

    page = admin_client.get(ADD).content.decode()

    assert 'name="channels"' in page
    assert 'name="prompt"' not in page
    assert 'name="hotwords"' not in page


def test_known_content_leads_to_the_transcript_that_exists(admin_client: Client) -> None:
    first = upload(admin_client, wav_bytes())

    again = upload(admin_client, wav_bytes(), "other.wav")

    assert again["Location"] == first["Location"]
    assert "stored before, as meeting.wav" in admin_client.get(again["Location"]).content.decode()
    assert ProcessingTask.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "fields", "field", "reason"),
    [
        pytest.param(b"hello " * 99, {}, "file", "not audio", id="not audio"),
        pytest.param(b"", {}, "file", "the file is empty", id="empty"),
        pytest.param(silent_video_bytes(), {}, "file", "no sound", id="video without sound"),
        pytest.param(wav_bytes(), {"engine": "oracle"}, "engine", "valid choice", id="engine"),
        pytest.param(
            wav_bytes(), {"language": "tlh"}, "language", "does not understand", id="language"
        ),
        pytest.param(
            wav_bytes(),
            {"engine": "scripted", "prompt": "A council meeting"},
            "engine",
            "scripted has no parameter prompt",
            id="parameter",
        ),
    ],
)
def test_what_is_refused_is_shown_at_its_field(
    admin_client: Client,
    stored_files: StoredFiles,
    content: bytes,
    fields: dict[str, str],
    field: str,
    reason: str,
) -> None:
    files = stored_files()

    response = upload(admin_client, content, **fields)

    assert response.status_code == 200
    assert reason in response.context["errors"][field][0]
    assert reason in response.content.decode()
    assert not Recording.objects.exists()
    assert stored_files() == files


@pytest.mark.parametrize("limit", [50_000, 1_000], ids=["while received", "by its length"])
def test_too_large_a_file_is_shown_at_its_field(
    admin_client: Client, settings: Any, stored_files: StoredFiles, limit: int
) -> None:
    settings.MAX_UPLOAD_BYTES = limit
    files = stored_files()

    response = upload(admin_client, wav_bytes(3.0))

    assert response.status_code == 200
    assert f"the limit is {limit:,} bytes" in response.content.decode()
    assert stored_files() == files
    # A browser shows the answer only when it could send everything.
    assert len(response.wsgi_request.environ["wsgi.input"]) == 0


def test_upload_without_a_file_says_so(admin_client: Client) -> None:
    response = admin_client.post(ADD, {"engine": ""})

    assert response.context["errors"]["file"] == ["This field is required."]


def test_a_script_is_told_where_its_upload_leads(admin_client: Client) -> None:
    form = {"file": SimpleUploadedFile("meeting.wav", wav_bytes()), "engine": "scripted"}

    answer = admin_client.post(ADD, form, headers={"Accept": "application/json"})

    page = reverse("admin:processing_transcript_change", args=[Transcript.objects.get().pk])
    assert answer.status_code == 201
    assert answer.json() == {"address": page, "message": "meeting.wav was stored."}
    assert AuditEvent.objects.get().action == "admin.recording.create"


def test_a_script_is_told_why_its_upload_was_refused(admin_client: Client) -> None:
    form = {"file": SimpleUploadedFile("notes.wav", b"hello " * 99)}

    answer = admin_client.post(ADD, form, headers={"Accept": "application/json"})

    assert answer.status_code == 400
    assert "not audio" in answer.json()["errors"]["file"][0]


def test_the_original_is_downloaded_as_it_was_uploaded(admin_client: Client) -> None:
    recording = RecordingFactory.create(name='Board "meeting".wav', content=wav_bytes())

    answer = admin_client.get(original_of(recording))

    assert b"".join(answer.streaming_content) == wav_bytes()  # type: ignore[attr-defined]
    assert answer["Content-Disposition"].startswith("attachment;")


def test_a_file_that_is_not_there_any_more_is_not_found(admin_client: Client) -> None:
    recording = RecordingFactory.create()
    recording.file.storage.delete(str(recording.file.name))

    assert admin_client.get(original_of(recording)).status_code == 404


def test_nobody_downloads_from_a_workspace_that_is_not_theirs(client: Client) -> None:
    user = User.objects.create_user("ann", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_recording"))
    client.force_login(user)

    assert client.get(original_of(RecordingFactory.create())).status_code in (403, 404)


def test_the_page_shows_each_transcript_and_how_it_is_doing(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    recording = TranscriptFactory.create(completed=True).recording
    TranscriptFactory.create(recording=recording, failed=True, engine="sphinx")

    with django_assert_max_num_queries(12):
        page = admin_client.get(
            reverse("admin:processing_recording_change", args=[recording.pk])
        ).content.decode()

    assert "badge-completed" in page
    assert "badge-failed" in page
    assert "sphinx" in page


def test_upload_needs_the_token_of_its_form(admin_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)

    refused = upload(client, wav_bytes())
    token = client.get(ADD).cookies["csrftoken"].value
    accepted = upload(client, wav_bytes(), csrfmiddlewaretoken=token)

    assert (refused.status_code, accepted.status_code) == (403, 302)
    assert Recording.objects.count() == 1


def test_upload_needs_a_permission(client: Client, django_user_model: type[User]) -> None:
    client.force_login(django_user_model.objects.create_user("viewer", is_staff=True))

    assert upload(client, wav_bytes()).status_code == 403
    assert not Recording.objects.exists()


def test_only_the_name_is_changed(admin_client: Client) -> None:
    recording = RecordingFactory.create()
    address = reverse("admin:processing_recording_change", args=[recording.pk])

    admin_client.post(address, {"name": "Board meeting", "sha256": "0" * 64, "channels": 8})

    sha256 = recording.sha256
    recording.refresh_from_db()
    assert (recording.name, recording.sha256, recording.channels) == ("Board meeting", sha256, 1)


def test_name_is_shown_as_text(admin_client: Client) -> None:
    TranscriptFactory.create(recording__name="<b>x</b>")

    assert "&lt;b&gt;x&lt;/b&gt;" in admin_client.get(LIST).content.decode()


def test_deleting_says_what_goes_with_it(admin_client: Client) -> None:
    recording = TranscriptFactory.create(completed=True).recording

    page = admin_client.get(reverse("admin:processing_recording_delete", args=[recording.pk]))

    assert page.context["model_count"] == {"recordings": 1, "transcripts": 1}.items()
    assert not page.context["perms_lacking"]


def test_deleting_takes_the_file_too(
    admin_client: Client,
    stored_files: StoredFiles,
    django_capture_on_commit_callbacks: Any,
) -> None:
    files = stored_files()
    recording = TranscriptFactory.create(completed=True).recording
    address = reverse("admin:processing_recording_delete", args=[recording.pk])

    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(address, {"post": "yes"})

    assert not Recording.objects.exists()
    assert stored_files() == files


def test_deleting_several_takes_their_files_too(
    admin_client: Client,
    stored_files: StoredFiles,
    django_capture_on_commit_callbacks: Any,
) -> None:
    files = stored_files()
    recordings = RecordingFactory.create_batch(2)
    selection = {
        "action": "delete_selected",
        "_selected_action": [str(recording.pk) for recording in recordings],
        "confirmed": "yes",
    }

    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(LIST, selection)

    assert not Recording.objects.exists()
    assert stored_files() == files
