"""Rows of recordings and documents, found by words of the names of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from processing.admin.scoping import WorkspaceFilter, workspaces_of
from processing.models import Document, ProcessingTask, Recording, Transcript

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import Model
    from django.http import HttpRequest

#: How many that are so named are looked through for their rows. Lists of ids and no joins, for
#: with these the planner may read whole tables.
NEWEST_NAMED = 200

OF_NEWEST_NAMED = f"of the newest {NEWEST_NAMED} that have them"


def recordings_named(request: HttpRequest, words: str) -> list[UUID]:
    """Return the newest recordings that somebody sees with these words in their names."""
    return _newest(request, Recording, words)


def documents_titled(request: HttpRequest, words: str) -> list[UUID]:
    """Return the newest documents that somebody sees with these words in their titles."""
    return _newest(request, Document, words)


def transcripts_named(request: HttpRequest, words: str) -> list[UUID]:
    """Return the transcripts of the newest recordings with these words in their names."""
    rows = Transcript.objects.filter(recording__in=recordings_named(request, words))
    return list(rows.order_by().values_list("pk", flat=True))


def runs_named(request: HttpRequest, words: str) -> list[UUID]:
    """Return the runs of the newest recordings with these words in their names."""
    rows = ProcessingTask.objects.filter(transcript__in=transcripts_named(request, words))
    return list(rows.order_by().values_list("pk", flat=True))


def _newest(request: HttpRequest, model: type[Model], words: str) -> list[UUID]:
    """Ask the list of a model; narrowed to the workspace that the request chose."""
    model_admin: Any = admin.site.get_model_admin(model)
    rows = model_admin.get_queryset(request)
    slug = request.GET.get(WorkspaceFilter.parameter_name)
    if slug is not None:
        chosen = workspaces_of(request).filter(slug=slug).values_list("pk", flat=True)
        rows = model_admin.of_workspaces(rows, list(chosen))
    found, _ = model_admin.with_words(request, rows, words)
    order = model_admin.get_ordering(request) or model_admin.opts.ordering
    return list(found.order_by(*order).values_list("pk", flat=True)[:NEWEST_NAMED])
