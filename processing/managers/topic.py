"""The repository of topics, and of what is filed under them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models, transaction
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils.text import slugify

from processing.exceptions import InvalidQuery

if TYPE_CHECKING:
    from collections.abc import Iterable

    from processing.models import Document, DocumentTopic, Topic, Workspace

MAX_NAME = 100


def slug_of(name: str) -> str:
    """Return what makes a topic the same whatever its case and signs; empty for no topic."""
    return slugify(name, allow_unicode=True)[:MAX_NAME] if len(name) <= MAX_NAME else ""


class TopicQuerySet(models.QuerySet["Topic"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def with_counts(self) -> Self:
        """Annotate ``document_count``: how many documents are about the topic."""
        rows = _filed().filter(topic=OuterRef("pk"), is_dismissed=False).order_by()
        counts = rows.values("topic").annotate(count=Count("pk")).values("count")
        return self.annotate(document_count=Coalesce(Subquery(counts), 0))

    def named(self, workspace: Workspace, name: str) -> Topic:
        """Return the topic of a name, made when there is none.

        Raises ``InvalidQuery`` for a name that no topic can have.
        """
        [topic] = self._named(workspace, [name])
        return topic

    def give(self, document: Document, name: str) -> Topic:
        """File a document under a topic, or accept that the machine suggested it."""
        topic = self.named(document.workspace, name)
        self._file(document, [topic])
        return topic

    def take_away(self, document: Document, topic: Topic) -> bool:
        """Say that a document is not about a topic: the machine will not suggest it again.

        False when nobody said that it was.
        """
        filed = _filed().filter(document=document, topic=topic, is_dismissed=False)
        return filed.update(**_DISMISSED) == 1

    @transaction.atomic
    def replace(self, document: Document, names: Iterable[str]) -> None:
        """File a document under these topics and no others; suggestions stay what they are.

        Raises ``InvalidQuery`` for a name that no topic can have.
        """
        topics = self._named(document.workspace, names)
        others = _filed().filter(document=document, is_suggested=False).exclude(topic__in=topics)
        others.update(**_DISMISSED)
        self._file(document, topics)

    @transaction.atomic
    def suggest(self, document: Document, phrases: Iterable[tuple[str, float]]) -> None:
        """Replace what the machine suggests: phrases, and how sure (0 to 1) it is of each.

        What people gave or dismissed stays as it is; phrases that cannot be topics are left out.
        Nothing is suggested for a document that is gone; nobody deletes it meanwhile.
        """
        documents = type(document)._default_manager.filter(pk=document.pk)
        if documents.select_for_update(no_key=True).values_list("pk").first() is None:
            return
        scores: dict[str, float] = {}
        names: list[str] = []
        for name, score in phrases:
            if slug := slug_of(name):
                names.append(name)
                scores[slug] = max(scores.get(slug, 0.0), min(1.0, max(0.0, score)))
        topics = self._named(document.workspace, names)
        _filed().filter(document=document, is_suggested=True, is_dismissed=False).delete()
        _filed().bulk_create(
            [
                _filed().model(
                    document=document, topic=topic, is_suggested=True, score=scores[topic.slug]
                )
                for topic in topics
            ],
            ignore_conflicts=True,
        )

    def _file(self, document: Document, topics: list[Topic]) -> None:
        _filed().bulk_create(
            [_filed().model(document=document, topic=topic) for topic in topics],
            update_conflicts=True,
            unique_fields=["document", "topic"],
            update_fields=["is_suggested", "is_dismissed", "score"],
        )

    def _named(self, workspace: Workspace, names: Iterable[str]) -> list[Topic]:
        """Return the topics of some names; new ones are made.

        In one order for all: no two who make the same topics wait for each other.
        """
        by_slug: dict[str, str] = {}
        for name in names:
            if not (slug := slug_of(name)):
                raise InvalidQuery(
                    f"{name[:MAX_NAME]!r} is no topic: it needs a letter or a digit, "
                    f"and at most {MAX_NAME} characters"
                )
            line = "".join(c if c.isprintable() else " " for c in name)
            by_slug.setdefault(slug, " ".join(line.split()))
        wanted = self.filter(workspace=workspace, slug__in=by_slug).order_by("slug")
        missing = by_slug.keys() - set(wanted.values_list("slug", flat=True))
        if missing:
            self.bulk_create(
                [
                    self.model(workspace=workspace, slug=slug, name=by_slug[slug])
                    for slug in sorted(missing)
                ],
                ignore_conflicts=True,
            )
        return list(wanted)


#: What is left of a topic that somebody took away from a document.
_DISMISSED = {"is_suggested": True, "is_dismissed": True, "score": 0.0}

TopicManager = models.Manager.from_queryset(TopicQuerySet)


def _filed() -> models.Manager[DocumentTopic]:
    from processing.models import DocumentTopic  # noqa: PLC0415  it imports this module

    return DocumentTopic._default_manager
