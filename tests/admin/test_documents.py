"""The pages of documents: reading, uploading, filing, summaries, translations, searching."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from processing.choices import DocumentStatus, ResultStatus
from processing.models import Document, DocumentTopic, Summary, Translation
from tests.factories.knowledge import (
    DocumentFactory,
    DocumentLinkFactory,
    DocumentTopicFactory,
    PassageFactory,
    SummaryFactory,
    TranslationFactory,
)
from tests.factories.processing import WorkspaceFactory
from tests.fakes.text import FakeTranslator

pytestmark = pytest.mark.django_db

LIST = reverse("admin:processing_document_changelist")
ADD = reverse("admin:processing_document_add")
SEARCH = reverse("admin:processing_document_search")


def page(client: Client, document: Document) -> str:
    address = reverse("admin:processing_document_change", args=[document.pk])
    return client.get(address).content.decode()


def press(client: Client, document: Document, verb: str, **fields: Any) -> Any:
    address = reverse(f"admin:processing_document_{verb}", args=[document.pk])
    return client.post(address, fields, follow=True)


def onlooker() -> Client:
    """Return a member of staff who may look at documents and change nothing."""
    user = User.objects.create_user("onlooker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_document"))
    client = Client()
    client.force_login(user)
    return client


# Reading


def test_a_document_shows_its_passages_with_their_times(admin_client: Client) -> None:
    passage = PassageFactory.create(document__spoken=True, spoken=True, speaker="Anna")

    text = page(admin_client, passage.document)

    assert f'id="passage-{passage.pk}"' in text
    assert "<time>0:00 to 0:08</time>" in text
    assert "Anna" in text


def test_what_a_document_says_is_text_and_no_markup(admin_client: Client) -> None:
    passage = PassageFactory.create(text="<script>alert(1)</script>")

    assert "<script>alert(1)" not in page(admin_client, passage.document)


def test_a_summary_shows_what_it_does_not_cover(admin_client: Client) -> None:
    summary = SummaryFactory.create(completed=True)

    text = page(admin_client, summary.document)

    assert summary.text.split()[0] in text
    assert "Not covered" in text


def test_related_documents_are_links(admin_client: Client) -> None:
    link = DocumentLinkFactory.create()

    assert link.target.title in page(admin_client, link.source)


def test_the_list_costs_the_same_however_long_it_is(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    DocumentTopicFactory.create()
    admin_client.get(LIST)
    with CaptureQueriesContext(connection) as first:
        admin_client.get(LIST)
    DocumentTopicFactory.create_batch(10)

    with django_assert_num_queries(len(first)):
        assert b"11 documents" in admin_client.get(LIST).content


# Uploading and deleting


def test_an_uploaded_document_is_being_read(admin_client: Client) -> None:
    file = SimpleUploadedFile("rivers.txt", b"The river rises in the hills.")

    answer = admin_client.post(ADD, {"file": file, "title": "Rivers"}, follow=True)

    assert "Rivers is being read" in answer.content.decode()
    assert Document.objects.get().status == DocumentStatus.PENDING


def test_a_document_that_is_too_large_is_refused_with_the_limit(
    admin_client: Client, settings: Settings
) -> None:
    settings.MAX_DOCUMENT_BYTES = 1_000_000
    file = SimpleUploadedFile("rivers.txt", b"river " * 400_000)

    answer = admin_client.post(ADD, {"file": file})

    assert "1,000,000" in answer.content.decode() or "976.6" in answer.content.decode()
    assert not Document.objects.exists()


def test_an_upload_without_the_token_of_the_form_is_refused(admin_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)

    answer = client.post(ADD, {"file": SimpleUploadedFile("rivers.txt", b"The river.")})

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("trait", "is_offered"),
    [pytest.param({}, True, id="upload"), pytest.param({"spoken": True}, False, id="transcript")],
)
def test_only_an_uploaded_document_can_be_deleted(
    admin_client: Client, trait: dict[str, bool], is_offered: bool
) -> None:
    document = DocumentFactory.create(**trait)
    address = reverse("admin:processing_document_delete", args=[document.pk])

    admin_client.post(address, {"post": "yes"})

    assert Document.objects.exists() is not is_offered


# Buttons


def test_a_summary_is_asked_for_by_a_button(admin_client: Client) -> None:
    document = DocumentFactory.create()

    press(admin_client, document, "summarise")

    assert Summary.objects.get().status == ResultStatus.PENDING


def test_a_translation_is_asked_for_by_a_button(admin_client: Client, settings: Settings) -> None:
    settings.TRANSLATOR = FakeTranslator()
    document = DocumentFactory.create()

    press(admin_client, document, "translate", to="de")

    assert Translation.objects.get().language == "de"


def test_what_nobody_can_translate_says_what_to_configure(admin_client: Client) -> None:
    answer = press(admin_client, DocumentFactory.create(), "translate", to="de")

    assert "CHAT_BASE_URL" in answer.content.decode()


def test_a_topic_is_given_by_its_name(admin_client: Client) -> None:
    document = DocumentFactory.create()

    press(admin_client, document, "topic", new_topic="Rivers")

    assert [topic.name for topic in document.topics.all()] == ["Rivers"]


def test_a_suggested_topic_is_accepted(admin_client: Client) -> None:
    filed = DocumentTopicFactory.create(suggested=True)

    press(admin_client, filed.document, "topic", give=filed.topic.name)

    assert not DocumentTopic.objects.get().is_suggested


def test_a_suggested_topic_is_dismissed(admin_client: Client) -> None:
    filed = DocumentTopicFactory.create(suggested=True)

    press(admin_client, filed.document, "topic", take_away=filed.topic_id)

    assert DocumentTopic.objects.get().is_dismissed


def test_a_topic_needs_a_name(admin_client: Client) -> None:
    answer = press(admin_client, DocumentFactory.create(), "topic", new_topic=" ")

    assert "Nothing was done" in answer.content.decode()


@pytest.mark.parametrize("verb", ["summarise", "translate", "topic", "index"])
def test_who_may_only_look_presses_no_button(verb: str) -> None:
    document = DocumentFactory.create()

    assert press(onlooker(), document, verb, to="de", new_topic="x").status_code == 403


@pytest.mark.parametrize("verb", ["summarise", "translate", "topic", "index"])
def test_a_link_presses_no_button(admin_client: Client, verb: str) -> None:
    document = DocumentFactory.create()
    address = reverse(f"admin:processing_document_{verb}", args=[document.pk])

    assert admin_client.get(address).status_code == 405


# Saving


def save(client: Client, document: Document, **fields: Any) -> Any:
    address = reverse("admin:processing_document_change", args=[document.pk])
    return client.post(address, {"title": document.title, "language": "en", **fields}, follow=True)


def test_saving_changes_what_was_typed(admin_client: Client) -> None:
    document = DocumentFactory.create()

    save(admin_client, document, title="Another title", new_topic="Rivers")

    document.refresh_from_db()
    assert document.title == "Another title"
    assert [topic.name for topic in document.topics.all()] == ["Rivers"]


def test_another_language_has_the_document_indexed_anew(admin_client: Client) -> None:
    document = DocumentFactory.create()

    save(admin_client, document, language="de")

    document.refresh_from_db()
    assert (document.language, document.status) == ("de", DocumentStatus.PENDING)


def test_what_is_no_language_is_an_error_at_its_field(admin_client: Client) -> None:
    document = DocumentFactory.create()

    answer = save(admin_client, document, language="klingon")

    assert "is no language we know" in answer.content.decode()


def test_enter_in_a_field_saves_and_presses_no_other_button(admin_client: Client) -> None:
    text = page(admin_client, DocumentFactory.create())
    form = text[text.index('id="document_form"') :]

    assert form.index('name="_continue"') < form.index("formaction=")


# Side by side


def test_a_translation_stands_beside_its_source(admin_client: Client) -> None:
    translation = TranslationFactory.create(completed=True)
    address = reverse("admin:processing_translation_change", args=[translation.pk])

    text = admin_client.get(address).content.decode()

    assert 'class="side-by-side"' in text
    assert "so wurde" in text


def test_a_translation_of_an_older_version_says_so(admin_client: Client) -> None:
    translation = TranslationFactory.create(completed=True)
    Document.objects.update(version=2)
    address = reverse("admin:processing_translation_change", args=[translation.pk])

    assert "corrected since" in admin_client.get(address).content.decode()


# Searching


def test_every_page_has_the_search_box(admin_client: Client) -> None:
    assert f'action="{SEARCH}"' in admin_client.get(LIST).content.decode()


def test_a_search_leads_to_the_passage(admin_client: Client) -> None:
    passage = PassageFactory.create(text="Salmon swim up the river every autumn.")

    text = admin_client.get(SEARCH, {"q": "salmon"}).content.decode()

    assert "<mark>Salmon</mark>" in text
    assert f"#passage-{passage.pk}" in text


def test_a_search_for_nothing_says_what_helps(admin_client: Client) -> None:
    assert admin_client.get(SEARCH, {"q": "-river"}).status_code == 200


def test_who_may_not_read_documents_may_not_search_them() -> None:
    client = Client()
    client.force_login(User.objects.create_user("clerk", is_staff=True))

    assert client.get(SEARCH, {"q": "river"}).status_code == 403


def test_a_search_finds_nothing_of_another_workspace(admin_client: Client) -> None:
    other = WorkspaceFactory.create()
    PassageFactory.create(document__workspace=other, text="Salmon swim up the river.")

    assert "<mark>" not in admin_client.get(SEARCH, {"q": "salmon"}).content.decode()


# Topics


def test_topics_show_how_many_documents_are_about_them(admin_client: Client) -> None:
    filed = DocumentTopicFactory.create()

    text = admin_client.get(reverse("admin:processing_topic_changelist")).content.decode()

    assert f'?topics__id__exact={filed.topic_id}">1</a>' in text


def test_the_documents_of_a_topic_are_a_list(admin_client: Client) -> None:
    filed = DocumentTopicFactory.create()
    other = DocumentFactory.create()

    text = admin_client.get(LIST, {"topics__id__exact": filed.topic_id}).content.decode()

    assert filed.document.title in text
    assert other.title not in text
