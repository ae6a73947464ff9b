"""What was said is found by its words, in its own workspace, with the time it was said at."""

from typing import Any

import pytest
from django.db import connection

from processing.exceptions import InvalidQuery, NotConfigured
from processing.knowledge.searching import candidates
from processing.knowledge.searching.languages import bucket_lexeme, workspace_lexeme
from processing.knowledge.searching.search import SearchPage, forget_languages, search
from processing.models import Document, Passage, Transcript, Workspace
from tests.factories.knowledge import (
    DocumentFactory,
    PassageFactory,
)
from tests.factories.processing import WorkspaceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    return Workspace.objects.default()


def said(*texts: str, **document: Any) -> Document:
    """Store a document of these passages."""
    row = DocumentFactory.create(**document)
    for text in texts:
        PassageFactory.create(document=row, text=text, spoken=True)
    forget_languages(row.workspace_id)
    return row


def found(query: str, **options: Any) -> SearchPage:
    return search(workspace=Workspace.objects.default(), query=query, **options)


def texts(page: SearchPage) -> list[str]:
    return ["".join(text for text, _ in hit.snippet) for hit in page.hits]


def matches(page: SearchPage) -> list[list[str]]:
    return [[text for text, is_match in hit.snippet if is_match] for hit in page.hits]


def test_a_hit_says_where_and_when_it_was_said() -> None:
    document = said("nothing of it", "the rivers rise", spoken=True)
    transcript = Transcript.objects.get(document=document)
    second = document.passages.get(index=1)

    [hit] = found("river").hits

    assert (hit.passage_id, hit.document_id, hit.title) == (
        second.pk,
        document.pk,
        document.title,
    )
    assert (hit.transcript_id, hit.recording_id) == (
        transcript.pk,
        transcript.recording_id,
    )
    assert (hit.start_seconds, hit.end_seconds) == (10.0, 18.0)
    assert hit.snippet == [("the ", False), ("rivers", True), (" rise", False)]
    assert 0 < hit.score <= 1


def test_the_time_of_a_hit_is_that_of_its_first_match() -> None:
    PassageFactory.create(
        text="one thing. another river. a river too",
        start_seconds=5.0,
        end_seconds=9.0,
        marks=[[0, 5.0], [11, 6.5], [26, 8.0]],
    )

    assert [hit.start_seconds for hit in found("river").hits] == [6.5]


def test_what_was_written_has_no_time() -> None:
    PassageFactory.create(text="a river")

    [hit] = found("river").hits
    assert (hit.start_seconds, hit.end_seconds) == (None, None)
    assert (hit.transcript_id, hit.recording_id) == (None, None)


def test_nothing_is_found_by_an_exact_count_of_nothing() -> None:
    said("the rivers rise")

    assert found("mountain") == SearchPage([], False, 0, True, "words")


def test_the_same_words_next_to_each_other_come_first() -> None:
    said("the bank of that river", "the river bank", "the river has a long, long bank")

    page = found("river bank")

    assert texts(page)[0] == "the river bank"
    assert page.total == 3


def test_texts_are_found_by_the_rules_of_their_own_language() -> None:
    said("die Häuser am Fluss", language="de")
    said("houses by the river", language="en")

    assert texts(found("Haus")) == ["die Häuser am Fluss"]
    assert texts(found("house")) == ["houses by the river"]
    assert texts(found("häusern")) == ["die Häuser am Fluss"]


def test_a_minus_holds_in_every_language() -> None:
    said("a cat and a dog", language="en")
    said("ein Text", language="de")

    assert found("cat -dogs").hits == []


def test_a_language_nobody_knows_is_looked_through_word_by_word() -> None:
    said("mlima mrefu", language="sw")

    assert matches(found("mlima")) == [["mlima"]]


@pytest.mark.parametrize(
    ("language", "text", "query", "match"),
    [
        pytest.param("zh", "今天我们开会讨论预算。", "开会", "开会", id="Chinese"),
        pytest.param("ja", "明日は会議があります。", "会議", "会議", id="Japanese"),
        pytest.param("th", "วันนี้เราประชุม", "ประชุม", "ประชุม", id="Thai"),
        pytest.param("ar", "اجتماع اليوم", "اجتماع", "اجتماع", id="Arabic"),
        pytest.param("he", "ישיבה היום", "ישיבה", "ישיבה", id="Hebrew"),
    ],
)
def test_every_script_is_found_and_marked(language: str, text: str, query: str, match: str) -> None:
    said(text, language=language)

    assert matches(found(query)) == [[match]]


def test_markup_in_a_text_is_text() -> None:
    said("a <b>river</b> & <script>alert(1)</script>", language="en")

    [hit] = found("river").hits

    assert "".join(text for text, _ in hit.snippet) == (
        "a <b>river</b> & <script>alert(1)</script>"
    )
    assert ("river", True) in hit.snippet


def test_letters_that_we_mark_with_are_text_in_a_text() -> None:
    said("a \ue000river\ue001 bank")

    assert matches(found("bank")) == [["bank"]]


def test_other_workspaces_are_not_looked_through(workspace: Workspace) -> None:
    other = WorkspaceFactory.create()
    said("the river there", workspace=other)
    said("the river here")

    assert texts(found("river")) == ["the river here"]
    assert texts(search(workspace=other, query="river")) == ["the river there"]


def test_a_text_cannot_pretend_to_be_of_another_workspace(workspace: Workspace) -> None:
    words = f"{workspace_lexeme(workspace.pk)} {bucket_lexeme(workspace.pk, 0)}"
    hostile = said(f"the river {words}", workspace=WorkspaceFactory.create())
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE passages ALTER COLUMN search DROP EXPRESSION")
        cursor.execute(
            "UPDATE passages SET search = search || array_to_tsvector(%s)", [words.split()]
        )

    assert found("river").hits == []
    assert hostile.passages.count() == 1


def test_a_prefix_does_not_find_the_words_of_our_own(workspace: Workspace) -> None:
    said("the river")

    page = found(f"{str(workspace.pk)[:3]}* or zzz")

    assert page.hits == []


def test_pages_follow_each_other_without_gap_or_repetition() -> None:
    said(*[f"the river number {i}" for i in range(25)])

    pages = [found("river", limit=10, offset=offset) for offset in (0, 10, 20)]

    ids = [hit.passage_id for page in pages for hit in page.hits]
    assert len(ids) == len(set(ids)) == 25
    assert [page.has_more for page in pages] == [True, True, False]
    assert {page.total for page in pages} == {25}


def test_of_too_many_the_newest_are_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "CANDIDATES", 10)
    monkeypatch.setattr(candidates, "FEW", 0)
    said(*["the river"] * 40)
    newest = Passage.objects.of_document(said("the river")).get()
    Passage.objects.filter(pk=newest.pk).update(id=2_000_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE passages")

    page = found("river", limit=100)

    assert len(page.hits) == 10
    assert 2_000_000 in {hit.passage_id for hit in page.hits}
    assert not page.is_total_exact


def test_all_stretches_of_ids_are_looked_through_until_there_are_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(candidates, "FEW", 0)
    said(*[f"the river number {i}" for i in range(5)])
    for i, passage in enumerate(Passage.objects.all()):
        Passage.objects.filter(pk=passage.pk).update(id=passage.pk + 2_000_000 * i)

    page = found("river")

    assert (len(page.hits), page.total, page.is_total_exact) == (5, 5, True)


def test_of_alternatives_the_rare_ones_are_never_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "CANDIDATES", 50)
    monkeypatch.setattr(candidates, "FEW", 0)
    said("the lighthouse")
    said(*["the river"] * 300)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE passages")

    page = found("river or lighthouse or harbour", limit=100)

    assert "the lighthouse" in texts(page)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"mode": "magic"}, id="mode"),
        pytest.param({"limit": 0}, id="limit"),
        pytest.param({"limit": 101}, id="large limit"),
        pytest.param({"offset": -1}, id="offset"),
    ],
)
def test_what_means_nothing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidQuery):
        found("river", **options)


def test_a_search_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "_LIMITS", "SET LOCAL statement_timeout = '20ms'")

    with (
        pytest.raises(InvalidQuery, match="SEARCH_SECONDS"),
        candidates.limited(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_sleep(1)")


def test_the_limits_of_a_search_end_with_it() -> None:
    said("the river")
    before = limits()

    found("river")

    assert limits() == before


def limits() -> Any:
    names = ("statement_timeout", "enable_seqscan", "jit")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting(name) FROM unnest(%s::text[]) AS name", [list(names)]
        )
        return cursor.fetchall()


def test_search_by_meaning_without_an_engine_says_what_to_configure() -> None:
    with pytest.raises(NotConfigured, match="EMBEDDINGS_BASE_URL"):
        found("river", mode="meaning")
