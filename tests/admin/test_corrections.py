"""The page on which staff correct a transcript."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from processing.choices import Role
from processing.models import AuditEvent, Document, Membership, Transcript
from tests.factories.processing import ProcessingTaskFactory, WorkspaceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def transcript() -> Transcript:
    run = ProcessingTaskFactory.create(completed=True)
    return Transcript.objects.get(pk=run.transcript_id)


def address(transcript: Transcript) -> str:
    return reverse("admin:processing_transcript_correct", args=[transcript.pk])


def correct(client: Client, transcript: Transcript, text: str, *, version: int = 1) -> Any:
    fields = {"segment-0": text, "version": version, "page": 1}
    return client.post(address(transcript), fields, follow=True)


def test_the_page_has_a_field_for_each_segment(
    admin_client: Client, transcript: Transcript
) -> None:
    text = admin_client.get(address(transcript)).content.decode()

    assert text.count("<textarea") == len(transcript.segments)


def test_a_corrected_segment_is_stored_and_its_words_keep_their_times(
    admin_client: Client, transcript: Transcript
) -> None:
    before = transcript.segments[0]["words"]
    words = [word["word"] for word in before]

    correct(admin_client, transcript, " ".join([*words[:-1], "corrected"]))

    transcript.refresh_from_db()
    after = transcript.segments[0]["words"]
    assert after[0] == before[0]
    assert after[-1]["word"] == "corrected"
    assert Document.objects.get(transcript=transcript).version == 2


def test_what_somebody_else_corrected_meanwhile_is_not_overwritten(
    admin_client: Client, transcript: Transcript
) -> None:
    correct(admin_client, transcript, "the first correction")

    answer = correct(admin_client, transcript, "the second correction")

    transcript.refresh_from_db()
    assert transcript.segments[0]["text"] == "the first correction"
    assert "the second correction" in answer.content.decode()  # is still there to be sent again


def test_a_page_that_is_sent_unchanged_changes_nothing(
    admin_client: Client, transcript: Transcript
) -> None:
    correct(admin_client, transcript, transcript.segments[0]["text"])

    assert not Document.objects.filter(version__gt=1).exists()


def test_who_may_not_change_transcripts_may_not_correct_them(transcript: Transcript) -> None:
    client = Client()
    client.force_login(User.objects.create_user("clerk", is_staff=True))

    assert client.get(address(transcript)).status_code == 403


def test_what_is_not_heard_yet_cannot_be_corrected(admin_client: Client) -> None:
    run = ProcessingTaskFactory.create(processing=True)

    assert admin_client.get(address(run.transcript)).status_code == 404


# One segment, where it is


def send(client: Client, transcript: Transcript, index: int = 0, **fields: Any) -> Any:
    segment = reverse("admin:processing_transcript_segment", args=[transcript.pk, index])
    return client.post(segment, {"version": 1, **fields})


def test_a_segment_is_corrected_where_it_is(admin_client: Client, transcript: Transcript) -> None:
    said = transcript.segments[0]["text"]

    answer = send(admin_client, transcript, text=f"{said} indeed").json()

    transcript.refresh_from_db()
    assert transcript.segments[0]["text"] == f"{said} indeed"
    assert answer["version"] == 2
    assert 'class="word corrected"' in answer["line"]
    assert "Corrected word <b>1</b>" in answer["legend"]


def test_words_that_stay_keep_their_times_on_the_page(
    admin_client: Client, transcript: Transcript
) -> None:
    first = transcript.segments[0]["words"][0]

    line = send(admin_client, transcript, text=f"{first['word']} indeed").json()["line"]

    times = f'data-start="{first["start"]}" data-end="{first["end"]}"'
    assert f'<span class="word" {times}>{first["word"]}</span>' in line


def test_who_speaks_is_corrected_without_the_text(
    admin_client: Client, transcript: Transcript
) -> None:
    line = send(admin_client, transcript, speaker="<Ann>").json()["line"]

    assert '<b class="speaker">&lt;Ann&gt;</b>' in line
    assert "corrected" not in line


def test_a_segment_without_text_is_gone(admin_client: Client, transcript: Transcript) -> None:
    count = len(transcript.segments)

    answer = send(admin_client, transcript, text=" ").json()

    transcript.refresh_from_db()
    assert answer["line"] is None
    assert len(transcript.segments) == count - 1


def test_who_was_slower_is_told_who_changed_what(
    admin_client: Client, transcript: Transcript, admin_user: User
) -> None:
    send(admin_client, transcript, text="the first correction")

    refused = send(admin_client, transcript, text="the second correction")

    answer = refused.json()
    transcript.refresh_from_db()
    assert refused.status_code == 409
    assert transcript.segments[0]["text"] == answer["said"] == "the first correction"
    assert answer["version"] == 2
    assert admin_user.get_username() in answer["detail"]


@pytest.mark.parametrize(
    ("index", "fields"),
    [
        pytest.param(99, {"text": "so"}, id="no such segment"),
        pytest.param(0, {"text": "x" * 20_001}, id="too long"),
        pytest.param(0, {}, id="nothing"),
    ],
)
def test_what_is_no_correction_is_refused_with_a_reason(
    admin_client: Client, transcript: Transcript, index: int, fields: dict[str, str]
) -> None:
    refused = send(admin_client, transcript, index, **fields)

    assert refused.status_code == 400
    assert refused.json()["detail"].startswith("Nothing was changed: ")


def test_a_correction_leaves_an_audit_event(
    admin_client: Client, transcript: Transcript, admin_user: User
) -> None:
    send(admin_client, transcript, text="corrected")

    event = AuditEvent.objects.get(action="admin.transcript.correct")
    assert (event.object_id, event.actor) == (str(transcript.pk), admin_user)
    assert event.details == {"segment": 0, "version": 2}


@pytest.mark.parametrize(
    ("role", "is_theirs", "status"),
    [
        pytest.param(Role.EDITOR, False, 200, id="editor"),
        pytest.param(Role.VIEWER, False, 403, id="viewer"),
        pytest.param(Role.MANAGER, True, 404, id="of another workspace"),
    ],
)
def test_a_segment_is_corrected_by_those_who_may(
    transcript: Transcript, role: Role, is_theirs: bool, status: int
) -> None:
    workspace = WorkspaceFactory.create() if is_theirs else transcript.workspace
    user = User.objects.create_user("clerk", is_staff=True)
    Membership.objects.create(workspace=workspace, user=user, role=role)
    client = Client()
    client.force_login(user)

    assert send(client, transcript, text="corrected").status_code == status


def test_a_segment_is_not_corrected_by_looking(
    admin_client: Client, transcript: Transcript
) -> None:
    segment = reverse("admin:processing_transcript_segment", args=[transcript.pk, 0])

    assert admin_client.get(segment).status_code == 405


def test_a_segment_of_what_is_not_heard_yet_is_not_found(admin_client: Client) -> None:
    run = ProcessingTaskFactory.create(processing=True)

    assert send(admin_client, run.transcript, text="so").status_code == 404
