"""Which other documents of a workspace are about the same."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from django.db import transaction

from processing.choices import LinkKind
from processing.exceptions import InvalidQuery
from processing.knowledge.searching.candidates import limited, ranked
from processing.knowledge.searching.embeddings import is_prepared, mean_vector, nearest
from processing.knowledge.searching.languages import configuration_of
from processing.knowledge.searching.queries import Query, Term, text_query
from processing.models import Document, DocumentLink, Passage
from processing.text_engines.registry import embedding_engine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

#: How many documents are linked, and how alike they are at least (0 to 1).
MAX_LINKS = 5
LEAST_LIKENESS = 0.3

#: How many of the best passages are looked at, of each phrase or of all.
PASSAGES = 200


def link_similar(document: Document, phrases: Sequence[tuple[str, float]]) -> None:
    """Make the SIMILAR links of a document those to the documents that are most alike.

    By vectors where there are some, else by its key ``phrases``, with their scores: the share
    of them that another has, too. The cost does not grow with the documents there are.
    """
    alike = _by_meaning(document)
    if alike is None:
        alike = _by_phrases(document, phrases)
    best = sorted(alike.items(), key=lambda pair: (-pair[1], pair[0]))
    wanted = {pk: weight for pk, weight in best if weight >= LEAST_LIKENESS and pk != document.pk}
    _replace(document, dict(list(wanted.items())[:MAX_LINKS]))


@transaction.atomic
def _replace(document: Document, wanted: dict[UUID, float]) -> None:
    """Write only what is different: links are read all the time."""
    links = DocumentLink.objects.filter(source=document, kind=LinkKind.SIMILAR)
    links.exclude(target__in=wanted).delete()
    present = dict(links.values_list("target", "weight"))
    for pk in present.keys() & wanted.keys():
        if present[pk] != wanted[pk]:
            links.filter(target=pk).update(weight=wanted[pk])
    existing = Document.objects.filter(pk__in=wanted.keys() - present.keys())
    DocumentLink.objects.bulk_create(
        [
            DocumentLink(source=document, target=other, kind=LinkKind.SIMILAR, weight=wanted[pk])
            for pk, other in existing.in_bulk().items()
        ],
        ignore_conflicts=True,
    )


def _by_meaning(document: Document) -> dict[UUID, float] | None:
    """Return documents with passages near to the mean of this one's; None without vectors."""
    engine = embedding_engine()
    if engine is None or not is_prepared():
        return None
    vector = mean_vector(document, engine)
    if vector is None:
        return None
    with limited():
        found = nearest(
            vector,
            engine,
            workspace_id=document.workspace_id,
            passages=None,
            limit=PASSAGES,
        )
    similarities: defaultdict[UUID, list[float]] = defaultdict(list)
    documents = _documents_of([pk for pk, _ in found])
    for pk, similarity in found:
        if pk in documents:
            similarities[documents[pk]].append(similarity)
    return {pk: round(float(np.clip(max(each), 0, 1)), 4) for pk, each in similarities.items()}


def _by_phrases(document: Document, phrases: Sequence[tuple[str, float]]) -> dict[UUID, float]:
    """Return documents with the share of the phrases that they have, by their scores."""
    shares: defaultdict[UUID, float] = defaultdict(float)
    total = sum(score for _, score in phrases) or 1.0
    for phrase, score in phrases:
        for pk in _with_phrase(document, phrase):
            shares[pk] += score / total
    return {pk: round(min(share, 1.0), 4) for pk, share in shares.items()}


def _with_phrase(document: Document, phrase: str) -> set[UUID]:
    query = Query(((Term(phrase),),), ())
    try:
        words = text_query(query, [configuration_of(document.language)])
        with limited():
            hits = ranked(words, Passage.objects.all(), document.workspace).hits
    except InvalidQuery:  # nothing but stop words, or too much
        return set()
    return set(_documents_of([pk for pk, _ in hits[:PASSAGES]]).values())


def _documents_of(passages: Sequence[int]) -> dict[int, UUID]:
    rows = Passage.objects.filter(pk__in=passages).order_by()
    return dict(rows.values_list("pk", "document_id"))
