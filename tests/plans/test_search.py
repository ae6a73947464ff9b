"""A search reads a part of the index and at most so many rows, however many match."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from processing.choices import DocumentKind, DocumentStatus
from processing.knowledge.searching.candidates import CANDIDATES, limited
from processing.knowledge.searching.search import search
from processing.models import Document, Workspace
from tests.plans.test_work import nodes_of, rows_read
from tests.queries import queries_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_many_passages")]

COUNT, SMALL = 30_000, 50

#: Every second passage has both of two words; ids are as far apart as after many changes.
PASSAGES = """
INSERT INTO passages (
    id, document_id, workspace_id, index, text, language, speaker, marks
)
SELECT n * 100, %s, %s, n, CASE WHEN n %% 2 = 0 THEN 'river harbour ' ELSE 'mountain goat ' END
    || CASE WHEN n %% 1000 = 0 THEN 'lighthouse ' ELSE '' END || md5(n::text), 'en', '', '[]'
FROM generate_series(%s, %s) AS n
"""


@pytest.fixture(scope="module")
def _many_passages(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Committed once for this module, and deleted after it."""
    with django_db_blocker.unblock():
        first = 1
        for name, count in (("large", COUNT), ("small", SMALL)):
            workspace = Workspace.objects.create(name=name, slug=f"plans-{name}")
            document = Document.objects.create(
                workspace=workspace,
                kind=DocumentKind.UPLOAD,
                title=name,
                language="en",
                status=DocumentStatus.READY,
            )
            with connection.cursor() as cursor:
                cursor.execute(PASSAGES, [document.pk, workspace.pk, first, first + count - 1])
            first += count
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE) passages")
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE passages")
        cursor.execute("DELETE FROM documents")
        cursor.execute("DELETE FROM workspaces WHERE slug LIKE 'plans-%'")


def plans_of(name: str, query: str) -> list[dict[str, Any]]:
    """Return the plans of what looks for candidates, with what they really read."""
    workspace = Workspace.objects.get(slug=f"plans-{name}")
    search(workspace=workspace, query=query)
    statements = queries_of(lambda: search(workspace=workspace, query=query))
    plans = []
    with limited(), connection.cursor() as cursor:
        for sql in statements:
            if sql.startswith("SELECT") and "ts_rank_cd" in sql:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
                [[document]] = cursor.fetchall()
                found = json.loads(document) if isinstance(document, str) else document
                plans.append(found[0]["Plan"])
    assert plans
    return plans


@pytest.mark.parametrize("name", ["large", "small"])
@pytest.mark.parametrize(
    "query",
    [
        pytest.param("river harbour", id="common words"),
        pytest.param("harbour", id="a common word"),
        pytest.param("lighthouse", id="a rare word"),
        pytest.param("river lighthouse", id="a common and a rare word"),
        pytest.param("lighth*", id="a prefix"),
        pytest.param("river or goat", id="either of two common words"),
        pytest.param("river -goat", id="without"),
    ],
)
def test_candidates_are_found_by_the_index(name: str, query: str) -> None:
    nodes = [node for plan in plans_of(name, query) for node in nodes_of(plan)]

    tables = [node for node in nodes if "Relation Name" in node]
    assert {node["Node Type"] for node in tables} == {"Bitmap Heap Scan"}
    assert {node["Index Name"] for node in nodes if "Index Name" in node} == {"passage_search_idx"}
    assert max(rows_read(node) for node in tables) <= CANDIDATES


def test_common_words_cost_a_large_workspace_few_pages() -> None:
    [plan] = plans_of("large", "river harbour")

    index = next(node for node in nodes_of(plan) if "Index Name" in node)
    assert index["Actual Rows"] <= 4 * CANDIDATES  # of 15,000 that match


def test_a_small_workspace_reads_no_rows_of_a_large_one() -> None:
    plans = plans_of("small", "river harbour")

    assert sum(rows_read(n) for p in plans for n in nodes_of(p) if "Relation Name" in n) <= SMALL
