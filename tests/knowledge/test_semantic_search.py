"""Passages are found by what they mean, where the database and an engine can do that."""

from typing import Any

import pytest
from django.db import connection

from jobs.exceptions import TransientError
from processing.exceptions import BreakerIsOpen, NotConfigured, ProviderUnavailable
from processing.knowledge.searching.embeddings import (
    embed_missing,
    is_embedded,
    is_prepared,
    mean_vector,
    prepare_semantic_search,
    vectors_of,
)
from processing.knowledge.searching.search import SearchFilters, SearchPage, search
from processing.models import Document, Passage, Workspace
from tests.factories.knowledge import DocumentFactory, PassageFactory
from tests.factories.processing import WorkspaceFactory
from tests.fakes.text import FakeEmbeddings

pytestmark = pytest.mark.django_db


class Broken(FakeEmbeddings):
    """A server of which this is all one hears."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def embed(self, texts: Any) -> Any:
        raise self._error


@pytest.fixture
def engine(settings: Any) -> FakeEmbeddings:
    settings.EMBEDDINGS = FakeEmbeddings()
    engine: FakeEmbeddings = settings.EMBEDDINGS
    return engine


@pytest.fixture
def prepared(engine: FakeEmbeddings) -> FakeEmbeddings:
    assert prepare_semantic_search()
    return engine


def embedded(engine: FakeEmbeddings, *texts: str, **row: Any) -> Document:
    document = DocumentFactory.create(**row)
    for text in texts:
        PassageFactory.create(document=document, text=text)
    embed_missing(document, engine)
    return document


def found(query: str, **options: Any) -> SearchPage:
    return search(workspace=Workspace.objects.default(), query=query, **options)


def first_words(page: SearchPage) -> list[str]:
    return ["".join(text for text, _ in hit.snippet).split()[0] for hit in page.hits]


@pytest.mark.vector
def test_what_is_prepared_may_be_prepared_again(prepared: FakeEmbeddings) -> None:
    assert prepare_semantic_search()
    assert is_prepared()


@pytest.mark.vector
def test_every_engine_has_an_index_of_its_own(prepared: FakeEmbeddings, settings: Any) -> None:
    settings.EMBEDDINGS = FakeEmbeddings(version="it's 100% new", dimension=32)
    assert prepare_semantic_search()

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_indexes WHERE tablename = 'passage_embeddings'"
            " AND indexdef LIKE '%hnsw%'"
        )
        assert cursor.fetchone() == (2,)
    embedded(settings.EMBEDDINGS, "river")
    assert len(found("river", mode="meaning").hits) == 1


@pytest.mark.vector
def test_without_an_engine_nothing_is_prepared() -> None:
    assert not prepare_semantic_search()
    assert not is_prepared()


@pytest.mark.vector
def test_the_nearest_passages_are_found(prepared: FakeEmbeddings) -> None:
    embedded(prepared, "harbour harbour sea", "mountain goat", "harbour town")

    page = found("harbour", mode="meaning")

    assert first_words(page) == ["harbour", "harbour"]
    assert (page.mode, page.is_total_exact) == ("meaning", False)
    assert page.hits[0].score > page.hits[1].score > 0


@pytest.mark.vector
def test_both_rankings_are_fused(prepared: FakeEmbeddings) -> None:
    embedded(prepared, "sailing the sea", "sailing boats", "a mountain")
    PassageFactory.create(text="boats that nobody embedded")

    page = found("sailing boats OR boat")

    assert page.mode == "both"
    assert first_words(page)[0] == "sailing"
    assert page.hits[0].score <= 1


@pytest.mark.vector
def test_other_workspaces_are_not_looked_through(prepared: FakeEmbeddings) -> None:
    embedded(prepared, "harbour there", workspace=WorkspaceFactory.create())
    embedded(prepared, "harbour here")

    assert len(found("harbour", mode="meaning").hits) == 1


@pytest.mark.vector
def test_a_small_workspace_is_found_among_many_nearer_passages(prepared: FakeEmbeddings) -> None:
    embedded(prepared, *["harbour"] * 300, workspace=WorkspaceFactory.create())
    embedded(prepared, "harbour and many other words")

    assert len(found("harbour", mode="meaning").hits) == 1


@pytest.mark.vector
def test_filters_hold_for_meaning_too(prepared: FakeEmbeddings) -> None:
    embedded(prepared, "harbour one", language="de")
    document = embedded(prepared, "harbour two", language="en")

    page = found("harbour", mode="meaning", filters=SearchFilters(language="en"))

    assert [hit.document_id for hit in page.hits] == [document.pk]


@pytest.mark.vector
def test_vectors_of_another_version_are_not_compared(
    prepared: FakeEmbeddings, settings: Any
) -> None:
    embedded(prepared, "harbour")
    settings.EMBEDDINGS = FakeEmbeddings(version="2")

    assert found("harbour", mode="meaning").hits == []


@pytest.mark.vector
def test_vectors_go_with_their_passages(prepared: FakeEmbeddings) -> None:
    document = embedded(prepared, "harbour", "sea")
    assert is_embedded(document, prepared)

    Passage.objects.of_document(document).delete()

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM passage_embeddings")
        assert cursor.fetchone() == (0,)


@pytest.mark.vector
def test_the_mean_of_a_document_is_between_its_passages(prepared: FakeEmbeddings) -> None:
    document = embedded(prepared, "harbour", "sea")
    [harbour, sea] = vectors_of(["harbour", "sea"], prepared)

    mean = mean_vector(document, prepared)

    assert mean is not None
    assert mean @ harbour == pytest.approx(mean @ sea)
    assert mean_vector(DocumentFactory.create(), prepared) is None


def test_the_same_text_is_embedded_once(engine: FakeEmbeddings) -> None:
    first = vectors_of(["harbour", "sea", "harbour"], engine)

    again = vectors_of(["sea"], engine)

    assert engine.asked == ["harbour", "sea"]
    assert (first[0] == first[2]).all()
    assert (again[0] == first[1]).all()


@pytest.mark.vector
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ProviderUnavailable("nobody answers"), id="away"),
        pytest.param(BreakerIsOpen("wait", seconds=5.0), id="breaker"),
    ],
)
def test_words_alone_are_asked_while_the_server_is_away(
    prepared: FakeEmbeddings, settings: Any, error: Exception
) -> None:
    embedded(prepared, "the harbour")
    settings.EMBEDDINGS = Broken(error)

    page = found("harbour")

    assert (page.mode, len(page.hits)) == ("words", 1)


@pytest.mark.vector
def test_who_asks_for_meaning_alone_hears_that_the_server_is_away(
    prepared: FakeEmbeddings, settings: Any
) -> None:
    settings.EMBEDDINGS = Broken(ProviderUnavailable("nobody answers"))

    with pytest.raises(TransientError):
        found("harbour", mode="meaning")


@pytest.mark.vector
def test_a_query_of_stop_words_has_a_meaning(prepared: FakeEmbeddings) -> None:
    embedded(prepared, "to be or not to be")

    assert len(found("to be", mode="meaning").hits) == 1


def test_a_server_without_the_extension_says_how_to_get_it(
    engine: FakeEmbeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP EXTENSION IF EXISTS vector CASCADE")
        cursor.execute("DROP TABLE IF EXISTS passage_embeddings")
    PassageFactory.create(text="the harbour")

    assert found("harbour").mode == "words"
    with pytest.raises(NotConfigured, match="pgvector"):
        found("harbour", mode="meaning")
