"""Documents are linked to those of their workspace that are most about the same."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from processing.choices import LinkKind
from processing.knowledge.searching.embeddings import embed_missing, prepare_semantic_search
from processing.knowledge.searching.similarity import LEAST_LIKENESS, MAX_LINKS, link_similar
from processing.models import Document, DocumentLink
from tests.factories.knowledge import DocumentFactory, PassageFactory
from tests.factories.processing import WorkspaceFactory
from tests.fakes.text import FakeEmbeddings

pytestmark = pytest.mark.django_db

PHRASES = [("lighthouse keeper", 1.0), ("harbour", 0.6), ("boat", 0.4)]


def saying(text: str, **row: Any) -> Document:
    document = DocumentFactory.create(**row)
    PassageFactory.create(document=document, text=text)
    return document


def links_of(document: Document) -> dict[Document, float]:
    links = DocumentLink.objects.filter(source=document, kind=LinkKind.SIMILAR)
    return {link.target: link.weight for link in links.select_related("target")}


def test_the_weight_is_the_share_of_the_phrases_that_both_have() -> None:
    document = saying("about all of it")
    half = saying("the lighthouse keeper")
    most = saying("lighthouse keepers of the harbour")
    saying("a boat")  # 0.4 of 2.0 is too little

    link_similar(document, PHRASES)

    assert links_of(document) == {half: 0.5, most: 0.8}
    assert LEAST_LIKENESS == 0.3


def test_a_document_is_not_similar_to_itself() -> None:
    document = saying("lighthouse keeper harbour boat")

    link_similar(document, PHRASES)

    assert links_of(document) == {}


def test_other_workspaces_have_nothing_to_do_with_it() -> None:
    document = saying("lighthouse keeper")
    saying("lighthouse keeper", workspace=WorkspaceFactory.create())

    link_similar(document, PHRASES)

    assert links_of(document) == {}


def test_only_the_most_similar_are_linked() -> None:
    document = saying("lighthouse keeper")
    best = {saying("lighthouse keeper harbour") for _ in range(MAX_LINKS)}
    for _ in range(3):
        saying("lighthouse keeper")

    link_similar(document, PHRASES)

    assert links_of(document).keys() == best


def test_what_is_no_longer_similar_is_unlinked_and_what_is_stays() -> None:
    document = saying("lighthouse keeper")
    other = saying("lighthouse keeper")
    link_similar(document, PHRASES)
    [before] = DocumentLink.objects.values_list("pk", flat=True)

    with CaptureQueriesContext(connection) as captured:
        link_similar(document, PHRASES)
    assert not any(query["sql"].startswith("UPDATE") for query in captured.captured_queries)
    assert DocumentLink.objects.get().pk == before

    other.passages.update(text="nothing of that")
    link_similar(document, PHRASES)
    assert links_of(document) == {}


def test_phrases_of_stop_words_are_no_likeness() -> None:
    document = saying("to be or not to be")
    saying("to be or not to be")

    link_similar(document, [("to be", 1.0)])

    assert links_of(document) == {}


@pytest.mark.vector
def test_with_vectors_the_nearest_documents_are_linked(settings: Any) -> None:
    engine = settings.EMBEDDINGS = FakeEmbeddings()
    assert prepare_semantic_search()
    document = saying("harbour harbour boat")
    near, far = saying("harbour boat"), saying("mountain goat")
    for row in (document, near, far):
        embed_missing(row, engine)

    link_similar(document, [])

    [(target, weight)] = links_of(document).items()
    assert target == near
    assert weight == pytest.approx(0.9487, abs=0.01)
