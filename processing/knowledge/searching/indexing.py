"""Putting what documents say into the index, and what follows from that."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import transaction

from caching.keys import ContentAddresser
from jobs.exceptions import JobsError, PermanentError
from processing.choices import DocumentStatus
from processing.knowledge.content import sections_of, text_of
from processing.knowledge.searching.embeddings import embed_missing, is_embedded, is_prepared
from processing.knowledge.searching.search import forget_languages, languages_of
from processing.knowledge.searching.similarity import link_similar
from processing.knowledge.searching.storing import store_passages
from processing.knowledge.summarizing.key_phrases import key_phrases
from processing.knowledge.summarizing.summaries import request_summary
from processing.models import Document, Passage, Topic
from processing.text_engines.registry import embedding_engine
from processing.webhooks.announcing import announce_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.models import Job
    from processing.text_engines.base import EmbeddingEngine

logger = logging.getLogger(__name__)

#: To be raised when a change of this code changes what is in the index.
INDEX_VERSION = 1

#: How many phrases of a document become suggested topics, and are looked for in others.
KEY_PHRASES = 8


def index(job: Job) -> None:
    """Make the index say what a document says, and do what follows from that.

    Idempotent: of a document that has not changed since, nothing is written. It is READY as
    soon as its words can be found; what fails after that leaves it so, and is tried again where
    that may help. A correction meanwhile waits for this, and has a job of its own.
    """
    pk = UUID(job.payload["document_id"])
    document = Document.objects.select_related("transcript").filter(pk=pk).first()
    if document is None or document.status == DocumentStatus.FAILED:
        return
    if is_indexed(document):
        if document.status != DocumentStatus.READY:
            _finish(document, content_key=document.content_key)
        return
    stored = _stored(pk)
    if stored is not None:
        document, key = stored
        _follow_up(document)
        Document.objects.finish(document, content_key=key)


def is_indexed(document: Document) -> bool:
    """Say whether the index says what a document says now, and all that follows was done."""
    if document.content_key != content_key(document):
        return False
    engine = _engine()
    return engine is None or is_embedded(document, engine)


def content_key(document: Document) -> str:
    """Return the key of everything that the index of a document follows from."""
    digest = hashlib.sha256()
    for section in sections_of(document):
        row = [section.text, section.start, section.end, section.speaker]
        digest.update(json.dumps(row).encode())
    engine = _engine()
    made_by = {
        "version": INDEX_VERSION,
        "language": document.language,
        "embeddings": engine.version if engine is not None else "",
    }
    return ContentAddresser().key("index", made_by, digest.digest())


@transaction.atomic
def _stored(pk: UUID) -> tuple[Document, str] | None:
    """Store the passages of a document as it is now; it is READY then."""
    locked = Document.objects.select_for_update(no_key=True, of=("self",))
    document = locked.select_related("transcript").filter(pk=pk).first()
    if document is None:
        return None
    store_passages(document)
    _finish(document, content_key="")  # until all that follows is done
    if document.language not in languages_of(document.workspace):
        forget = document.workspace_id
        transaction.on_commit(lambda: forget_languages(forget), robust=True)
    return document, content_key(document)


@transaction.atomic
def _finish(document: Document, *, content_key: str) -> None:
    """Say that a document is in the index, and tell that when it was not READY before."""
    is_finished = Document.objects.finish(document, content_key=content_key)
    if is_finished and document.status != DocumentStatus.READY:
        announce_document(document.pk)


def _follow_up(document: Document) -> None:
    """Do each of what follows; raise the first error that may pass once all were tried."""
    is_empty = not Passage.objects.of_document(document).exists()
    phrases = [] if is_empty else key_phrases(text_of(document), document.language, KEY_PHRASES)
    steps: dict[str, Callable[[], object]] = {
        "vectors": lambda: _embed(document),
        "topics": lambda: Topic.objects.suggest(document, phrases),
        "links": lambda: link_similar(document, phrases),
    }
    if settings.AUTO_SUMMARIZE and not is_empty:
        steps["summary"] = lambda: request_summary(document=document)
    passing: list[JobsError] = []
    for name, step in steps.items():
        try:
            step()
        except PermanentError as error:
            logger.warning("document %s has no %s: %s", document.pk, name, error.code)
        except JobsError as error:
            passing.append(error)
    if passing:
        raise passing[0]


def _embed(document: Document) -> None:
    engine = _engine()
    if engine is not None:
        embed_missing(document, engine)


def _engine() -> EmbeddingEngine | None:
    """Return who makes vectors, None where the database has no place for them."""
    engine = embedding_engine()
    return engine if engine is not None and is_prepared() else None
