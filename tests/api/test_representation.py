"""How much of an answer goes over the wire: what is wanted, what is new, and compressed."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory
from rest_framework.test import APIClient

from config.middleware import Compression
from processing.models import Document, Transcript
from tests.factories.jobs import JobFactory
from tests.factories.knowledge import DocumentFactory, SummaryFactory
from tests.factories.processing import RecordingFactory, TranscriptFactory, WorkspaceFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

RECORDINGS, TRANSCRIPTS = "/api/v1/recordings/", "/api/v1/transcripts/"
DOCUMENTS, JOBS = "/api/v1/documents/", "/api/v1/jobs/"


@pytest.fixture
def transcript() -> Transcript:
    return TranscriptFactory.create(completed=True)


def items(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.content
    found: list[dict[str, Any]] = response.json()["items"]
    return found


def refusal(response: Any, name: str) -> str:
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert response["Content-Type"] == "application/problem+json"
    [reason] = response.json()["errors"][name]
    return str(reason)


def test_a_list_has_only_the_fields_that_are_wanted(api: APIClient, transcript: Transcript) -> None:
    assert items(api.get(TRANSCRIPTS, {"fields": "id,status"})) == [
        {"id": str(transcript.pk), "status": "COMPLETED"}
    ]


def test_so_have_details(api: APIClient, transcript: Transcript) -> None:
    answer = api.get(f"{TRANSCRIPTS}{transcript.pk}/", {"fields": ["id", "text,seam_count"]})

    assert list(answer.json()) == ["id", "seam_count", "text"]


def test_so_have_jobs_which_know_nothing_of_it(api: APIClient) -> None:
    job = JobFactory.create()

    assert items(api.get(JOBS, {"fields": "id"})) == [{"id": str(job.pk)}]
    assert api.get(f"{JOBS}{job.pk}/", {"fields": "status"}).json() == {"status": "QUEUED"}


@pytest.mark.parametrize("has_rows", [True, False], ids=["rows", "no rows"])
def test_a_list_names_the_fields_that_it_has(api: APIClient, has_rows: bool) -> None:
    if has_rows:
        RecordingFactory.create()

    reason = refusal(api.get(RECORDINGS, {"fields": "id,secret"}), "fields")

    assert reason.startswith("Unknown: secret; known: id, name, sha256, ")


def test_details_name_the_fields_that_they_have(api: APIClient, transcript: Transcript) -> None:
    reason = refusal(api.get(f"{TRANSCRIPTS}{transcript.pk}/", {"fields": "words"}), "fields")

    assert "segments" in reason


def test_problems_have_all_their_fields(api: APIClient) -> None:
    answer = api.get(f"{RECORDINGS}nothing/", {"fields": "status"})

    assert answer.json()["code"] == "not_found"


def test_transcripts_come_with_recording_and_document(
    api: APIClient, transcript: Transcript
) -> None:
    document = DocumentFactory.create(transcript=transcript)
    TranscriptFactory.create()

    asked = {"expand": "recording,document", "sort_order": "asc"}
    first, second = items(api.get(TRANSCRIPTS, asked))

    assert first["recording"]["name"] == transcript.recording.name
    assert first["document"]["id"] == str(document.pk)
    assert second["recording"]["id"] != first["recording"]["id"]
    assert second["document"] is None


def test_documents_come_with_transcript_and_latest_summary(
    api: APIClient, transcript: Transcript
) -> None:
    document = DocumentFactory.create(transcript=transcript)
    SummaryFactory.create(document=document, completed=True, text="old")
    latest = SummaryFactory.create(document=document, completed=True, text="new")

    answer = api.get(f"{DOCUMENTS}{document.pk}/", {"expand": ["transcript", "summary"]}).json()

    assert answer["transcript"]["status"] == "COMPLETED"
    assert (answer["summary"]["id"], answer["summary"]["text"]) == (str(latest.pk), "new")


def test_what_is_of_another_workspace_is_not_put_in(api: APIClient) -> None:
    document = DocumentFactory.create()
    SummaryFactory.create(document=document, workspace=WorkspaceFactory.create(), completed=True)

    answer = api.get(f"{DOCUMENTS}{document.pk}/", {"expand": "summary"})

    assert answer.json()["summary"] is None


def test_expanding_more_rows_asks_the_database_no_more(api: APIClient) -> None:
    def ask() -> Any:
        return items(api.get(TRANSCRIPTS, {"expand": "recording,document"}))

    def make() -> Document:
        return DocumentFactory.create(transcript=TranscriptFactory.create(completed=True))

    make()
    ask()
    few = queries_of(ask)
    make(), make(), make()
    many = queries_of(ask)

    assert len(ask()) == 4
    assert len(many) == len(few)


def test_what_is_not_wanted_is_not_expanded(api: APIClient, transcript: Transcript) -> None:
    plain = queries_of(lambda: api.get(TRANSCRIPTS, {"fields": "id"}))
    asked = {"fields": "id", "expand": "recording"}

    assert len(queries_of(lambda: api.get(TRANSCRIPTS, asked))) == len(plain)
    assert items(api.get(TRANSCRIPTS, asked)) == [{"id": str(transcript.pk)}]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (TRANSCRIPTS, "Unknown: owner; known: recording, document."),
        (RECORDINGS, "This list does not know it, but "),
    ],
)
def test_only_what_can_be_expanded_is(
    api: APIClient, transcript: Transcript, path: str, reason: str
) -> None:
    assert refusal(api.get(path, {"expand": "owner"}), "expand").startswith(reason)


@pytest.mark.parametrize("path", ["", "export/?format=srt", "export/?format=json"])
def test_what_is_known_is_not_sent_again(api: APIClient, transcript: Transcript, path: str) -> None:
    address = f"{TRANSCRIPTS}{transcript.pk}/{path}"
    first = api.get(address)

    again = api.get(address, headers={"If-None-Match": first["ETag"]})
    zipped = api.get(address, headers={"Accept-Encoding": "gzip"})
    known = api.get(address, headers={"If-None-Match": zipped["ETag"], "Accept-Encoding": "gzip"})

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert known.status_code == 304
    assert "X-Request-Id" in again


def test_what_has_changed_is_sent(api: APIClient) -> None:
    document = DocumentFactory.create()
    tag = api.get(f"{DOCUMENTS}{document.pk}/")["ETag"]

    api.patch(f"{DOCUMENTS}{document.pk}/", {"title": "Changed"}, format="json")
    answer = api.get(f"{DOCUMENTS}{document.pk}/", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.json()["title"]) == (200, "Changed")


def test_answers_are_compressed_for_whoever_reads_that(
    api: APIClient, transcript: Transcript
) -> None:
    plain = api.get(TRANSCRIPTS)
    zipped = api.get(TRANSCRIPTS, headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in plain
    assert zipped["Content-Encoding"] == "gzip"
    assert len(zipped.content) < len(plain.content)
    answer = json.loads(gzip.decompress(zipped.content))
    assert answer["items"][0]["id"] == str(transcript.pk)


def test_events_are_not_compressed() -> None:
    def events() -> Iterator[str]:
        yield "data: " + "a" * 1000

    stream = StreamingHttpResponse(events(), content_type="text/event-stream; charset=utf-8")
    request = RequestFactory().get("/", headers={"Accept-Encoding": "gzip"})

    answer: Any = Compression(lambda request: stream)(request)
    page: Any = Compression(lambda request: HttpResponse("a" * 1000))(request)

    assert "Content-Encoding" not in answer.headers
    assert page.headers["Content-Encoding"] == "gzip"
