"""Summaries by API: asked for, read, stopped."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient

from jobs.choices import JobPriority
from jobs.models import Job
from processing.models import Document, Summary
from tests.factories.knowledge import DocumentFactory, SummaryFactory
from tests.factories.processing import WorkspaceFactory
from tests.fakes.text import FakeChat
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

SUMMARIES = "/api/v1/summaries/"
TEXT = "\n\n".join(f"Paragraph {number} says that the river is long." for number in range(9))


@pytest.fixture(autouse=True)
def _chat(settings: Settings) -> None:
    settings.CHAT = FakeChat()


def summaries_of(document: Document) -> str:
    return f"/api/v1/documents/{document.pk}/summaries/"


def ask(api: APIClient, document: Document, **fields: Any) -> Any:
    return api.post(summaries_of(document), fields, format="json")


def listed(api: APIClient, address: str = SUMMARIES, **query: Any) -> list[str]:
    return [item["id"] for item in api.get(address, query).json()["items"]]


def test_a_summary_is_asked_for(api: APIClient, admin_user: User) -> None:
    document = DocumentFactory.create(text=TEXT)

    answer = ask(api, document, priority=JobPriority.HIGH)

    summary, body = Summary.objects.get(), answer.json()
    assert answer.status_code == 202
    assert answer["Location"].endswith(f"{SUMMARIES}{summary.pk}/")
    assert (body["status"], body["progress"], body["error"]) == ("PENDING", 0.0, None)
    assert (body["document"], body["is_outdated"]) == (str(document.pk), False)
    assert summary.created_by == admin_user
    assert Job.objects.about(document.pk).get().priority == JobPriority.HIGH


def test_one_that_is_there_is_answered_unless_it_is_wanted_anew(api: APIClient) -> None:
    summary = SummaryFactory.create(completed=True, document=DocumentFactory.create(text=TEXT))

    answer, anew = ask(api, summary.document), ask(api, summary.document, anew=True)

    assert (answer.status_code, answer.json()["id"]) == (200, str(summary.pk))
    assert (anew.status_code, anew.json()["id"] != str(summary.pk)) == (202, True)


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"text": ""}, "nothing_to_do"), ({"upload": True}, "not_finished")],
    ids=["blank", "not read yet"],
)
def test_what_cannot_be_summarised_is_refused(
    api: APIClient, fields: dict[str, Any], code: str
) -> None:
    answer = ask(api, DocumentFactory.create(**fields))

    assert (answer.status_code, answer.json()["code"]) == (409, code)


@pytest.mark.parametrize("fields", [{"anew": "perhaps"}, {"priority": -1}], ids=str)
def test_a_bad_request_is_refused(api: APIClient, fields: dict[str, Any]) -> None:
    assert ask(api, DocumentFactory.create(text=TEXT), **fields).status_code == 400


def test_detail_says_what_it_says_and_what_is_missing(api: APIClient) -> None:
    summary = SummaryFactory.create(completed=True)

    body = api.get(f"{SUMMARIES}{summary.pk}/").json()

    assert body["text"] == "A river goes from the hills to the sea."
    assert body["key_phrases"] == [{"phrase": "river rises", "score": 1.0}]
    assert body["is_whole"] is False
    assert body["coverage"][-1] == {"start": 40.0, "end": 60.0, "is_covered": False}


def test_a_failure_is_told(api: APIClient) -> None:
    summary = SummaryFactory.create(failed=True)

    body = api.get(f"{SUMMARIES}{summary.pk}/").json()

    assert body["error"] == {"code": summary.error_code, "message": summary.error_message}
    assert body["is_whole"] is False


def test_a_correction_since_is_told(api: APIClient) -> None:
    summary = SummaryFactory.create(completed=True, document__version=2, document_version=1)

    assert api.get(f"{SUMMARIES}{summary.pk}/").json()["is_outdated"] is True


def test_lists_are_filtered_and_leave_the_text_out(api: APIClient) -> None:
    done, failed = SummaryFactory.create(completed=True), SummaryFactory.create(failed=True)

    items = api.get(SUMMARIES).json()["items"]

    assert {"text", "coverage", "key_phrases"}.isdisjoint(items[0])
    assert listed(api, status="FAILED") == [str(failed.pk)]
    assert listed(api, document=str(done.document_id)) == [str(done.pk)]
    assert listed(api, summaries_of(failed.document)) == [str(failed.pk)]


def test_a_list_costs_the_same_however_long_it_is(api: APIClient) -> None:
    SummaryFactory.create(completed=True)
    few = len(queries_of(lambda: api.get(SUMMARIES)))
    SummaryFactory.create_batch(3, completed=True)

    assert len(queries_of(lambda: api.get(SUMMARIES))) == few


def test_one_under_way_is_cancelled_and_one_that_is_over_is_not(api: APIClient) -> None:
    address = f"{SUMMARIES}{SummaryFactory.create(begun=True).pk}/cancel/"

    first, second = api.post(address), api.post(address)

    assert (first.status_code, first.json()["status"]) == (200, "CANCELLED")
    assert (second.status_code, second.json()["code"]) == (409, "already_over")


def test_one_that_failed_is_retried_and_one_that_did_not_is_not(api: APIClient) -> None:
    summary = SummaryFactory.create(failed=True, document=DocumentFactory.create(text=TEXT))
    address = f"{SUMMARIES}{summary.pk}/retry/"

    first, second = api.post(address), api.post(address)

    assert (first.status_code, first.json()["status"]) == (200, "PENDING")
    assert first.json()["id"] == str(summary.pk)
    assert (second.status_code, second.json()["code"]) == (409, "already_over")


def test_those_of_other_workspaces_are_not_there(api: APIClient) -> None:
    document = DocumentFactory.create(text=TEXT, workspace=WorkspaceFactory.create())
    foreign = SummaryFactory.create(begun=True, document=document)

    statuses = [
        api.get(f"{SUMMARIES}{foreign.pk}/").status_code,
        api.post(f"{SUMMARIES}{foreign.pk}/cancel/").status_code,
        api.post(f"{SUMMARIES}{foreign.pk}/retry/").status_code,
        api.get(summaries_of(document)).status_code,
        ask(api, document).status_code,
        api.get(f"{SUMMARIES}{uuid4()}/").status_code,
    ]

    assert statuses == [404] * 6
    assert listed(api) == []


def test_viewers_change_nothing(viewer: APIClient) -> None:
    summary = SummaryFactory.create(begun=True)

    statuses = [
        viewer.get(f"{SUMMARIES}{summary.pk}/").status_code,
        viewer.post(f"{SUMMARIES}{summary.pk}/cancel/").status_code,
        ask(viewer, summary.document).status_code,
    ]

    assert statuses == [200, 403, 403]
