"""Topics: given by people, suggested by the machine, and taken away."""

import pytest

from processing.exceptions import InvalidQuery
from processing.models import Document, DocumentTopic, Topic, Workspace
from tests.factories.knowledge import DocumentFactory, DocumentTopicFactory, TopicFactory
from tests.factories.processing import WorkspaceFactory

pytestmark = pytest.mark.django_db


def filed(document: Document) -> dict[str, tuple[bool, bool, float]]:
    rows = DocumentTopic.objects.filter(document=document).select_related("topic")
    return {row.topic.name: (row.is_suggested, row.is_dismissed, row.score) for row in rows}


GIVEN = (False, False, 1.0)
DISMISSED = (True, True, 0.0)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        pytest.param("Water Power", " water  power!", id="case, spaces and signs"),
        pytest.param("Größe", "größe", id="unicode"),
        pytest.param("水力発電", "水力発電", id="without spaces"),
    ],
)
def test_topic_is_one_whatever_its_case_and_signs(name: str, same: str) -> None:
    workspace = Workspace.objects.default()

    topic = Topic.objects.named(workspace, name)

    assert Topic.objects.named(workspace, same) == topic
    assert topic.name == name


def test_topics_of_two_workspaces_are_two() -> None:
    other = WorkspaceFactory.create()

    assert Topic.objects.named(other, "a") != Topic.objects.named(Workspace.objects.default(), "a")


@pytest.mark.parametrize("name", ["", " \n", "!?", "x" * 101])
def test_name_that_says_nothing_is_refused(name: str) -> None:
    with pytest.raises(InvalidQuery):
        Topic.objects.named(Workspace.objects.default(), name)


def test_suggestions_are_replaced_and_what_people_said_stays() -> None:
    document = DocumentFactory.create()
    Topic.objects.give(document, "given")
    Topic.objects.suggest(document, [("old", 0.5), ("kept", 0.2), ("wrong", 0.9)])
    Topic.objects.take_away(document, Topic.objects.get(slug="wrong"))

    Topic.objects.suggest(
        document, [("kept", 0.7), ("new", 3.0), ("Given", 0.1), ("wrong", 0.9), ("?", 1.0)]
    )

    assert filed(document) == {
        "given": GIVEN,
        "kept": (True, False, 0.7),
        "new": (True, False, 1.0),
        "wrong": DISMISSED,
    }


def test_suggestions_of_other_documents_stay() -> None:
    other = DocumentTopicFactory.create(suggested=True).document

    Topic.objects.suggest(DocumentFactory.create(), [])

    assert other.topics.count() == 1


def test_suggestion_is_accepted_by_giving_it() -> None:
    document = DocumentFactory.create()
    Topic.objects.suggest(document, [("sea", 0.3)])

    Topic.objects.give(document, "sea")

    assert filed(document) == {"sea": GIVEN}


def test_topics_people_give_replace_the_ones_they_gave() -> None:
    document = DocumentFactory.create()
    Topic.objects.suggest(document, [("hint", 0.3), ("sea", 0.4)])
    Topic.objects.give(document, "old")

    Topic.objects.replace(document, ["Sea", "new", "new"])

    assert filed(document) == {
        "hint": (True, False, 0.3),
        "sea": GIVEN,
        "old": DISMISSED,
        "new": GIVEN,
    }


def test_taking_away_what_is_not_there_says_so() -> None:
    topic = TopicFactory.create()

    assert Topic.objects.take_away(DocumentFactory.create(), topic) is False


def test_documents_are_found_by_topic_unless_it_was_dismissed() -> None:
    given = DocumentTopicFactory.create()
    suggested = DocumentTopicFactory.create(topic=given.topic, suggested=True)
    DocumentTopicFactory.create(topic=given.topic, suggested=True, is_dismissed=True)
    DocumentTopicFactory.create()

    found = Document.objects.by_topic(given.topic)

    assert set(found) == {given.document, suggested.document}
    assert vars(Topic.objects.with_counts().get(pk=given.topic.pk))["document_count"] == 2
