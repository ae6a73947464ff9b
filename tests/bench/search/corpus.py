"""The documents that are looked through, in a database of the benchmark's own."""

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from psycopg.conninfo import make_conninfo

from processing.choices import DocumentKind, DocumentStatus
from processing.models import Document, Workspace
from tests.bench.search.writing import STOP_WORDS, vocabulary, write_passages

#: Workspaces, and the share of the documents that each has; the last has so many.
SHARES = {"large": 0.9, "other": 0.1}
SMALL, SMALL_COUNT = "small", 100

#: Documents that are written in one transaction.
AT_ONCE = 1_000


@dataclass(frozen=True)
class Corpus:
    """Which workspaces there are, the words that are worth asking for, and how much text it is."""

    workspaces: dict[str, UUID]
    words: list[str]
    size_bytes: int

    def common(self, count: int) -> list[str]:
        """Return the most frequent words that are no stop words."""
        return [word for word in self.words[:400] if word not in STOP_WORDS][:count]

    def rare(self, count: int) -> list[str]:
        return self.words[-count:]


def generate(documents: int, *, passages: int, processes: int = 2) -> Corpus:
    """Fill the database with documents of so many passages, and a small workspace more."""
    workspaces = {
        name: Workspace.objects.create(name=name, slug=f"bench-{name}").pk
        for name in (*SHARES, SMALL)
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_indexdef('passage_search_idx'::regclass)")
        [[create]] = cursor.fetchall()
        cursor.execute("DROP INDEX passage_search_idx")
        cursor.execute("ALTER TABLE passages SET UNLOGGED")
    counts = {name: int(documents * share) for name, share in SHARES.items()} | {SMALL: SMALL_COUNT}
    shares = [
        (connection_string(), workspaces[name], pks, number, passages)
        for number, (name, pks) in enumerate(
            (name, pks)
            for name, count in counts.items()
            for pks in create_documents(workspaces[name], name, count)
        )
    ]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.starmap(write_passages, shares, chunksize=1)
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '1GB'")
        cursor.execute(create)
        cursor.execute("VACUUM (ANALYZE) documents, passages")
        cursor.execute("SELECT sum(length(text)) FROM passages")
        [[size]] = cursor.fetchall()
    return Corpus(workspaces, vocabulary(), int(size))


def create_documents(workspace_id: UUID, name: str, count: int) -> Iterator[list[UUID]]:
    """Create documents that are READY, and yield their keys, some at a time."""
    for begin in range(0, count, AT_ONCE):
        rows = [
            Document(
                workspace_id=workspace_id,
                kind=DocumentKind.UPLOAD,
                title=f"{name} {number}",
                language="en",
                status=DocumentStatus.READY,
                sha256=f"{name} {number}",
            )
            for number in range(begin, min(begin + AT_ONCE, count))
        ]
        Document.objects.bulk_create(rows)
        yield [row.pk for row in rows]


def connection_string() -> str:
    """Return where the database is, for processes without Django."""
    parameters = connection.get_connection_params()
    names = {"dbname", "user", "password", "host", "port"}
    return make_conninfo(
        **{name: value for name, value in parameters.items() if name in names and value}
    )
