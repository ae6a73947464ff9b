"""Correcting transcripts by API, and reading what they said before."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from processing.models import DocumentVersion, Transcript
from tests.api.conftest import TRANSCRIPTS
from tests.factories.knowledge import DocumentFactory
from tests.factories.processing import TranscriptFactory, WorkspaceFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def transcript() -> Transcript:
    """Two segments: "so it" and "was said"."""
    row: Transcript = TranscriptFactory.create(completed=True)
    DocumentFactory.create(transcript=row)
    return row


def correct(api: APIClient, transcript: Transcript, **body: Any) -> Any:
    body = {"version": 1, "changes": [{"segment": 0, "text": "and it"}]} | body
    return api.post(f"{TRANSCRIPTS}{transcript.pk}/corrections/", body, format="json")


def versions_of(transcript: Transcript) -> str:
    return f"{TRANSCRIPTS}{transcript.pk}/versions/"


def test_a_correction_answers_the_new_version(api: APIClient, transcript: Transcript) -> None:
    answer = correct(api, transcript, note="misheard")

    assert answer.status_code == 200
    assert answer.json() == {
        "transcript": str(transcript.pk),
        "document": str(transcript.document.pk),
        "version": 2,
        "links": {
            "transcript": f"http://testserver{TRANSCRIPTS}{transcript.pk}/",
            "versions": f"http://testserver{versions_of(transcript)}",
        },
    }
    shown = api.get(f"{TRANSCRIPTS}{transcript.pk}/").json()
    assert shown["text"] == "and it was said"
    assert shown["segments"][0]["words"][0]["is_corrected"] is True


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param({"version": 2}, 409, "outdated", id="another version"),
        pytest.param(
            {"changes": [{"segment": 0, "text": "so it"}]}, 409, "nothing_to_do", id="no change"
        ),
        pytest.param(
            {"changes": [{"segment": 9, "text": "x"}]}, 400, "invalid_correction", id="no segment"
        ),
        pytest.param({"changes": []}, 400, "invalid", id="none"),
        pytest.param({"changes": [{"segment": 0}]}, 400, "invalid", id="neither text nor speaker"),
        pytest.param({"changes": [{"segment": -1, "text": "x"}]}, 400, "invalid", id="below all"),
        pytest.param(
            {"changes": [{"segment": 0, "text": "a\0b"}]}, 400, "invalid", id="a null character"
        ),
        pytest.param(
            {"changes": [{"segment": 0, "text": "x" * 20_001}]}, 400, "invalid", id="too long"
        ),
        pytest.param({"changes": "all"}, 400, "invalid", id="no list"),
        pytest.param({"version": "newest"}, 400, "invalid", id="no version"),
    ],
)
def test_what_cannot_be_is_refused(
    api: APIClient, transcript: Transcript, body: dict[str, Any], status: int, code: str
) -> None:
    answer = correct(api, transcript, **body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not DocumentVersion.objects.exists()


def test_versions_are_listed_newest_first_in_constant_queries(
    api: APIClient, transcript: Transcript
) -> None:
    correct(api, transcript, note="one")
    few = len(queries_of(lambda: api.get(versions_of(transcript))))
    correct(api, transcript, version=2, changes=[{"segment": 0, "text": "yet it"}], note="two")

    many = queries_of(lambda: api.get(versions_of(transcript)))

    items = api.get(versions_of(transcript)).json()["items"]
    assert [(item["number"], item["note"]) for item in items] == [(2, "two"), (1, "one")]
    assert items[0]["replaced_by"] == "admin"
    assert "segments" not in items[0]
    assert len(many) == few


def test_a_version_has_what_was_said_then(api: APIClient, transcript: Transcript) -> None:
    correct(api, transcript)

    version = api.get(f"{versions_of(transcript)}1/").json()

    assert version["text"] == "so it was said"
    assert [segment["text"] for segment in version["segments"]] == ["so it", "was said"]
    assert list(version["segments"][0]) == ["start", "end", "text", "words"]


def test_a_version_can_be_had_back(api: APIClient, transcript: Transcript) -> None:
    correct(api, transcript)

    answer = api.post(f"{versions_of(transcript)}1/restore/", {"version": 2}, format="json")

    assert (answer.status_code, answer.json()["version"]) == (200, 3)
    transcript.refresh_from_db()
    assert transcript.text == "so it was said"


def test_a_version_is_not_had_back_over_what_was_corrected_since(
    api: APIClient, transcript: Transcript
) -> None:
    correct(api, transcript)

    answer = api.post(f"{versions_of(transcript)}1/restore/", {"version": 1}, format="json")

    assert (answer.status_code, answer.json()["code"]) == (409, "outdated")


def test_a_transcript_of_another_workspace_is_not_there(api: APIClient) -> None:
    other = TranscriptFactory.create(completed=True, recording__workspace=WorkspaceFactory.create())

    assert correct(api, other).status_code == 404
    assert api.get(versions_of(other)).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"{TRANSCRIPTS}no-id/versions/", id="no id"),
        pytest.param(f"{TRANSCRIPTS}{{pk}}/versions/7/", id="no such version"),
        pytest.param(f"{TRANSCRIPTS}{{pk}}/versions/first/", id="no number"),
    ],
)
def test_what_is_not_there_is_not_found(api: APIClient, transcript: Transcript, path: str) -> None:
    assert api.get(path.format(pk=transcript.pk)).status_code == 404


def test_viewers_correct_nothing(viewer: APIClient, transcript: Transcript) -> None:
    correction = correct(viewer, transcript)
    DocumentVersion.objects.create(document=transcript.document, number=1)

    restored = viewer.post(f"{versions_of(transcript)}1/restore/", {"version": 2}, format="json")

    assert (correction.status_code, restored.status_code) == (403, 403)


def test_nobody_corrects_without_logging_in(client: Client, transcript: Transcript) -> None:
    assert client.post(f"{TRANSCRIPTS}{transcript.pk}/corrections/").status_code == 401


def test_who_asks_what_can_be_corrected_is_told(api: APIClient, transcript: Transcript) -> None:
    answer = api.options(f"{TRANSCRIPTS}{transcript.pk}/corrections/")

    assert answer.status_code == 200
    assert answer.json()["actions"]["POST"].keys() == {"version", "note", "changes"}
