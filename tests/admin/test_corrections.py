"""The page on which staff correct a transcript."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from processing.models import Document, Transcript
from tests.factories.processing import ProcessingTaskFactory

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
