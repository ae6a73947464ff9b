"""Related documents are read by the indexes of links, however many links there are."""

import pytest
from django.db import connection

from processing.knowledge.relations import related
from processing.models import Document
from tests.factories.knowledge import DocumentFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

COUNT = 2_000

DOCUMENTS = """
INSERT INTO documents (
    id, workspace_id, kind, title, language, status, error_code, error_message, media_type, file,
    sha256, size_bytes, text, sections, version, content_key
)
SELECT
    ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, %s, 'UPLOAD', n, '', 'READY', '',
    '', '', '', md5(n::text), 0, '', '[]', 1, ''
FROM generate_series(1, %s) AS n
"""
#: Ten links of each document, to others at growing distances.
LINKS = """
INSERT INTO document_links (source_id, target_id, kind, weight)
SELECT
    ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid,
    ('00000000-0000-0000-0000-' || lpad(((n + k * k * 7) %% %s + 1)::text, 12, '0'))::uuid,
    'SIMILAR', 0.5
FROM generate_series(1, %s) AS n, generate_series(1, 10) AS k
ON CONFLICT DO NOTHING
"""


@pytest.fixture
def linked() -> Document:
    """One of many documents with many links."""
    workspace = DocumentFactory.create().workspace
    with connection.cursor() as cursor:
        cursor.execute(DOCUMENTS, [workspace.pk, COUNT])
        cursor.execute(LINKS, [COUNT, COUNT])
        cursor.execute("ANALYZE documents")
        cursor.execute("ANALYZE document_links")
    return Document.objects.get(title="1")


def test_links_are_never_read_as_a_whole(linked: Document) -> None:
    found = []
    sql, *_ = queries_of(lambda: found.append(related(linked, depth=2)))
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + sql.replace("%", "%%"), [])
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert found[0].total > 100
    assert "Seq Scan" not in plan
    assert "link_named_once" in plan
    assert "link_target_idx" in plan
