"""Which documents have to do with a document."""

from dataclasses import dataclass

from processing.exceptions import InvalidQuery
from processing.models import Document, DocumentLink

MAX_DEPTH = 5
DEFAULT_DEPTH = 1


@dataclass(frozen=True, slots=True)
class RelatedDocument:
    """A document without its content, over how many links it is reached, and how strongly.

    ``weight`` (0 to 1) is the product of the weights on the best of the shortest ways.
    """

    document: Document
    distance: int
    weight: float


@dataclass(frozen=True, slots=True)
class RelatedPage:
    """Some of the related documents, the nearest first, and how many there are in all."""

    items: list[RelatedDocument]
    total: int


def related(
    document: Document, *, depth: int = DEFAULT_DEPTH, limit: int = 20, offset: int = 0
) -> RelatedPage:
    """Return documents that are linked to ``document`` over 1 to ``depth`` links.

    Links of both kinds count, in both directions; each document is there once, at its least
    distance. Raises ``InvalidQuery`` for another depth than 1 to ``MAX_DEPTH``.
    """
    if not 1 <= depth <= MAX_DEPTH:
        raise InvalidQuery(f"a depth of {depth}; it is from 1 to {MAX_DEPTH}")
    relations = Document.objects.related(document, depth=depth, limit=limit, offset=offset)
    mine = Document.objects.in_workspace(document.workspace).with_topics().without_content()
    found = mine.in_bulk([relation.id for relation in relations])
    items = [
        RelatedDocument(found[relation.id], relation.distance, relation.weight)
        for relation in relations
        if relation.id in found
    ]
    return RelatedPage(items, relations[0].total if relations else 0)


def relate(document: Document, other: Document) -> None:
    """Say that two documents of one workspace have to do with each other.

    Raises ``InvalidQuery`` for a document and itself, or one of another workspace.
    """
    if document.workspace_id != other.workspace_id:
        raise InvalidQuery("documents of two workspaces are never related")
    if document.pk == other.pk:
        raise InvalidQuery("a document is not related to itself")
    DocumentLink.objects.relate(document, other)


def unrelate(document: Document, other: Document) -> None:
    """Take back what people said; documents that are similar stay so."""
    DocumentLink.objects.unrelate(document, other)
