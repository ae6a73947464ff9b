"""The admin as one back office: its board, its navigation, and what all of its pages know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin import AdminSite
from django.urls import path

from config.navigation import grouped

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from django.template.response import TemplateResponse

#: Who may see the jobs of all workspaces runs the installation.
OPERATORS = "jobs.view_job"


class LonghandAdminSite(AdminSite):
    site_header = site_title = "Longhand"
    index_title = "Board"
    site_url = None  # the admin is the site

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Add what all pages know: ``navigation``, and whether an operator looks at them."""
        context = super().each_context(request)
        return context | {
            "navigation": context["available_apps"],
            "is_operator": request.user.has_perm(OPERATORS),
        }

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return our groups in the place of all apps; one app that is asked for stays itself."""
        apps = super().get_app_list(request, app_label)
        if app_label or not self.has_permission(request):
            return apps
        return grouped(apps, request)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Show the board."""
        from monitoring.board.views import board_context  # noqa: PLC0415  its models need this site first

        return super().index(request, board_context(request) | (extra_context or {}))

    def get_urls(self) -> list[Any]:
        """Add the board's addresses, and the export of any list."""
        from monitoring.board.urls import board_urls  # noqa: PLC0415  its models need this site first

        export: Any = self.admin_view(self.export)
        return [
            *board_urls(self),
            path("<str:app_label>/<str:model_name>/export/", export, name="export"),
            *super().get_urls(),
        ]

    def export(self, request: HttpRequest, app_label: str, model_name: str) -> HttpResponseBase:
        """Answer a list as CSV."""
        from config.csv_lists import export_list  # noqa: PLC0415  its models need this site first

        return export_list(self, request, app_label, model_name)
