"""How many documents a worker puts into the index, and what it writes when nothing has changed."""

import time
from collections.abc import Callable

from django.conf import settings
from django.db import connection, transaction

from jobs.models import Job
from processing.choices import INDEXING_JOB, DocumentKind
from processing.knowledge.searching.indexing import index
from processing.knowledge.searching.storing import store_passages
from processing.models import Document
from tests.bench.search.corpus import Corpus
from tests.bench.search.writing import Writer
from tests.bench.table import Row, Table

DOCUMENTS = 40
PASSAGES = 26

_WRITTEN = """
SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_xact_user_tables
"""


def bench_indexing(table: Table, corpus: Corpus) -> None:
    settings.AUTO_SUMMARIZE = False
    documents = new_documents(corpus, seed=1)
    seconds = timed(documents, store)
    report(table, "a worker puts into the index, words alone", documents, seconds)
    documents = new_documents(corpus, seed=2)
    seconds = timed(documents, run)
    report(table, "a worker indexes, with topics and links", documents, seconds)
    seconds = timed(documents, run)
    report(table, "a worker looks at what has not changed", documents, seconds)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")  # what was written before
    with transaction.atomic(), connection.cursor() as cursor:
        for document in documents:
            run(document)
        cursor.execute(_WRITTEN)
        written = int(cursor.fetchone()[0])
    table.add(Row("rows written when nothing has changed", written, 1, "rows", 0.0))


def new_documents(corpus: Corpus, *, seed: int) -> list[Document]:
    """Create documents of text that nobody has indexed."""
    writer = Writer(10_000 + seed, passages=PASSAGES)
    return [
        Document.objects.create(
            workspace_id=corpus.workspaces["other"],
            kind=DocumentKind.UPLOAD,
            title=f"new {seed} {number}",
            language="en",
            sha256=f"new {seed} {number}",
            text="\n\n".join(writer.passages()),
        )
        for number in range(DOCUMENTS)
    ]


@transaction.atomic
def store(document: Document) -> None:
    store_passages(document)


def run(document: Document) -> None:
    index(Job(job_type=INDEXING_JOB, payload={"document_id": str(document.pk)}))


def timed(documents: list[Document], call: Callable[[Document], None]) -> float:
    started = time.perf_counter()
    for document in documents:
        call(document)
    return time.perf_counter() - started


def report(table: Table, name: str, documents: list[Document], seconds: float) -> None:
    size = sum(len(document.text) for document in documents) / 1e6
    table.add(Row(name, len(documents) / seconds, 1.0, "documents/s"))
    table.add(Row(name, size / seconds, 1.0, "MB/s"))
