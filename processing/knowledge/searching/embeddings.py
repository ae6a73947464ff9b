"""Vectors of passages, in PostgreSQL's extension pgvector where the server has it.

The table is none of Django's: a migration would fail where the extension is missing. All SQL
that knows of it is here.
"""

from __future__ import annotations

import hashlib
import json
import logging
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from psycopg.sql import quote

from caching.keys import ContentAddresser
from processing.text_engines.registry import embedding_engine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from numpy.typing import NDArray

    from processing.managers.passage import PassageQuerySet
    from processing.models import Document
    from processing.text_engines.base import EmbeddingEngine

logger = logging.getLogger(__name__)

#: Texts that are embedded, and rows that are written, at once.
BATCH_SIZE = 64

#: How long the vector of a text is kept.
CACHE_SECONDS = 30 * 86_400.0

#: The longest vectors that pgvector has an index for, as they are and at half the precision.
MAX_DIMENSION, MAX_HALF_DIMENSION = 2_000, 4_000

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS passage_embeddings (
    passage_id bigint NOT NULL REFERENCES passages (id) ON DELETE CASCADE,
    version text NOT NULL,
    workspace_id uuid NOT NULL,
    embedding vector NOT NULL,
    PRIMARY KEY (passage_id, version)
);
CREATE INDEX IF NOT EXISTS passage_embedding_workspace_idx
    ON passage_embeddings (workspace_id, version);
"""
_INDEX: Final = """
CREATE INDEX IF NOT EXISTS {name} ON passage_embeddings
    USING hnsw ((embedding::{type}({dimension})) {type}_cosine_ops) WHERE version = {version}
"""
_INSERT: Final = """
INSERT INTO passage_embeddings (passage_id, version, workspace_id, embedding)
SELECT passages.id, %s, passages.workspace_id, vectors.embedding::vector
FROM unnest(%s::bigint[], %s::text[]) AS vectors (id, embedding)
JOIN passages ON passages.id = vectors.id
ON CONFLICT DO NOTHING
"""
_MISSING: Final = """
SELECT id, text FROM passages WHERE document_id = %s AND NOT EXISTS (
    SELECT FROM passage_embeddings WHERE passage_id = passages.id AND version = %s
) ORDER BY index
"""
_MEAN: Final = """
SELECT avg(embedding)::text FROM passages JOIN passage_embeddings ON passage_id = passages.id
WHERE document_id = %s AND version = %s
"""
_NEAREST: Final = """
SELECT passage_id, 1 - (embedding::{type}({dimension}) <=> %s::{type}({dimension})) AS similarity
FROM passage_embeddings
WHERE version = {version} AND workspace_id = %s {condition}
ORDER BY embedding::{type}({dimension}) <=> %s::{type}({dimension})
LIMIT %s
"""
#: Since pgvector 0.8 an index goes on until enough rows of the workspace are found.
_HAS_ITERATIVE_SCAN: Final = """
SELECT string_to_array(extversion, '.')::int[] >= '{0,8}' FROM pg_extension
WHERE extname = 'vector'
"""
_SCAN: Final = "SET LOCAL hnsw.ef_search = 200; SET LOCAL hnsw.iterative_scan = strict_order"


def prepare_semantic_search() -> bool:
    """Make what the configured embedding engine needs in the database, where it is not there.

    Returns whether there is an engine and a place for its vectors. Where the extension is not
    installed, or may not be created by us, nothing is changed.
    """
    engine = embedding_engine()
    if engine is None:
        return False
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_available_extensions WHERE name = 'vector'")
            if cursor.fetchone() is None:
                return False
            cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
            cursor.execute(_TABLE)
            if engine.dimension <= MAX_HALF_DIMENSION:
                cursor.execute(_of(engine, _INDEX, name=_index_name(engine)), [])
    except DatabaseError as error:
        logger.warning("no search by meaning: %s", str(error).splitlines()[0])
        return False
    return True


def is_prepared() -> bool:
    """Say whether the database has a place for vectors."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('passage_embeddings') IS NOT NULL")
        return bool(cursor.fetchone()[0])


def vectors_of(texts: Sequence[str], engine: EmbeddingEngine) -> list[NDArray[np.float32]]:
    """Return the vector of each text; those that were asked for before are in the cache.

    Raises what the engine raises.
    """
    keys = [_key(text, engine) for text in texts]
    known = cache.get_many(keys)
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if missing:
        made = engine.embed(list(missing.values()))
        new = {key: row.tobytes() for key, row in zip(missing, made, strict=True)}
        cache.set_many(new, CACHE_SECONDS)
        known |= new
    return [np.frombuffer(known[key], np.float32) for key in keys]


def embed_missing(document: Document, engine: EmbeddingEngine) -> int:
    """Store the vectors of a document's passages that have none; return how many those were.

    Raises what the engine raises; what is stored by then stays.
    """
    count = 0
    with connection.cursor() as cursor:
        cursor.execute(_MISSING, [document.pk, engine.version])
        rows = cursor.fetchall()
        for batch in _batches(rows):
            ids, texts = zip(*batch, strict=True)
            vectors = [_literal(vector) for vector in vectors_of(texts, engine)]
            cursor.execute(_INSERT, [engine.version, list(ids), vectors])
            count += cursor.rowcount
    return count


def is_embedded(document: Document, engine: EmbeddingEngine) -> bool:
    """Say whether every passage of a document has its vector."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT NOT EXISTS ({_MISSING})", [document.pk, engine.version])
        return bool(cursor.fetchone()[0])


def mean_vector(document: Document, engine: EmbeddingEngine) -> NDArray[np.float32] | None:
    """Return the direction that the vectors of a document's passages have together, if any."""
    with connection.cursor() as cursor:
        cursor.execute(_MEAN, [document.pk, engine.version])
        text = cursor.fetchone()[0]
    if text is None:
        return None
    mean = np.array(json.loads(text), np.float32)
    length = float(np.linalg.norm(mean))
    return mean / np.float32(length) if length else None


def nearest(
    vector: NDArray[np.float32],
    engine: EmbeddingEngine,
    *,
    workspace_id: UUID,
    passages: PassageQuerySet | None,
    limit: int,
) -> list[tuple[int, float]]:
    """Return id and cosine similarity of the workspace's passages nearest to a vector.

    Only those among ``passages``, or all; to be called in a transaction.
    """
    condition, parameters = "", ()
    if passages is not None:
        sql, parameters = passages.order_by().values("pk").query.sql_with_params()
        condition = f"AND passage_id IN ({sql})"
    text = _literal(vector)
    statement = _of(engine, _NEAREST, condition=condition)
    with connection.cursor() as cursor:
        cursor.execute(_HAS_ITERATIVE_SCAN)
        if cursor.fetchone()[0]:
            cursor.execute(_SCAN)
        cursor.execute(statement, [text, workspace_id, *parameters, text, limit])
        return [(pk, similarity) for pk, similarity in cursor.fetchall() if similarity > 0]


def _of(engine: EmbeddingEngine, statement: str, **parts: str) -> str:
    """Return a statement for the vectors of an engine; an index needs its version as it is."""
    return statement.format(
        type="vector" if engine.dimension <= MAX_DIMENSION else "halfvec",
        dimension=int(engine.dimension),
        version=quote(engine.version).replace("%", "%%"),
        **parts,
    )


def _index_name(engine: EmbeddingEngine) -> str:
    digest = hashlib.sha256(f"{engine.version} {engine.dimension}".encode()).hexdigest()
    return f"passage_embedding_{digest[:16]}_idx"


def _key(text: str, engine: EmbeddingEngine) -> str:
    return ContentAddresser().embeddings_key(
        text=text, model=engine.version, dimension=engine.dimension
    )


def _literal(vector: NDArray[np.float32]) -> str:
    return f"[{','.join(map(repr, vector.tolist()))}]"


def _batches(rows: Sequence[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH_SIZE)):
        yield batch
