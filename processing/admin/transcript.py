"""Transcripts in the admin: how they are doing, and what was said."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from jobs.admin import MachineOwnedAdmin
from jobs.presentation import NOTHING, age, error_line, link_to, status_badge
from processing.admin.presentation import STYLES, progress_bar, shown_name, transcript_text
from processing.choices import ProcessingStatus
from processing.models import ProcessingTask, Transcript
from processing.services.exports import FORMATS

#: How often a page that shows progress is loaded anew.
REFRESH_SECONDS = 3


class StatusFilter(admin.SimpleListFilter):
    """By the status of the latest run."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, status.label) for status in ProcessingStatus]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        status = self.value()
        return queryset.in_status(status) if status else queryset


@admin.register(Transcript)
class TranscriptAdmin(MachineOwnedAdmin):
    list_display = ("name", "badge", "progress", "engine", "language", "age", "error")
    list_filter = (StatusFilter, "engine", "language")
    search_fields = ("recording__name", "=id")
    date_hierarchy = "created_at"
    fieldsets = [
        (None, {"fields": ["recording", "badge", "progress", "error", "exports"]}),
        ("What was said", {"fields": ["content"]}),
        (
            "Request",
            {"fields": ["engine", "language", "parameters", "created_at", "id", "cache_key"]},
        ),
        ("Runs", {"fields": ["runs"]}),
    ]

    class Media:
        css = STYLES

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transcript]:
        return Transcript.objects.with_runs().without_content()

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the page, loaded anew every few seconds while its run goes on."""
        response = super().change_view(request, object_id, form_url, extra_context)
        active = ProcessingTask.objects.active()
        if response.status_code == 200 and active.filter(transcript_id=unquote(object_id)).exists():
            response["Refresh"] = str(REFRESH_SECONDS)
        return response

    @admin.display(description="recording", ordering="recording__name")
    def name(self, transcript: Transcript) -> str:
        return shown_name(transcript.recording)

    @admin.display(description="status")
    def badge(self, transcript: Transcript) -> SafeString:
        return status_badge(transcript.latest_processing.status)

    @admin.display(description="progress")
    def progress(self, transcript: Transcript) -> SafeString:
        return progress_bar(transcript.latest_processing)

    @admin.display(description="age", ordering="-created_at")
    def age(self, transcript: Transcript) -> str:
        return age(transcript.created_at)

    @admin.display(description="error")
    def error(self, transcript: Transcript) -> str:
        run = transcript.latest_processing
        return error_line(run.error_code, run.error_message)

    @admin.display(description="export")
    def exports(self, transcript: Transcript) -> SafeString | str:
        if not transcript.is_readable:
            return NOTHING
        address = reverse("transcript-export", args=[transcript.pk])
        return format_html_join(
            " · ", '<a href="{}?format={}">{}</a>', ((address, name, name) for name in FORMATS)
        )

    @admin.display(description="text")
    def content(self, transcript: Transcript) -> SafeString | str:
        has_content = transcript.segments or transcript.gaps
        return transcript_text(transcript) if has_content else NOTHING

    @admin.display(description="runs, latest first")
    def runs(self, transcript: Transcript) -> SafeString:
        return format_html_join(
            "", "<div>{}</div>", ((link_to(run),) for run in transcript.processings.all())
        )
