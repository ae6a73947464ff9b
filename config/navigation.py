"""The one navigation of the back office: what it has, in which groups, and for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.urls import reverse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest

BOARD: Final = "admin:index"

#: What nobody has given a place.
UNNAMED: Final = "Other"


@dataclass(frozen=True)
class Listing:
    """The list of a model, for who may see it."""

    name: str
    model: str


@dataclass(frozen=True)
class Page:
    """A page that is no list, for who has all of ``permissions``."""

    name: str
    route: str
    permissions: tuple[str, ...] = ()


VIEW_CACHE: Final = "caching.view_cacheentry"

GROUPS: Final[dict[str, tuple[Listing | Page, ...]]] = {
    "Work": (
        Page("Board", BOARD),
        Listing("Recordings", "processing.Recording"),
        Listing("Transcripts", "processing.Transcript"),
        Listing("Runs", "processing.ProcessingTask"),
        Listing("Chunks", "processing.ChunkTask"),
        Listing("Jobs", "jobs.Job"),
        Listing("Bulk actions", "jobs.BulkAction"),
        Listing("Workers", "jobs.Worker"),
    ),
    "Knowledge": (
        Listing("Documents", "processing.Document"),
        Page("Search", "admin:processing_document_search", ("processing.view_document",)),
        Listing("Topics", "processing.Topic"),
        Listing("Questions", "processing.Question"),
        Listing("Translations", "processing.Translation"),
    ),
    "Installation": (
        Listing("Workspaces", "processing.Workspace"),
        Listing("API keys", "processing.ApiKey"),
        Listing("Webhooks", "processing.Webhook"),
        Listing("Deliveries", "processing.WebhookDelivery"),
        Listing("Engines", "processing.Engine"),
        Listing("Users", "auth.User"),
        Listing("Groups", "auth.Group"),
        Listing("Audit events", "processing.AuditEvent"),
        Page("API docs", "api-docs"),
    ),
    "Cache": (
        Listing("Entries", "caching.CacheEntry"),
        Page("Statistics", "admin:caching_cacheentry_statistics", (VIEW_CACHE,)),
        Page(
            "Invalidation",
            "admin:caching_cacheentry_invalidate",
            (VIEW_CACHE, "caching.delete_cacheentry"),
        ),
    ),
    "Monitoring": (Listing("Metrics", "monitoring.Metric"),),
}


def grouped(apps: Iterable[dict[str, Any]], request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups that have something for who asks, in the shape of Django's list of apps.

    ``apps`` is that list: it knows which models somebody may see. The entry whose page it is has
    ``is_current``.
    """
    listed = {entry["model"]._meta.label: entry for app in apps for entry in app["models"]}
    groups = {
        name: [found for entry in entries if (found := _shown(entry, listed, request))]
        for name, entries in GROUPS.items()
    }
    groups[UNNAMED] = list(listed.values())
    current = _current([entry for entries in groups.values() for entry in entries], request.path)
    return [
        {
            "name": name,
            "app_label": name.lower(),
            "app_url": "",
            "models": [entry | {"is_current": entry["admin_url"] == current} for entry in entries],
        }
        for name, entries in groups.items()
        if entries
    ]


def _shown(
    entry: Listing | Page, listed: dict[str, dict[str, Any]], request: HttpRequest
) -> dict[str, Any] | None:
    """Return an entry as Django's templates know it; None for who may not see it."""
    if isinstance(entry, Listing):
        found = listed.pop(entry.model, None)
        return found and found | {"name": entry.name}
    if not request.user.has_perms(entry.permissions):
        return None
    return {
        "name": entry.name,
        "object_name": entry.name.replace(" ", ""),
        "admin_url": reverse(entry.route),
        "add_url": None,
        "view_only": True,
    }


def _current(entries: Iterable[dict[str, Any]], path: str) -> str:
    """Return the address of the entry that a page belongs to: the longest that it begins with."""
    board = reverse(BOARD)
    addresses = [entry["admin_url"] or "" for entry in entries]
    above = [one for one in addresses if one and one != board and path.startswith(one)]
    return board if path == board else max(above, key=len, default="")
