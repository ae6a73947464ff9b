"""The pages of questions: asking, and reading what the answer rests on."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from processing.choices import ResultStatus
from processing.models import Question
from tests.factories.knowledge import PassageFactory, QuestionFactory

pytestmark = pytest.mark.django_db

ADD = reverse("admin:processing_question_add")


def test_a_question_is_asked_on_its_page(admin_client: Client) -> None:
    answer = admin_client.post(ADD, {"text": "Where does the river rise?"})

    question = Question.objects.get()
    assert question.status == ResultStatus.PENDING
    assert answer.headers["Location"].endswith(f"{question.pk}/change/")


def test_a_question_comes_along_from_the_search(admin_client: Client) -> None:
    assert (
        "salmon in autumn" in admin_client.get(ADD, {"text": "salmon in autumn"}).content.decode()
    )


def test_an_empty_question_is_refused(admin_client: Client) -> None:
    admin_client.post(ADD, {"text": "   "})

    assert not Question.objects.exists()


def test_an_answer_leads_to_what_it_rests_on(admin_client: Client) -> None:
    passage = PassageFactory.create()
    question = QuestionFactory.create(completed=True)
    [citation] = question.citations
    citation |= {"document": str(passage.document_id), "passage": passage.pk}
    Question.objects.filter(pk=question.pk).update(citations=[citation])
    address = reverse("admin:processing_question_change", args=[question.pk])

    text = admin_client.get(address).content.decode()

    assert f"{passage.document_id}/change/#passage-{passage.pk}" in text
    assert "<time>0:42 to 1:10</time>" in text


def test_a_question_that_is_being_answered_is_looked_at_again(admin_client: Client) -> None:
    question = QuestionFactory.create(begun=True)
    address = reverse("admin:processing_question_change", args=[question.pk])

    assert 'http-equiv="refresh"' in admin_client.get(address).content.decode()


def test_who_may_not_ask_is_refused() -> None:
    client = Client()
    client.force_login(User.objects.create_user("clerk", is_staff=True))

    assert client.post(ADD, {"text": "Where?"}).status_code == 403
