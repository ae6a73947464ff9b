"""The search as programs see it."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from processing.knowledge.searching.search import forget_languages
from tests.factories.knowledge import DocumentFactory, PassageFactory
from tests.factories.processing import WorkspaceFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

SEARCH = "/api/v1/search/"


def said(*texts: str, **row: Any) -> Any:
    document = DocumentFactory.create(**row)
    for text in texts:
        PassageFactory.create(document=document, text=text, spoken=True)
    forget_languages(document.workspace_id)
    return document


def test_a_hit_leads_to_what_it_was_found_in(api: APIClient) -> None:
    document = said("the rivers rise", spoken=True)
    transcript = document.transcript

    answer = api.get(SEARCH, {"q": "river"})

    assert answer.status_code == 200
    [hit] = answer.data.pop("items")
    assert answer.data == {
        "total": 1,
        "is_total_exact": True,
        "has_more": False,
        "mode": "words",
        "limit": 20,
        "offset": 0,
    }
    assert hit["snippet"] == [
        {"text": "the ", "is_match": False},
        {"text": "rivers", "is_match": True},
        {"text": " rise", "is_match": False},
    ]
    assert hit["links"] == {
        "document": f"http://testserver/api/v1/documents/{document.pk}/",
        "recording": f"http://testserver/api/v1/recordings/{transcript.recording_id}/",
        "transcript": f"http://testserver/api/v1/transcripts/{transcript.pk}/",
    }
    assert (hit["start_seconds"], hit["end_seconds"]) == (0.0, 8.0)


def test_what_was_written_leads_to_its_document_alone(api: APIClient) -> None:
    said("the rivers rise")

    [hit] = api.get(SEARCH, {"q": "river"}).data["items"]

    assert hit["recording"] is hit["transcript"] is hit["links"]["recording"] is None


def test_pages_are_asked_for_by_limit_and_offset(api: APIClient) -> None:
    said(*[f"the river number {i}" for i in range(5)])

    answer = api.get(f"{SEARCH}?q=river&limit=2&offset=4")

    assert len(answer.data["items"]) == 1
    assert (answer.data["total"], answer.data["has_more"]) == (5, False)


@pytest.mark.parametrize(
    ("name", "match", "other"),
    [
        pytest.param("language", "en", "de", id="language"),
        pytest.param("speaker", "Anna", "Ben", id="speaker"),
        pytest.param("kind", "UPLOAD", "TRANSCRIPT", id="kind"),
        pytest.param("from", "2000-01-01T00:00:00Z", "2200-01-01T00:00:00Z", id="from"),
        pytest.param("to", "2200-01-01T00:00:00Z", "2000-01-01T00:00:00Z", id="to"),
    ],
)
def test_hits_are_narrowed_by_filters(api: APIClient, name: str, match: str, other: str) -> None:
    document = said("the river")
    document.passages.update(speaker="Anna")

    assert len(api.get(SEARCH, {"q": "river", name: match}).data["items"]) == 1
    assert api.get(SEARCH, {"q": "river", name: other}).data["items"] == []


def test_documents_may_be_named(api: APIClient) -> None:
    one, two = said("the river one"), said("the river two")
    said("the river three")

    answer = api.get(SEARCH, {"q": "river", "document": [str(one.pk), str(two.pk)]})

    assert {hit["document"] for hit in answer.data["items"]} == {str(one.pk), str(two.pk)}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param({}, "invalid", id="nothing"),
        pytest.param({"q": "-river"}, "invalid_query", id="only minus"),
        pytest.param({"q": "river", "limit": "101"}, "invalid", id="limit"),
        pytest.param({"q": "river", "offset": "x"}, "invalid", id="offset"),
        pytest.param({"q": "river", "mode": "magic"}, "invalid", id="mode"),
        pytest.param({"q": "river", "document": "x"}, "invalid", id="document"),
        pytest.param({"q": "river", "colour": "red"}, "invalid", id="unknown"),
        pytest.param({"q": "the"}, "invalid_query", id="stop word"),
    ],
)
def test_what_means_nothing_is_refused(api: APIClient, asked: dict[str, str], code: str) -> None:
    said("the river")

    answer = api.get(SEARCH, asked)

    assert (answer.status_code, answer.data["code"]) == (400, code)


def test_a_time_that_is_none_is_called_as_programs_call_it(api: APIClient) -> None:
    problem = api.get(SEARCH, {"q": "sea", "from": "soon"}).json()

    assert problem["errors"].keys() == {"from"}


def test_meaning_that_nobody_knows_is_refused_with_what_to_configure(api: APIClient) -> None:
    answer = api.get(SEARCH, {"q": "river", "mode": "meaning"})

    assert answer.status_code == 422
    assert "EMBEDDINGS_BASE_URL" in answer.data["detail"]


def test_other_workspaces_are_not_looked_through(api: APIClient) -> None:
    said("the river", workspace=WorkspaceFactory.create())

    assert api.get(SEARCH, {"q": "river"}).data["items"] == []


def test_a_search_is_as_many_queries_for_many_hits_as_for_one(api: APIClient) -> None:
    said("the river")
    one = len(queries_of(lambda: api.get(SEARCH, {"q": "river"})))
    said(*["another river"] * 10)
    api.get(SEARCH, {"q": "river"})

    assert len(queries_of(lambda: api.get(SEARCH, {"q": "river"}))) <= one


def test_strangers_find_nothing() -> None:
    assert APIClient().get(SEARCH, {"q": "river"}).status_code in (401, 403)
