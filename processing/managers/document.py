"""The repository of documents and of the links between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connections, models
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Coalesce, JSONObject, Now

from processing.choices import DocumentKind, DocumentStatus, LinkKind
from processing.managers.naming import is_named

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta
    from uuid import UUID

    from processing.models import (  # noqa: F401  in strings
        Document,
        DocumentLink,
        DocumentTopic,
        Topic,
        Workspace,
    )

#: What grows with the document.
CONTENT = ("text", "sections")

#: One row for each distance: who is there, how strongly each is tied, and who was one nearer.
#: Links count in both directions, so whoever is met again is either there or one nearer, and
#: nobody else needs to be remembered. Each level is read by the indexes of both ends. That links
#: stay within a workspace is seen to where they are made, and again where documents are read.
_RELATED = """
WITH RECURSIVE level (distance, ids, weights, nearer) AS (
    SELECT 0, ARRAY[%(id)s]::uuid[], ARRAY[1.0]::float8[], ARRAY[]::uuid[]
    UNION ALL
    SELECT level.distance + 1, beyond.ids, beyond.weights, level.ids
    FROM level CROSS JOIN LATERAL (
        SELECT array_agg(met.id) AS ids, array_agg(met.weight) AS weights
        FROM (
            SELECT link.id, max(here.weight * link.weight) AS weight
            FROM unnest(level.ids, level.weights) AS here (id, weight)
            CROSS JOIN LATERAL (
                SELECT target_id AS id, weight FROM document_links WHERE source_id = here.id
                UNION ALL
                SELECT source_id, weight FROM document_links WHERE target_id = here.id
            ) AS link
            GROUP BY link.id
        ) AS met
        LEFT JOIN unnest(level.ids || level.nearer) AS known (id) ON known.id = met.id
        WHERE known.id IS NULL
    ) AS beyond
    WHERE level.distance < %(depth)s AND beyond.ids IS NOT NULL
)
SELECT met.id, level.distance, met.weight, count(*) OVER ()
FROM level CROSS JOIN LATERAL unnest(level.ids, level.weights) AS met (id, weight)
WHERE level.distance > 0
ORDER BY level.distance, met.weight DESC, met.id
LIMIT %(limit)s OFFSET %(offset)s
"""


class Relation(NamedTuple):
    """A document that can be reached, over how many links, and how strongly it is tied.

    ``weight`` is the product of the weights along a way of that many links, of the best one.
    ``total`` is how many documents are reached at all.
    """

    id: UUID
    distance: int
    weight: float
    total: int


class DocumentQuerySet(models.QuerySet["Document"]):
    """A document is PENDING until it is in the index as it is, then READY, or FAILED."""

    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def pending(self) -> Self:
        """Those of which the index does not say yet what they say."""
        return self.filter(status=DocumentStatus.PENDING)

    def uploaded(self) -> Self:
        return self.filter(kind=DocumentKind.UPLOAD)

    def older_than(self, span: timedelta) -> Self:
        return self.filter(created_at__lt=Now() - span)

    def at_rest(self) -> Self:
        """Those that nobody reads or indexes, or waits to."""
        return self.exclude(status=DocumentStatus.PENDING)

    def total_bytes(self) -> int:
        """Return the size of the files of these together."""
        total: int = self.aggregate(total=Coalesce(models.Sum("size_bytes"), 0))["total"]
        return total

    def readable(self) -> Self:
        """Those that say something: transcripts, and uploads that have been read."""
        return self.exclude(kind=DocumentKind.UPLOAD, text="")

    def by_topic(self, topic: Topic) -> Self:
        """Those about a topic, whoever says so, but for suggestions that were dismissed."""
        return self.filter(Exists(_filed().filter(topic=topic)))

    def with_topics(self) -> Self:
        """Annotate ``filed_topics``, as a list of objects, and ``recording_id``."""
        filed = _filed().order_by("is_suggested", "-score", "topic__name")
        topic = JSONObject(
            name="topic__name", slug="topic__slug", is_suggested="is_suggested", score="score"
        )
        return self.annotate(
            filed_topics=ArraySubquery(filed.values(about=topic)),
            recording_id=F("transcript__recording_id"),
        )

    def hold(self, ids: Iterable[UUID]) -> None:
        """Wait for those who are adding to documents, and have nobody add until the transaction
        ends: what is to be deleted with them is all there then.
        """
        held = self.filter(pk__in=ids).order_by("pk").select_for_update(of=("self",))
        list(held.values_list("pk"))

    def titled(self, text: str) -> Self:
        """Documents whose title has all words of ``text``; of ``beg*`` the beginning."""
        return self.filter(is_named("title", text))

    def without_content(self) -> Self:
        """Leave out what grows with the document, for lists."""
        return self.defer(*CONTENT)

    def related(
        self, document: Document, *, depth: int, limit: int, offset: int = 0
    ) -> list[Relation]:
        """Return whom ``document`` is linked to over at most ``depth`` links, the nearest first.

        Each once; among the equally near those with the stronger tie come first.
        """
        parameters: dict[str, UUID | int] = {
            "id": document.pk,
            "depth": depth,
            "limit": limit,
            "offset": offset,
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_RELATED, parameters)
            return [Relation(*row) for row in cursor.fetchall()]

    def restart(self, pk: UUID) -> bool:
        """Say that a document is to be read or indexed anew."""
        return (
            self.filter(pk=pk).update(
                status=DocumentStatus.PENDING, error_code="", error_message="", updated_at=Now()
            )
            == 1
        )

    def finish(self, document: Document, *, content_key: str) -> bool:
        """Say that ``document`` is in the index; False when it was changed since it was read."""
        return (
            self.filter(pk=document.pk, updated_at=document.updated_at).update(
                status=DocumentStatus.READY,
                content_key=content_key,
                error_code="",
                error_message="",
            )
            == 1
        )

    def fail(self, pk: UUID, *, code: str, message: str) -> bool:
        """Say why a document cannot be read or indexed; one that is READY stays so."""
        return (
            self.filter(pk=pk, status=DocumentStatus.PENDING).update(
                status=DocumentStatus.FAILED,
                error_code=code,
                error_message=message,
                updated_at=Now(),
            )
            == 1
        )

    def store_text(self, document: Document, **content: Any) -> bool:
        """Store what was extracted; False when that was done before, or nobody wants it."""
        unread = self.filter(pk=document.pk, status=DocumentStatus.PENDING, text="")
        return unread.update(**content, updated_at=Now()) == 1


class DocumentLinkQuerySet(models.QuerySet["DocumentLink"]):
    def of_document(self, document: Document) -> Self:
        """Links of a document, to whichever side."""
        return self.filter(models.Q(source=document) | models.Q(target=document))

    def relate(self, document: Document, other: Document) -> bool:
        """Say that two documents have to do with each other; False when people said so before."""
        if self._between(document, other).exists():
            return False
        self.bulk_create(
            [self.model(source=document, target=other, kind=LinkKind.RELATED)],
            ignore_conflicts=True,
        )
        return True

    def unrelate(self, document: Document, other: Document) -> bool:
        """Take back that two documents have to do with each other; False when nobody said so."""
        return self._between(document, other).delete()[0] > 0

    def _between(self, document: Document, other: Document) -> Self:
        return self.filter(
            models.Q(source=document, target=other) | models.Q(source=other, target=document),
            kind=LinkKind.RELATED,
        )


DocumentManager = models.Manager.from_queryset(DocumentQuerySet)
DocumentLinkManager = models.Manager.from_queryset(DocumentLinkQuerySet)


def _filed() -> models.QuerySet[DocumentTopic]:
    """What each document of a query around it is about, as far as nobody dismissed it."""
    from processing.models import DocumentTopic  # noqa: PLC0415  it imports this module

    return DocumentTopic._default_manager.filter(document=OuterRef("pk"), is_dismissed=False)
