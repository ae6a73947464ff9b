"""Documents and topics through the API."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from jobs.models import Job
from processing.models import Document
from tests.factories.knowledge import (
    DocumentFactory,
    DocumentTopicFactory,
    TopicFactory,
)
from tests.factories.processing import HEARD, TranscriptFactory, WorkspaceFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

DOCUMENTS = "/api/v1/documents/"

StoredFiles = Callable[[], set[Path]]


def of(document: Document, path: str = "") -> str:
    return f"{DOCUMENTS}{document.pk}/{path}"


def ids(response: Any) -> set[UUID]:
    assert response.status_code == 200, response.content
    return {UUID(item["id"]) for item in response.json()["items"]}


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    problem: dict[str, Any] = response.json()
    assert problem["code"] == code
    return problem


@pytest.fixture
def upload(api: APIClient) -> Callable[..., Any]:
    """Post a file of given bytes, with the other fields of the form."""

    def post(content: bytes = b"Some text.", name: str = "minutes.txt", **fields: str) -> Any:
        return api.post(DOCUMENTS, {"file": SimpleUploadedFile(name, content), **fields})

    return post


def test_upload_is_stored_and_to_be_read(upload: Callable[..., Any], admin_user: User) -> None:
    response = upload(title="Minutes", language="en")

    body, document = response.json(), Document.objects.get()
    assert response.status_code == 201
    assert response["Location"] == body["links"]["self"] == f"http://testserver{of(document)}"
    assert (body["title"], body["language"], body["status"]) == ("Minutes", "en", "PENDING")
    assert (body["kind"], body["error"], body["topics"]) == ("UPLOAD", None, [])
    assert document.created_by == admin_user
    assert Job.objects.about(document.pk).count() == 1


def test_same_content_again_is_the_same_document(upload: Callable[..., Any]) -> None:
    first = upload()

    again = upload(name="other.txt")

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


@pytest.mark.parametrize(
    ("content", "fields", "status", "code"),
    [
        pytest.param(b"", {}, 415, "unreadable_document", id="empty"),
        pytest.param(b"x" * 101, {}, 413, "too_large", id="too large"),
        pytest.param(b"x", {"language": "tlh"}, 400, "unsupported_language", id="language"),
        pytest.param(b"x", {"title": "a\0b"}, 400, "invalid", id="null character"),
    ],
)
def test_refused_upload_leaves_nothing(
    upload: Callable[..., Any],
    stored_files: StoredFiles,
    settings: Any,
    content: bytes,
    fields: dict[str, str],
    status: int,
    code: str,
) -> None:
    settings.MAX_DOCUMENT_BYTES = 100
    files = stored_files()

    assert_problem(upload(content, **fields), status, code)

    assert not Document.objects.exists()
    assert stored_files() == files


def test_body_that_says_it_is_over_the_limit_is_refused_unread(api: APIClient) -> None:
    response = api.generic(
        "POST",
        DOCUMENTS,
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH="999999999",
    )

    assert "MAX_DOCUMENT_BYTES" in assert_problem(response, 413, "too_large")["detail"]


def test_document_of_a_transcript_leads_to_it(api: APIClient) -> None:
    transcript = TranscriptFactory.create(completed=True)
    document = DocumentFactory.create(transcript=transcript)

    body = api.get(of(document)).json()

    assert body["transcript"] == str(transcript.pk)
    assert body["recording"] == str(transcript.recording_id)
    assert api.get(body["links"]["transcript"]).json()["id"] == body["transcript"]
    assert api.get(body["links"]["versions"]).json()["items"] == []


def test_failed_document_says_why(api: APIClient) -> None:
    document = DocumentFactory.create(failed=True)

    assert api.get(of(document)).json()["error"] == {
        "code": "unreadable_document",
        "message": "the file is encrypted",
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({}, {"a", "b", "c"}, id="all"),
        pytest.param({"status": "FAILED"}, {"b"}, id="status"),
        pytest.param({"kind": "TRANSCRIPT"}, {"c"}, id="kind"),
        pytest.param({"language": "fr"}, {"a"}, id="language"),
        pytest.param({"title": "RIVER"}, {"a"}, id="part of the title"),
        pytest.param({"topic": "water"}, {"a", "c"}, id="topic"),
        pytest.param({"topic": "nothing"}, set(), id="unknown topic"),
        pytest.param({"created_after": "2100-01-01T00:00:00Z"}, set(), id="time"),
    ],
)
def test_list_is_narrowed(api: APIClient, query: dict[str, str], expected: set[str]) -> None:
    water = TopicFactory.create(name="Water", slug="water")
    rows = {
        "a": DocumentFactory.create(title="The River", language="fr"),
        "b": DocumentFactory.create(failed=True),
        "c": DocumentFactory.create(spoken=True),
    }
    DocumentTopicFactory.create(document=rows["a"], topic=water)
    DocumentTopicFactory.create(document=rows["b"], topic=water, is_dismissed=True)
    DocumentTopicFactory.create(document=rows["c"], topic=water, suggested=True)
    DocumentFactory.create(workspace=WorkspaceFactory.create(), title="River", language="fr")

    assert ids(api.get(DOCUMENTS, query)) == {rows[name].pk for name in expected}


def test_list_is_ordered_by_what_is_allowed(api: APIClient) -> None:
    DocumentFactory.create(title="b")
    DocumentFactory.create(title="a")

    page = api.get(DOCUMENTS, {"sort_by": "title", "sort_order": "asc"}).json()

    assert [item["title"] for item in page["items"]] == ["a", "b"]


def test_list_asks_the_database_as_often_for_many_as_for_one(api: APIClient) -> None:
    DocumentTopicFactory.create(document=DocumentFactory.create(spoken=True))
    few = queries_of(lambda: api.get(DOCUMENTS))

    DocumentTopicFactory.create_batch(3)
    DocumentTopicFactory.create(document=DocumentFactory.create(spoken=True))
    many = queries_of(lambda: api.get(DOCUMENTS))

    assert len(many) == len(few)
    assert not [sql for sql in many if '"documents"."text"' in sql or '"segments"' in sql]


def test_text_and_sections_are_what_was_said(api: APIClient) -> None:
    document = DocumentFactory.create(spoken=True)

    text = api.get(of(document, "text/"))
    sections = api.get(of(document, "sections/"), {"limit": 1}).json()

    assert text["Content-Type"] == "text/plain; charset=utf-8"
    assert text.content.decode().split() == HEARD
    assert sections["has_more"] is True
    assert [(s["text"], s["start"]) for s in sections["items"]] == [("so it", 0.1)]


def test_sections_go_on_where_the_page_before_ended(api: APIClient) -> None:
    document = DocumentFactory.create()

    body = api.get(of(document, "sections/"), {"limit": 1, "offset": 1}).json()

    assert (body["has_more"], len(body["items"])) == (False, 1)
    assert body["items"][0]["text"] == "It meets the sea in the west."


def test_document_that_nobody_has_read_yet_has_no_text(api: APIClient) -> None:
    document = DocumentFactory.create(upload=True)

    assert (
        "PENDING" in assert_problem(api.get(of(document, "text/")), 409, "not_finished")["detail"]
    )


def test_change_is_of_what_is_named(api: APIClient) -> None:
    document = DocumentFactory.create(title="old", language="en")

    body = api.patch(of(document), {"title": "new", "topics": ["Sea", "Hills"]}, "json").json()

    assert (body["title"], body["language"]) == ("new", "en")
    assert [(t["name"], t["is_suggested"]) for t in body["topics"]] == [
        ("Hills", False),
        ("Sea", False),
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"title": ""}, "invalid", id="no title"),
        pytest.param({"language": "tlh"}, "unsupported_language", id="language"),
        pytest.param({"topics": ["?!"]}, "invalid_query", id="topic"),
        pytest.param({"topics": [0]}, "invalid", id="a number for a topic"),
    ],
)
def test_impossible_change_is_refused(api: APIClient, change: dict[str, Any], code: str) -> None:
    assert_problem(api.patch(of(DocumentFactory.create()), change, "json"), 400, code)


def test_upload_is_deleted(api: APIClient) -> None:
    document = DocumentFactory.create(upload=True)

    assert api.delete(of(document)).status_code == 204

    assert_problem(api.get(of(document)), 404, "not_found")


def test_document_of_a_transcript_is_not_deleted(api: APIClient) -> None:
    document = DocumentFactory.create(spoken=True)

    assert_problem(api.delete(of(document)), 409, "belongs_to_transcript")


@pytest.mark.parametrize("path", ["", "text/", "sections/", "related/", "topics/a/", "related/x/"])
def test_document_of_another_workspace_does_not_exist(api: APIClient, path: str) -> None:
    foreign = DocumentFactory.create(workspace=WorkspaceFactory.create())
    method = api.put if path in ("topics/a/", "related/x/") else api.get

    assert_problem(method(of(foreign, path)), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("get", "", 200, id="read"),
        pytest.param("patch", "", 403, id="change"),
        pytest.param("put", "topics/a/", 403, id="file"),
        pytest.param("delete", "", 403, id="delete"),
    ],
)
def test_viewers_read_documents_and_change_nothing(
    viewer: APIClient, method: str, path: str, status: int
) -> None:
    TopicFactory.create(slug="a", name="a")

    response = getattr(viewer, method)(of(DocumentFactory.create(), path), format="json")

    assert response.status_code == status
