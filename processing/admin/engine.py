"""Engines in the admin: what they have done, how they stand now, and leaving one alone."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.admin import MachineOwnedAdmin
from jobs.presentation import NOTHING, age, error_line, status_badge
from processing.admin.presentation import STYLES, speed
from processing.models import Engine
from processing.providers.breaker import CircuitBreaker
from processing.providers.limits import DimensionState
from processing.services.engine_health import (
    EngineReport,
    breaker_named,
    engine_report,
    engine_reports,
)

#: How long a breaker stays open that staff have tripped.
TRIP_SECONDS = 300

_UNITS = {"requests": "a minute", "audio_seconds": "an hour", "tokens": "a minute"}


class EngineList(ChangeList):
    """All engines on one page, also those that have no record yet; each knows its report."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        words = self.query.lower().split()
        reports = [
            report
            for report in engine_reports()
            if all(word in report.name.lower() for word in words)
        ]
        self.result_list = [_with_report(report) for report in reports]
        self.result_count = len(reports)
        self.full_result_count = self.result_count
        self.can_show_all, self.multi_page = True, False


def _with_report(report: EngineReport) -> Engine:
    record: Any = report.record
    record.report = report
    return report.record


@admin.register(Engine)
class EngineAdmin(MachineOwnedAdmin):
    list_display = ("name", "badge", "speed", "heard", "limits", "breaker", "last_error")
    search_fields = ("name",)
    search_help_text = "Words of a name"
    sortable_by = ()
    plain_values = {
        "badge": lambda engine: engine.report.health.upper(),
        "speed": "real_time_factor",
        "heard": "heard_count",
    }
    actions = ["trip", "reset"]
    fieldsets = [
        (None, {"fields": ["name", "badge", "reason", "speed", "heard", "heard_at"]}),
        ("Now", {"fields": ["limits", "breaker"]}),
        ("Last failure", {"fields": ["error_code", "error_message", "failed_at"]}),
        ("What it can", {"fields": ["place", "version", "languages", "parameters", "clips"]}),
    ]

    class Media:
        css = STYLES

    # What is seen

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return EngineList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Engine | None:
        report = engine_report(object_id)
        return None if report is None else _with_report(report)

    @admin.display(description="health")
    def badge(self, engine: Any) -> SafeString:
        return status_badge(engine.report.health.upper())

    @admin.display(description="speed")
    def speed(self, engine: Engine) -> str:
        return speed(engine.real_time_factor)

    @admin.display(description="chunks heard")
    def heard(self, engine: Engine) -> str:
        failed = f", {engine.failed_count:,} failed" if engine.failed_count else ""
        return f"{engine.heard_count:,}{failed}"

    @admin.display(description="limits")
    def limits(self, engine: Any) -> SafeString | str:
        """What of each limit is used, and what may be had at once."""
        state = engine.report.limiter
        if state is None:
            return _unknown(engine.report)
        lines = [_limit(dimension) for dimension in state.dimensions]
        if state.paused_seconds:
            lines.append(f"paused for {state.paused_seconds:.0f} s")
        return format_html_join("", '<div class="limit">{}</div>', ((one,) for one in lines)) or (
            "none"
        )

    @admin.display(description="breaker")
    def breaker(self, engine: Any) -> SafeString | str:
        state = engine.report.breaker
        if state is None:
            return _unknown(engine.report)
        seconds = f" for {state.seconds:.0f} s" if state.seconds else ""
        status = f"{state.status.replace('_', ' ')}{seconds}"
        if not state.call_count:
            return status
        calls = f"{state.failure_count} of {state.call_count} calls failed"
        return format_html("{}<div>{} lately</div>", status, calls)

    @admin.display(description="last error")
    def last_error(self, engine: Any) -> str:
        if engine.report.reason:
            return error_line("unavailable", engine.report.reason)
        if engine.failed_at is None:
            return NOTHING
        line = error_line(engine.error_code, engine.error_message)
        return f"{line} ({age(engine.failed_at)} ago)"

    @admin.display(description="cannot be asked because")
    def reason(self, engine: Any) -> str:
        return engine.report.reason or NOTHING

    @admin.display(description="runs")
    def place(self, engine: Any) -> str:
        made = engine.report.engine
        return NOTHING if made is None else "at a provider" if made.is_remote else "here"

    @admin.display(description="version")
    def version(self, engine: Any) -> str:
        return engine.report.engine.version if engine.report.engine else NOTHING

    @admin.display(description="languages")
    def languages(self, engine: Any) -> str:
        return ", ".join(engine.report.engine.languages) if engine.report.engine else NOTHING

    @admin.display(description="parameters")
    def parameters(self, engine: Any) -> str:
        made = engine.report.engine
        return (made and ", ".join(sorted(made.parameter_names))) or NOTHING

    @admin.display(description="longest clip")
    def clips(self, engine: Any) -> str:
        made = engine.report.engine
        if made is None or made.limits.max_clip_seconds is None:
            return NOTHING
        return f"{made.limits.max_clip_seconds:g} s"

    # What is done

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("processing.change_engine")

    @admin.action(
        description=f"Trip the breaker for {TRIP_SECONDS // 60} minutes", permissions=["operate"]
    )
    def trip(self, request: HttpRequest, queryset: QuerySet[Engine]) -> None:
        for breaker in self._breakers(request):
            breaker.trip(TRIP_SECONDS)
            self._confirm(request, breaker, "Nobody asks {name} for {seconds:.0f} s.")

    @admin.action(description="Reset the breaker", permissions=["operate"])
    def reset(self, request: HttpRequest, queryset: QuerySet[Engine]) -> None:
        for breaker in self._breakers(request):
            breaker.reset()
            self._confirm(request, breaker, "All workers ask {name} again.")

    def _breakers(self, request: HttpRequest) -> list[CircuitBreaker]:
        """Return the breakers of the selected providers, and say which engines have none.

        By the names that were sent: an engine without a record is in no queryset.
        """
        names = request.POST.getlist(ACTION_CHECKBOX_NAME)
        found = {name: breaker_named(name) for name in names}
        if without := [name for name, breaker in found.items() if breaker is None]:
            reason = f"No breaker is before {', '.join(without)}: only before providers."
            self.message_user(request, reason, messages.WARNING)
        return [breaker for breaker in found.values() if breaker is not None]

    def _confirm(self, request: HttpRequest, breaker: CircuitBreaker, done: str) -> None:
        state = breaker.state()
        if state.is_shared:
            message = done.format(name=breaker.name, seconds=state.seconds)
            self.message_user(request, message, messages.SUCCESS)
        else:
            reason = f"Redis is away: only this process knows of {breaker.name}."
            self.message_user(request, reason, messages.ERROR)


def _unknown(report: EngineReport) -> str:
    is_remote = report.engine is not None and report.engine.is_remote
    return "unknown: Redis is away" if is_remote else NOTHING


def _limit(state: DimensionState) -> str:
    """Return for example ``requests: 1 used, 49 left at once, 3,000 a minute``."""
    name = state.dimension.replace("_", " ")
    if state.remaining is None:
        return f"{name}: paused for {state.paused_seconds:.0f} s"
    unit = _UNITS.get(state.dimension)
    rate = f" at once, {state.limit:,.10g} {unit}" if unit and state.limit else ""
    paused = f", paused for {state.paused_seconds:.0f} s" if state.paused_seconds else ""
    return f"{name}: {state.used:,.3g} used, {state.remaining:,.3g} left{rate}{paused}"
