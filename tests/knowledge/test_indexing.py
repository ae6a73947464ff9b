"""The index says what the documents say, and nothing is written that is there already."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.exceptions import TransientError
from jobs.models import Job
from processing.choices import INDEXING_JOB, DocumentStatus, LinkKind
from processing.exceptions import ProviderRefused, ProviderUnavailable
from processing.knowledge.searching.embeddings import is_embedded, prepare_semantic_search
from processing.knowledge.searching.indexing import content_key, index, is_indexed
from processing.knowledge.searching.search import search
from processing.models import Document, DocumentLink, Passage, Summary
from tests.factories.knowledge import DocumentFactory
from tests.factories.processing import TranscriptFactory, heard_segment
from tests.fakes.text import FakeEmbeddings

pytestmark = pytest.mark.django_db

PARAGRAPHS = [f"{name} " * 150 for name in ("river", "mountain", "harbour", "lighthouse")]


def indexed(document: Document) -> Document:
    index(Job(job_type=INDEXING_JOB, payload={"document_id": str(document.pk)}))
    document.refresh_from_db()
    return document


def document_of(*paragraphs: str, **row: Any) -> Document:
    return DocumentFactory.create(text="\n\n".join(paragraphs), pending=True, **row)


def correct(document: Document, *paragraphs: str) -> None:
    text = "\n\n".join(paragraphs)
    Document.objects.filter(pk=document.pk).update(text=text, version=document.version + 1)


def rows_of(document: Document) -> dict[str, tuple[int, str]]:
    """Return where the row of each passage is, and the transaction that wrote it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT text, id, ctid::text FROM passages WHERE document_id = %s", [document.pk]
        )
        return {text: (pk, place) for text, pk, place in cursor.fetchall()}


def test_a_document_is_ready_once_its_words_can_be_found() -> None:
    document = indexed(document_of("the river rises"))

    assert document.status == DocumentStatus.READY
    assert document.content_key == content_key(document)
    [hit] = search(workspace=document.workspace, query="rivers").hits
    assert hit.document_id == document.pk


def test_what_was_spoken_keeps_its_times_and_speakers() -> None:
    segments = [
        heard_segment(1.0, "the", "river") | {"speaker": "Anna"},
        heard_segment(3.0, "the", "sea") | {"speaker": "Ben"},
    ]
    transcript = TranscriptFactory.create(completed=True, segments=segments)
    document = indexed(DocumentFactory.create(transcript=transcript, pending=True))

    rows = Passage.objects.of_document(document).in_order()
    assert list(rows.values_list("text", "speaker", "start_seconds", "marks")) == [
        ("the river", "Anna", 1.0, [[0, 1.0]]),
        ("the sea", "Ben", 3.0, [[0, 3.0]]),
    ]


def test_indexing_again_writes_nothing() -> None:
    document = indexed(document_of(*PARAGRAPHS))

    with CaptureQueriesContext(connection) as captured:
        indexed(document)

    assert all(query["sql"].startswith("SELECT") for query in captured.captured_queries)
    assert not any("FOR NO KEY UPDATE" in query["sql"] for query in captured.captured_queries)


def test_what_a_correction_leaves_alone_keeps_its_row() -> None:
    document = indexed(document_of(*PARAGRAPHS))
    before = rows_of(document)
    correct(document, *PARAGRAPHS[:2], PARAGRAPHS[2].replace("harbour", "port"), PARAGRAPHS[3])

    after = rows_of(indexed(Document.objects.get(pk=document.pk)))

    assert len(before) == len(after) == 4
    same = before.keys() & after.keys()
    assert len(same) == 3
    assert {text: before[text] for text in same} == {text: after[text] for text in same}


def test_passages_that_change_places_keep_their_rows() -> None:
    document = indexed(document_of(*PARAGRAPHS))
    before = rows_of(document)
    correct(document, *PARAGRAPHS[::-1])

    indexed(Document.objects.get(pk=document.pk))

    assert {text: pk for text, (pk, _) in rows_of(document).items()} == {
        text: pk for text, (pk, _) in before.items()
    }
    rows = Passage.objects.of_document(document).in_order()
    assert [row.text.split()[0] for row in rows] == ["lighthouse", "harbour", "mountain", "river"]


def test_the_language_of_a_document_is_that_of_its_passages() -> None:
    document = indexed(document_of("die Häuser", language="en"))
    Document.objects.filter(pk=document.pk).update(language="de")

    indexed(document)

    assert len(search(workspace=document.workspace, query="Haus").hits) == 1


def test_an_empty_document_is_ready_and_has_no_passages() -> None:
    document = indexed(document_of(" \n\n "))

    assert document.status == DocumentStatus.READY
    assert not document.passages.exists()
    assert not Summary.objects.exists()


def test_a_document_that_became_empty_loses_its_passages() -> None:
    document = indexed(document_of("the river rises"))
    correct(document, "")

    indexed(Document.objects.get(pk=document.pk))

    assert not document.passages.exists()


def test_a_document_that_became_empty_is_about_nothing_any_more() -> None:
    text = "The lighthouse keeper wrote of the lighthouse keeper in the harbour town."
    indexed(document_of(text))
    document = indexed(document_of(f"{text} And of his boat."))
    assert document.topics.exists()
    assert document.links_out.exists()
    correct(document, "")

    indexed(Document.objects.get(pk=document.pk))

    assert not document.topics.exists()
    assert not document.links_out.exists()


@pytest.mark.vector
@pytest.mark.usefixtures("_semantic")
def test_a_correction_that_is_taken_back_while_its_index_is_unfinished_is_taken_back_there_too(
    settings: Any,
) -> None:
    document = indexed(document_of("the river"))
    correct(document, "the sea")
    settings.EMBEDDINGS = BrokenEmbeddings(ProviderUnavailable("nobody answers"))
    with pytest.raises(TransientError):
        indexed(document)
    settings.EMBEDDINGS = FakeEmbeddings()
    correct(document, "the river")

    indexed(document)

    assert [row.text for row in document.passages.all()] == ["the river"]


def test_a_document_that_is_gone_needs_no_index() -> None:
    index(Job(job_type=INDEXING_JOB, payload={"document_id": str(uuid4())}))

    assert not Passage.objects.exists()


def test_a_document_that_failed_stays_so() -> None:
    document = indexed(DocumentFactory.create(failed=True))

    assert (document.status, document.content_key) == (DocumentStatus.FAILED, "")


def test_a_document_is_summarised_once_it_is_indexed(settings: Any) -> None:
    settings.AUTO_SUMMARIZE = True

    document = indexed(document_of(*PARAGRAPHS))

    assert Summary.objects.of_document(document).count() == 1


def test_nothing_is_summarised_where_the_settings_say_so(settings: Any) -> None:
    settings.AUTO_SUMMARIZE = False

    indexed(document_of(*PARAGRAPHS))

    assert not Summary.objects.exists()


class BrokenEmbeddings(FakeEmbeddings):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def embed(self, texts: Any) -> Any:
        raise self._error


@pytest.fixture
def _semantic(settings: Any) -> None:
    settings.EMBEDDINGS = FakeEmbeddings()
    assert prepare_semantic_search()


@pytest.mark.vector
@pytest.mark.usefixtures("_semantic")
def test_a_document_is_ready_while_the_embeddings_server_is_away(settings: Any) -> None:
    settings.EMBEDDINGS = BrokenEmbeddings(ProviderUnavailable("nobody answers"))
    document = document_of("the river rises")

    with pytest.raises(TransientError):
        indexed(document)

    document.refresh_from_db()
    assert (document.status, document.content_key) == (DocumentStatus.READY, "")
    settings.EMBEDDINGS = FakeEmbeddings()
    assert indexed(document).content_key != ""


@pytest.mark.vector
@pytest.mark.usefixtures("_semantic")
def test_a_refusal_by_the_embeddings_server_is_not_tried_again(settings: Any) -> None:
    settings.EMBEDDINGS = BrokenEmbeddings(ProviderRefused("no"))

    document = indexed(document_of("the river rises"))

    assert document.content_key == content_key(document)


@pytest.mark.vector
def test_documents_from_before_there_was_a_place_for_vectors_get_theirs(settings: Any) -> None:
    engine = settings.EMBEDDINGS = FakeEmbeddings()
    document = indexed(document_of("the river rises"))
    assert engine.asked == []

    assert prepare_semantic_search()
    assert not is_indexed(document)
    indexed(document)

    assert is_embedded(document, engine)


@pytest.mark.vector
@pytest.mark.usefixtures("_semantic")
def test_vectors_that_are_missing_are_made_up_for(settings: Any) -> None:
    settings.EMBEDDINGS = BrokenEmbeddings(ProviderRefused("no"))
    document = indexed(document_of("the river rises"))
    settings.EMBEDDINGS = FakeEmbeddings()

    assert not is_indexed(document)
    assert is_indexed(indexed(document))


@pytest.mark.vector
@pytest.mark.usefixtures("_semantic")
def test_only_what_is_new_is_embedded(settings: Any) -> None:
    engine = settings.EMBEDDINGS
    document = indexed(document_of(*PARAGRAPHS))
    engine.asked.clear()
    correct(document, *PARAGRAPHS[:3], "something new")

    indexed(Document.objects.get(pk=document.pk))

    assert len(engine.asked) == 1


def test_documents_about_the_same_are_linked() -> None:
    text = "The lighthouse keeper wrote of the lighthouse keeper in the harbour town."
    one = indexed(document_of(text))
    other = indexed(document_of(f"{text} And of his boat."))
    indexed(document_of("Nothing but mountains and goats."))

    [link] = DocumentLink.objects.filter(kind=LinkKind.SIMILAR)

    assert (link.source_id, link.target_id) == (other.pk, one.pk)
    assert 0.3 <= link.weight <= 1


def test_links_of_people_stay_when_those_of_the_machine_are_made_anew() -> None:
    one, other = document_of("the river"), document_of("the sea")
    DocumentLink.objects.create(source=one, target=other, kind=LinkKind.RELATED)
    DocumentLink.objects.create(source=one, target=other, kind=LinkKind.SIMILAR, weight=0.9)

    indexed(one)

    assert [link.kind for link in DocumentLink.objects.all()] == [LinkKind.RELATED]
