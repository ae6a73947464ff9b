"""The metrics as operators see them: every one with its last value and how it went."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from monitoring.catalogue import DEFINITIONS, Definition, Kind
from monitoring.charts import Line, line_chart
from monitoring.figures import figure
from monitoring.models import Metric
from monitoring.trends import DAY, HOUR, Trends, trends

#: What may be asked for: name -> window and its title.
WINDOWS = {
    "hour": (HOUR, "The last hour"),
    "day": (DAY, "The last day"),
}


@admin.register(Metric)
class MetricAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """One page for all of them; a row by itself says nothing."""

    class Media:
        css = {"all": ["monitoring/charts.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("monitoring.view_metric")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show each metric's last value and its chart; ``window`` is one of ``WINDOWS``."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        shown = request.GET.get("window", "day")
        window, _ = WINDOWS.get(shown, WINDOWS["day"])
        read = trends(DEFINITIONS, window)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": "Metrics",
            "window": shown,
            "windows": [(name, title) for name, (_, title) in WINDOWS.items()],
            "metrics": [_described(definition, read) for definition in DEFINITIONS.values()],
        }
        return TemplateResponse(request, "admin/monitoring/metrics.html", context)


def _described(definition: Definition, read: Trends) -> dict[str, Any]:
    """Return what the page shows of one metric; of a counter, how fast it grows."""
    is_counter = definition.kind is Kind.COUNTER
    whole = read.of(definition.name, as_rate=is_counter)
    total = read.of(definition.name).latest if is_counter else None
    parts = read.by(definition.name, as_rate=is_counter)
    busy = sorted(parts, key=lambda name: -max(parts[name].values, default=-1.0))
    lines = [Line(name, parts[name].points) for name in busy] if definition.label else []
    return {
        "name": definition.name,
        "title": definition.title,
        "latest": figure(whole.latest, whole.unit),
        "total": "" if total is None else figure(total, definition.unit),
        "chart": line_chart(
            lines or [Line("", whole.points)], label=definition.title, unit=whole.unit
        ),
    }
