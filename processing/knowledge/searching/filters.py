"""Which passages of a workspace are looked through."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from processing.models import Document, Topic

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from processing.managers.passage import PassageQuerySet
    from processing.models import Workspace


@dataclass(frozen=True, slots=True)
class SearchFilters:
    """What is empty or None does not matter.

    ``topic`` is a topic's slug, ``kind`` a ``DocumentKind``, ``language`` an ISO 639-1 code.
    Documents were created at ``created_from`` or later, and before ``created_to``.
    """

    documents: tuple[UUID, ...] = ()
    recording: UUID | None = None
    topic: str = ""
    language: str = ""
    speaker: str = ""
    created_from: datetime | None = None
    created_to: datetime | None = None
    kind: str = ""

    @property
    def are_any(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    @property
    def is_narrow(self) -> bool:
        """Whether what remains is few documents, which are found by themselves."""
        return bool(self.documents or self.recording)

    def applied(self, passages: PassageQuerySet, workspace: Workspace) -> PassageQuerySet:
        """Return those of ``passages``, which are the workspace's, that these filters leave."""
        if self.language:
            passages = passages.filter(language=self.language)
        if self.speaker:
            passages = passages.filter(speaker=self.speaker)
        documents = Document.objects.in_workspace(workspace).order_by()
        wanted = documents
        if self.documents:
            wanted = wanted.filter(pk__in=self.documents)
        if self.recording:
            wanted = wanted.filter(transcript__recording=self.recording)
        if self.topic:
            topic = Topic.objects.in_workspace(workspace).filter(slug=self.topic).first()
            wanted = wanted.by_topic(topic) if topic else wanted.none()
        if self.created_from:
            wanted = wanted.filter(created_at__gte=self.created_from)
        if self.created_to:
            wanted = wanted.filter(created_at__lt=self.created_to)
        if self.kind:
            wanted = wanted.filter(kind=self.kind)
        if wanted is not documents:
            passages = passages.filter(document__in=wanted.values("pk"))
        return passages
