"""The repository of workspaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from django.contrib.auth.models import User

    from processing.models import Workspace

DEFAULT_SLUG = "default"


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    def locked(self, pk: UUID) -> Workspace:
        """Return a workspace as it is now, and keep it so until the transaction ends.

        Rows of it can be made meanwhile; two who lock the same workspace come one by one.
        """
        return self.select_for_update(no_key=True).get(pk=pk)

    def of_user(self, user: User) -> Self:
        """Those that a user is a member of, with their ``role`` there."""
        return self.filter(memberships__user=user).annotate(role=models.F("memberships__role"))

    def with_usage(self, month: date) -> Self:
        """Annotate ``audio_seconds`` of a month and ``stored_bytes``."""
        from processing.models import Document, Recording, WorkspaceUsage  # noqa: PLC0415  they import this module

        usage = WorkspaceUsage.objects.filter(workspace=OuterRef("pk"), month=month)
        recordings = Recording.objects.filter(workspace=OuterRef("pk"))
        documents = Document.objects.uploaded().filter(workspace=OuterRef("pk"))
        return self.annotate(
            audio_seconds=Coalesce(Subquery(usage.values("audio_seconds")[:1]), 0.0),
            stored_bytes=_sum_of(recordings) + _sum_of(documents),
        )

    def default(self) -> Workspace:
        """Return the workspace of whoever names none; made when first asked for."""
        workspace, _ = self.get_or_create(slug=DEFAULT_SLUG, defaults={"name": "Default"})
        return workspace

    def named(self, slug: str) -> Workspace | None:
        """Return the workspace of a slug; the default one is there as soon as it is named."""
        return self.default() if slug == DEFAULT_SLUG else self.filter(slug=slug).first()


def _sum_of(files: models.QuerySet[Any]) -> Coalesce:
    """Return the size of the files of the workspace that a query is at."""
    sizes = files.order_by().values("workspace").annotate(total=Sum("size_bytes"))
    return Coalesce(Subquery(sizes.values("total")), 0, output_field=models.BigIntegerField())


WorkspaceManager = models.Manager.from_queryset(WorkspaceQuerySet)
