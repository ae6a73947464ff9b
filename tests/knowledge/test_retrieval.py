"""Questions become queries, and the best passages come first."""

import pytest
from django.db import connection
from pytest_django import Settings

from processing.knowledge.asking.retrieval import MAX_PASSAGES, MAX_TERMS, passages_for, query_of
from processing.knowledge.searching.embeddings import embed_missing, prepare_semantic_search
from processing.knowledge.searching.queries import MAX_QUERY_LENGTH, parse
from processing.models import Passage
from tests.factories.knowledge import (
    DocumentFactory,
    DocumentTopicFactory,
    PassageFactory,
    QuestionFactory,
)
from tests.factories.processing import WorkspaceFactory
from tests.fakes.text import FakeEmbeddings
from tests.queries import queries_of

pytestmark = pytest.mark.django_db


def found(text: str, **filters: object) -> list[Passage]:
    return passages_for(QuestionFactory.create(text=text, filters=filters))


@pytest.mark.parametrize(
    ("question", "query"),
    [
        pytest.param("What was said about the Budget?", '"said" or "budget"', id="English"),
        pytest.param(
            "Was wurde über die Brücke gesagt?", '"wurde" or "brücke" or "gesagt"', id="German"
        ),
        pytest.param("Что сказано про мост?", '"сказано" or "мост"', id="Russian"),
        pytest.param("Budget, budget: BUDGET!", '"budget"', id="one word often"),
        pytest.param("Where is the gold or the or?", '"gold"', id="operator"),
        pytest.param('-not "quoted" wor* | &', '"quoted" or "wor"', id="operators and quotes"),
        pytest.param("क्या हिन्दी है", '"क्या" or "हिन्दी" or "है"', id="letters with marks"),
        pytest.param("桥梁预算", '"桥梁" or "梁预" or "预算"', id="Chinese"),
        pytest.param("Was ist 桥?", '"桥"', id="two scripts"),
        pytest.param("What is it about?", '"what" or "is" or "it" or "about"', id="nothing else"),
        pytest.param("?!", "", id="no word"),
    ],
)
def test_query_has_the_words_that_mean_something(question: str, query: str) -> None:
    assert query_of(question) == query


def test_language_that_is_known_says_which_words_mean_nothing() -> None:
    assert query_of("die die", language="en") == '"die"'
    assert query_of("die man", language="de") == '"die" or "man"'  # nothing else is there
    assert query_of("die Brücke", language="de") == '"brücke"'


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(" ".join(f"word{number}" for number in range(200)), id="many words"),
        pytest.param(" ".join(f"{number}{'x' * 300}" for number in range(6)), id="long words"),
        pytest.param("x" * 2_000, id="one endless word"),
        pytest.param("水" * 2_000, id="one letter"),
        pytest.param("".join(chr(0x4E00 + number) for number in range(2_000)), id="letters"),
    ],
)
def test_longest_question_is_still_a_query(question: str) -> None:
    query = query_of(question)

    assert len(query) <= MAX_QUERY_LENGTH
    assert not query or len(parse(query).groups[0]) <= MAX_TERMS


def test_passage_with_more_of_the_words_comes_before_one_with_more_of_one() -> None:
    document = DocumentFactory.create()
    for _ in range(15):
        PassageFactory.create(document=document, text="The bridge, the bridge! " * 10)
    best = PassageFactory.create(document=document, text="They paid the budget of a bridge.")
    for _ in range(5):
        PassageFactory.create(document=document, text="The bridge, the bridge! " * 10)

    passages = found("Who paid for the budget of the bridge?")

    assert passages[0] == best
    assert len(passages) == MAX_PASSAGES


def test_rare_word_says_more_than_a_common_one() -> None:
    document = DocumentFactory.create()
    for _ in range(5):
        PassageFactory.create(document=document, text="The bridge again.")
    rare = PassageFactory.create(document=document, text="The ombudsman spoke.")

    assert found("The ombudsman of the bridge?")[0] == rare


def test_words_are_found_in_other_forms_and_languages() -> None:
    german = PassageFactory.create(
        text="Die Brücken wurden gebaut.", document=DocumentFactory.create(language="de")
    )
    PassageFactory.create(text="Something else.")

    assert found("Welche Brücke?") == [german]


def test_filters_leave_the_rest_out() -> None:
    topic = DocumentTopicFactory.create()
    about = PassageFactory.create(document=topic.document)
    spoken = PassageFactory.create(speaker="Ann")

    by_topic = found("The river?", topic=topic.topic.slug)
    by_speaker = found("The river?", speaker="Ann")
    by_document = found("The river?", documents=[str(about.document_id)])

    assert (by_topic, by_speaker, by_document) == ([about], [spoken], [about])


def test_question_of_stop_words_alone_finds_nothing() -> None:
    PassageFactory.create()

    assert found("What is it about?") == []


def test_embeddings_that_cannot_be_used_are_done_without(settings: Settings) -> None:
    settings.EMBEDDINGS = FakeEmbeddings()
    row = PassageFactory.create()

    assert found("The river?") == [row]


@pytest.mark.vector
def test_what_no_word_finds_is_found_by_its_meaning(settings: Settings) -> None:
    settings.EMBEDDINGS = engine = FakeEmbeddings()
    assert prepare_semantic_search()
    near = PassageFactory.create(text="This is what it is about.")
    other = PassageFactory.create(
        text="The river rises.",
        document=DocumentFactory.create(workspace=WorkspaceFactory.create()),
    )
    for row in (near, other):
        embed_missing(row.document, engine)

    passages = found("What is it about?")

    assert passages == [near]
    assert "What is it about?" in engine.asked


def test_documents_are_not_read_as_a_whole() -> None:
    PassageFactory.create(document=DocumentFactory.create(text="x" * 100))

    queries = queries_of(lambda: found("The river?"))

    assert not any('"documents"."text"' in query for query in queries)


def test_stop_words_of_all_languages_are_looked_up_quickly() -> None:
    words = " ".join(f"word{number}" for number in range(64))
    query_of(words)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '500ms'")

    assert query_of(words)
