"""What documents have to do with each other, and what they are about, through the API."""

from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from processing.models import Document, Topic
from tests.factories.knowledge import (
    DocumentFactory,
    DocumentLinkFactory,
    DocumentTopicFactory,
    TopicFactory,
)
from tests.factories.processing import WorkspaceFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

TOPICS = "/api/v1/topics/"


def of(document: Document, path: str = "") -> str:
    return f"/api/v1/documents/{document.pk}/{path}"


def ids(response: Any) -> set[UUID]:
    assert response.status_code == 200, response.content
    return {UUID(item["id"]) for item in response.json()["items"]}


def test_related_documents_come_nearest_first(api: APIClient) -> None:
    near = DocumentLinkFactory.create(weight=0.5)
    far = DocumentLinkFactory.create(source=near.target, weight=0.5)

    body = api.get(of(near.source, "related/"), {"depth": 2, "limit": 1}).json()
    rest = api.get(of(near.source, "related/"), {"depth": 2, "limit": 1, "offset": 1}).json()

    assert (body["total"], body["has_more"], rest["has_more"]) == (2, True, False)
    assert [(i["id"], i["distance"], i["weight"]) for i in body["items"] + rest["items"]] == [
        (str(near.target.pk), 1, 0.5),
        (str(far.target.pk), 2, 0.25),
    ]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param({"depth": "9"}, "invalid_query", id="too deep"),
        pytest.param({"depth": "x"}, "invalid", id="no number"),
        pytest.param({"limit": "0"}, "invalid", id="no limit"),
        pytest.param({"page": "2"}, "invalid", id="unknown"),
    ],
)
def test_related_refuses_what_it_does_not_know(
    api: APIClient, query: dict[str, str], code: str
) -> None:
    response = api.get(of(DocumentFactory.create(), "related/"), query)

    assert (response.status_code, response.json()["code"]) == (400, code)


def test_related_asks_the_database_as_often_for_many_as_for_one(api: APIClient) -> None:
    hub = DocumentLinkFactory.create().source
    few = queries_of(lambda: api.get(of(hub, "related/")))

    DocumentLinkFactory.create_batch(4, source=hub)

    assert len(queries_of(lambda: api.get(of(hub, "related/")))) == len(few)


def test_two_documents_are_related_and_no_longer(api: APIClient) -> None:
    a, b = DocumentFactory.create_batch(2)

    assert api.put(of(a, f"related/{b.pk}/")).status_code == 204
    assert ids(api.get(of(b, "related/"))) == {a.pk}
    assert api.delete(of(b, f"related/{a.pk}/")).status_code == 204
    assert ids(api.get(of(b, "related/"))) == set()


def test_suggested_topic_is_accepted_and_another_dismissed(api: APIClient) -> None:
    document = DocumentFactory.create()
    Topic.objects.suggest(document, [("sea", 0.4), ("hill", 0.3)])

    api.put(of(document, "topics/sea/"))
    body = api.delete(of(document, "topics/hill/")).json()

    assert [(t["slug"], t["is_suggested"], t["score"]) for t in body["topics"]] == [
        ("sea", False, 1.0)
    ]


def test_topics_are_listed_with_how_many_documents_they_have(api: APIClient) -> None:
    DocumentTopicFactory.create(topic__name="Sea", topic__slug="sea")
    TopicFactory.create(workspace=WorkspaceFactory.create())

    [topic] = api.get(TOPICS, {"name": "se"}).json()["items"]

    assert (topic["name"], topic["slug"], topic["document_count"]) == ("Sea", "sea", 1)
    assert len(ids(api.get(topic["links"]["documents"]))) == 1


def test_topic_is_made_once_and_deleted(api: APIClient) -> None:
    made = api.post(TOPICS, {"name": "水力 Power"}, "json")

    again = api.post(TOPICS, {"name": "水力  power"}, "json")

    assert (made.status_code, again.json()) == (201, made.json())
    assert api.delete(made.json()["links"]["self"]).status_code == 204
    assert not Topic.objects.exists()
