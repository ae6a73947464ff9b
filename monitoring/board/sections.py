"""The sections of the Board, in their order, as far as somebody may see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from monitoring.board import notices
from monitoring.board.cache import cache_facts
from monitoring.board.database import database_facts
from monitoring.board.failures import latest_failures
from monitoring.board.held_work import held_work
from monitoring.board.queues import queue_facts
from monitoring.board.recordings import running_facts
from monitoring.board.storage import storage_facts
from monitoring.board.trend_lines import TrendLine, trend_lines
from monitoring.board.workers import SHOWN as SHOWN_WORKERS
from monitoring.board.workers import lost_workers, worker_facts
from monitoring.board.workspaces import latest_documents, usage_facts
from processing.admin.presentation import speed
from processing.models import Recording
from processing.services.engine_health import engine_reports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitoring.board.viewer import Viewer


@dataclass(frozen=True)
class Section:
    """One part of the Board: its template is ``admin/board/<name>.html``, which ``facts`` fill.

    ``is_wide`` ones have a row to themselves.
    """

    name: str
    title: str
    facts: dict[str, Any]
    address: str = ""
    is_wide: bool = False
    trends: Sequence[TrendLine] = field(default_factory=tuple)

    @property
    def template(self) -> str:
        return f"admin/board/{self.name}.html"


def sections_for(viewer: Viewer) -> list[Section]:
    """Return what somebody sees, in a constant number of queries for each kind of viewer."""
    installation = _Installation() if viewer.is_operator else None
    usage = usage_facts(viewer)
    found = [] if installation is None else installation.notices()
    found += [*notices.notices_of_webhooks(viewer), *notices.notices_of_quotas(usage)]
    shown = [Section("notices", "Notices", {"notices": found}, is_wide=True)]
    if not viewer.own(Recording.objects.all()).exists():
        shown.append(_first_steps(viewer, installation))
    shown += _members(viewer) if installation is None else _operators(viewer, installation)
    if usage and not viewer.user.is_superuser:
        shown.append(Section("usage", "Audio this month", {"workspaces": usage}))
    return shown


class _Installation:
    """How the installation is doing, read once for its sections and for the notices."""

    def __init__(self) -> None:
        self.held = held_work()
        self.workers = worker_facts(self.held)
        self.queues = queue_facts(self.workers, self.held)
        self.engines = engine_reports()
        self.cache = cache_facts()
        self.database = database_facts()
        self.storage = storage_facts()
        self.trends = trend_lines()

    def notices(self) -> list[notices.Notice]:
        database = self.database
        found = chain(
            notices.notices_of_workers(self.workers, self.queues, lost_workers()),
            notices.notices_of_sweeps(self.workers, self.held, self.trends.age),
            notices.notices_of_queues(self.queues),
            notices.notices_of_engines(self.engines),
            notices.notices_of_cache(self.cache),
            notices.notices_of_room(self.storage, database.connections, database.max_connections),
        )
        return sorted(found, key=lambda notice: notice.severity is not notices.Severity.ERROR)


def _members(viewer: Viewer) -> list[Section]:
    return [
        *_of_own_work(viewer, {}),
        Section(
            "documents",
            "Latest documents",
            {"documents": latest_documents(viewer)},
            reverse("admin:processing_document_changelist"),
        ),
    ]


def _operators(viewer: Viewer, installation: _Installation) -> list[Section]:
    trends = installation.trends
    queues = [(queue, trends.queues.get(queue.name)) for queue in installation.queues]
    levels = [(level, trends.cache_levels.get(level.level)) for level in installation.cache]
    engines = [(each, speed(each.record.real_time_factor)) for each in installation.engines]
    shown = installation.workers[:SHOWN_WORKERS]
    more = len(installation.workers) - len(shown)
    workers = [(worker, [_shown_to(viewer, work) for work in worker.work]) for worker in shown]
    section = trends.sections.get
    return [
        *_of_own_work(viewer, trends.sections),
        Section(
            "queues",
            "Queues",
            {"queues": queues},
            reverse("admin:jobs_job_changelist"),
            is_wide=True,
            trends=section("queues", ()),
        ),
        Section(
            "workers",
            "Workers",
            {"workers": workers, "more_count": more},
            reverse("admin:jobs_worker_changelist"),
            is_wide=True,
            trends=section("workers", ()),
        ),
        Section(
            "engines",
            "Engines",
            {"engines": engines},
            reverse("admin:processing_engine_changelist"),
            trends=section("engines", ()),
        ),
        Section(
            "cache",
            "Cache",
            {"levels": levels},
            reverse("admin:caching_cacheentry_changelist"),
        ),
        Section(
            "database",
            "Database",
            {"database": installation.database},
            trends=section("database", ()),
        ),
        Section(
            "storage", "Storage", {"storage": installation.storage}, trends=section("storage", ())
        ),
    ]


def _of_own_work(viewer: Viewer, trends: Mapping[str, Sequence[TrendLine]]) -> list[Section]:
    may_upload = viewer.user.has_perm("processing.add_recording")
    return [
        Section(
            "recordings",
            "Running recordings",
            {
                "running": running_facts(viewer),
                "may_upload": may_upload,
            },
            reverse("admin:processing_processingtask_changelist"),
            trends=trends.get("recordings", ()),
        ),
        Section(
            "failures",
            "Latest failures",
            {"failures": latest_failures(viewer)},
            trends=trends.get("failures", ()),
        ),
    ]


def _first_steps(viewer: Viewer, installation: _Installation | None) -> Section:
    facts = {
        "needs_workers": installation is not None
        and not any(worker.is_live for worker in installation.workers),
        "is_member": viewer.user.is_superuser or bool(viewer.own_workspaces),
    }
    return Section("first_steps", "Begin here", facts, is_wide=True)


def _shown_to(viewer: Viewer, work: Any) -> dict[str, Any]:
    """Return what a worker is at; of others' workspaces nothing that is theirs."""
    is_own = (
        work.workspace_id is None
        or viewer.user.is_superuser
        or viewer.is_member_of(work.workspace_id)
    )
    return {
        "title": work.title,
        "detail": work.detail if is_own else "",
        "address": work.address if is_own else "",
        "started_at": work.started_at,
    }
