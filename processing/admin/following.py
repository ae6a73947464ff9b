"""Pages and lists that show by themselves how far what they show is.

A page of a run listens to its events; the others, and all lists, ask now and then. Who has no
JavaScript is shown the page anew.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from jobs.admin import MachineOwnedAdmin
from processing.admin.timeline import timeline_context
from processing.api.events import stream
from processing.api.server_sent import TooManyStreams
from processing.services.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.http.response import HttpResponseBase
    from django.urls import URLPattern

    from processing.models import ProcessingTask, Result

#: How often a browser without JavaScript loads the page anew.
REFRESH_SECONDS = 5

#: As many rows as one answer tells of.
MAX_ROWS = 200


class FollowedAdmin(MachineOwnedAdmin):
    """Rows that say how far they are.

    The page of one extends ``admin/processing/followed_form.html``.
    """

    class Media:
        js = [Script("processing/live.js", type="module")]

    def state_of(self, row: Any) -> dict[str, Any]:
        """Return how far a row is, for ``live.js``: status, share done, and that in words."""
        raise NotImplementedError

    def is_going_on(self, object_id: str) -> bool:
        """Whether what the page shows changes by itself."""
        raise NotImplementedError

    def live_addresses(self, object_id: str) -> dict[str, str]:
        """Return where the page of a row that goes on hears of it."""
        return {"progress": self._address("progress")}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.progress_view))
        return [path("progress/", view, name=self._name("progress")), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the page, and where to hear of what it shows while that goes on."""
        response = super().change_view(request, object_id, form_url, extra_context)
        pk = unquote(object_id)
        if isinstance(response, TemplateResponse) and self.is_going_on(pk):
            response.context_data = (response.context_data or {}) | {
                "live": {"id": pk, "refresh_seconds": REFRESH_SECONDS, **self.live_addresses(pk)}
            }
        return response

    def progress_view(self, request: HttpRequest) -> HttpResponse:
        """Answer how far the rows ``id`` are, of those that somebody sees."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        ids = list(_uuids(request.GET.getlist("id")[:MAX_ROWS]))
        rows = self.get_queryset(request).filter(pk__in=ids)
        return JsonResponse({str(row.pk): self.state_of(row) for row in rows})

    def _name(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"

    def _address(self, name: str, *args: Any) -> str:
        return reverse(f"admin:{self._name(name)}", args=args)


class FollowedRunAdmin(FollowedAdmin):
    """Runs, or what has one."""

    row_for: Any

    def run_of(self, row: Any) -> ProcessingTask:
        """Return the run that a row says how it is doing."""
        raise NotImplementedError

    def state_of(self, row: Any) -> dict[str, Any]:
        run = self.run_of(row)
        return {
            "status": run.status,
            "share": run.progress,
            "text": str(Progress.of(run)),
            "is_over": not run.is_active,
        }

    def live_addresses(self, object_id: str) -> dict[str, str]:
        own = {name: self._address(name, object_id) for name in ("events", "timeline")}
        return super().live_addresses(object_id) | own

    def get_urls(self) -> list[URLPattern]:
        views = {"events": self.events_view, "timeline": self.timeline_view}
        return [
            *(
                path(
                    f"<uuid:object_id>/{name}/",
                    self.admin_site.admin_view(require_safe(view)),
                    name=self._name(name),
                )
                for name, view in views.items()
            ),
            *super().get_urls(),
        ]

    def events_view(self, request: HttpRequest, object_id: Any) -> HttpResponseBase:
        """Tell what happens to the transcript of a run, as the API does; 503 when too many do."""
        row = self.row_for(request, object_id, "view")
        try:
            return stream(self.run_of(row).transcript_id, request)
        except TooManyStreams as error:
            return HttpResponse(error.detail, status=503, headers={"Retry-After": str(error.wait)})

    def timeline_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Answer what happened to a run, by itself."""
        run = self.run_of(self.row_for(request, object_id, "view"))
        timeline = timeline_context(run.transcript, run=run, parameters=request.GET)
        template = "admin/processing/transcript/timeline.html"
        return render(request, template, {"timeline": timeline})


class FollowedResultAdmin(FollowedAdmin):
    """What a worker makes for somebody."""

    change_form_template = "admin/processing/followed_form.html"

    def state_of(self, row: Result) -> dict[str, Any]:
        return {
            "status": row.status,
            "share": row.progress,
            "text": "",
            "is_over": not row.is_active,
        }


def _uuids(texts: Iterable[str]) -> Iterator[UUID]:
    for text in texts:
        with suppress(ValueError):
            yield UUID(text)
