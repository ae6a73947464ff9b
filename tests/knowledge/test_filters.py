"""Filters leave of a workspace's passages what they are for."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from processing.knowledge.searching.search import SearchFilters
from processing.models import Passage, Transcript
from tests.factories.knowledge import DocumentTopicFactory, TopicFactory
from tests.knowledge.test_search import found, said

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("language", "de", id="language"),
        pytest.param("speaker", "Ben", id="speaker"),
        pytest.param("kind", "TRANSCRIPT", id="kind"),
        pytest.param("topic", "geography", id="topic"),
        pytest.param("documents", (uuid4(),), id="documents"),
        pytest.param("recording", uuid4(), id="recording"),
        pytest.param("created_from", timezone.now() + timedelta(days=1), id="from"),
        pytest.param("created_to", timezone.now() - timedelta(days=1), id="to"),
    ],
)
def test_a_filter_leaves_out_what_it_is_not_for(name: str, value: Any) -> None:
    said("the river", language="en")

    assert found("river", filters=SearchFilters(**{name: value})).hits == []


def test_filters_leave_what_they_are_for() -> None:
    document = said("the river", spoken=True)
    Passage.objects.of_document(document).update(speaker="Anna")
    topic = TopicFactory.create()
    DocumentTopicFactory.create(document=document, topic=topic)
    said("another river")

    filters = SearchFilters(
        documents=(document.pk,),
        recording=Transcript.objects.get(document=document).recording_id,
        topic=topic.slug,
        language="en",
        speaker="Anna",
        kind="TRANSCRIPT",
        created_from=timezone.now() - timedelta(days=1),
        created_to=timezone.now() + timedelta(days=1),
    )

    assert [hit.document_id for hit in found("river", filters=filters).hits] == [document.pk]


def test_a_topic_that_was_dismissed_is_none() -> None:
    document = said("the river")
    suggested = DocumentTopicFactory.create(document=document, is_dismissed=True)

    filters = SearchFilters(topic=suggested.topic.slug)

    assert found("river", filters=filters).hits == []
