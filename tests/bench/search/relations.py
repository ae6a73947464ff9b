"""How long it takes to find what a document has to do with, over three links."""

import random
import time

from django.db import connection

from processing.models import Document
from tests.bench.percentiles import percentile
from tests.bench.search.corpus import Corpus
from tests.bench.table import Row, Table

LIMIT_MS = 100.0
DEPTH = 3
ASKED = 200

#: Each document is linked to so many: most of its own group of so many, one of any.
LINKS, GROUP = 10, 200

_LINKS = """
WITH numbered AS MATERIALIZED (
    SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM documents WHERE workspace_id = %(id)s
), counted AS MATERIALIZED (SELECT count(*) AS total FROM numbered)
INSERT INTO document_links (source_id, target_id, kind, weight)
SELECT source.id, target.id, 'SIMILAR', 1.0 / k
FROM counted CROSS JOIN numbered AS source CROSS JOIN generate_series(1, %(links)s) AS k
JOIN numbered AS target ON target.n = CASE
    WHEN k = 1 THEN (source.n * 7919 + 13) %% total
    ELSE least(source.n / %(group)s * %(group)s + (source.n * 31 + k * 17) %% %(group)s, total - 1)
END
WHERE source.id <> target.id
ON CONFLICT DO NOTHING
"""


def bench_relations(table: Table, corpus: Corpus) -> None:
    count = 0
    with connection.cursor() as cursor:
        for pk in corpus.workspaces.values():
            cursor.execute(_LINKS, {"id": pk, "links": LINKS, "group": GROUP})
            count += cursor.rowcount
        cursor.execute("VACUUM (ANALYZE) document_links")
    table.add(Row("links between documents", count, 1_000_000, "links"))
    documents = Document.objects.filter(workspace=corpus.workspaces["large"]).without_content()
    chosen = random.Random(0).sample(list(documents.order_by("pk")), ASKED)  # noqa: S311
    times = []
    reached = 0
    for document in chosen:
        started = time.perf_counter()
        found = Document.objects.related(document, depth=DEPTH, limit=20)
        times.append(1000 * (time.perf_counter() - started))
        reached = max(reached, found[0].total if found else 0)
    table.add(Row("related at depth 3, p95", percentile(times, 0.95), LIMIT_MS, "ms", 1.0))
    table.add(Row("related at depth 3, slowest", max(times), LIMIT_MS, "ms"))
    table.add(Row("documents within three links, the most", reached, GROUP, "documents"))
