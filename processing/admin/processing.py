"""Runs in the admin: live progress, and the one thing to be done about them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.bulk_admin import bulk_action
from jobs.lists import CreatedFilter, NewestChoices
from jobs.presentation import age, elapsed, error_line, link_to, seconds_at_work, status_badge
from processing.admin.following import FollowedRunAdmin
from processing.admin.named import OF_NEWEST_NAMED, transcripts_named
from processing.admin.presentation import STYLES, progress_bar, shown_name, transcript_text
from processing.admin.scoping import OfWorkspaces, WorkspaceFilter
from processing.admin.timeline import timeline_context
from processing.bulk_actions import CANCEL_RUNS
from processing.choices import READABLE
from processing.models import ProcessingTask
from processing.services.exports import heard_in


@admin.register(ProcessingTask)
class ProcessingTaskAdmin(OfWorkspaces, FollowedRunAdmin):
    workspace_path = "transcript__workspace"
    list_display = (
        "recording",
        "badge",
        "progress",
        "chunk_counts",
        "transcript_link",
        "priority",
        "age",
        "duration",
        "workspace_link",
        "error",
    )
    list_filter = (
        WorkspaceFilter,
        ("status", NewestChoices),  # within a workspace no index has it
        CreatedFilter,
        ("priority", NewestChoices),
    )
    found_by = ("transcript",)
    indexed_in_all = ("status",)
    empty_text = "No runs yet: upload a recording."
    search_fields = ("transcript__recording__name",)
    search_help_text = (
        f"An id, that of a transcript, or words of a recording's name {OF_NEWEST_NAMED}"
    )
    sortable_by = ("age",)
    plain_values = {
        "progress": "progress",
        "chunk_counts": "completed_chunks",
        "transcript_link": "transcript",
        "duration": seconds_at_work,
        "workspace_link": lambda processing: processing.transcript.workspace_id,
        "error": "error_code",
    }
    actions = [
        bulk_action(CANCEL_RUNS, description="Cancel the selected runs", permissions=["cancel"])
    ]
    fieldsets = [
        (None, {"fields": ["id", "transcript", "badge", "progress", "chunk_counts", "priority"]}),
        ("Outcome", {"fields": ["error_code", "error_message"]}),
        ("Heard so far", {"fields": ["content"]}),
        (
            "Cutting",
            {"fields": ["chunk_seconds", "total_chunks", "total_samples", "max_concurrent_chunks"]},
        ),
        ("Times", {"fields": ["created_at", "started_at", "completed_at", "duration"]}),
    ]

    class Media:
        css = STYLES

    def rows(self) -> QuerySet[ProcessingTask]:
        return ProcessingTask.objects.with_recordings().select_related("transcript__workspace")

    def is_going_on(self, object_id: str) -> bool:
        return ProcessingTask.objects.active().filter(pk=object_id).exists()

    def run_of(self, row: ProcessingTask) -> ProcessingTask:
        return row

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        run = context["original"]
        context["timeline"] = timeline_context(run.transcript, run=run, parameters=request.GET)
        return super().render_change_form(request, context, *args, **kwargs)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("processing.change_processingtask")

    def with_words(
        self, request: HttpRequest, rows: QuerySet[Any], words: str
    ) -> tuple[QuerySet[Any], bool]:
        return rows.filter(transcript__in=transcripts_named(request, words)), False

    @admin.display(description="recording", ordering="transcript__recording__name")
    def recording(self, processing: ProcessingTask) -> str:
        return shown_name(processing.transcript.recording)

    @admin.display(description="status", ordering="status")
    def badge(self, processing: ProcessingTask) -> SafeString:
        return status_badge(processing.status)

    @admin.display(description="transcript")
    def transcript_link(self, processing: ProcessingTask) -> SafeString:
        address = reverse("admin:processing_transcript_change", args=[processing.transcript_id])
        heard = processing.transcript
        return format_html('<a href="{}">{}, {}</a>', address, heard.engine, heard.language)

    @admin.display(description="progress")
    def progress(self, processing: ProcessingTask) -> SafeString:
        return progress_bar(processing)

    @admin.display(description="chunks")
    def chunk_counts(self, processing: ProcessingTask) -> SafeString:
        """How many are done, as a link to them."""
        total = "?" if processing.total_chunks is None else processing.total_chunks
        failed = f", {processing.failed_chunks} failed" if processing.failed_chunks else ""
        address = reverse("admin:processing_chunktask_changelist")
        return format_html(
            '<a href="{}?processing__id__exact={}">{} of {}{}</a>',
            address,
            processing.pk,
            processing.completed_chunks,
            total,
            failed,
        )

    @admin.display(description="age", ordering="-created_at")
    def age(self, processing: ProcessingTask) -> str:
        return age(processing.created_at)

    @admin.display(description="duration")
    def duration(self, processing: ProcessingTask) -> str:
        return elapsed(processing.started_at, processing.completed_at)

    @admin.display(description="error")
    def error(self, processing: ProcessingTask) -> str:
        return error_line(processing.error_code, processing.error_message)

    @admin.display(description="text")
    def content(self, processing: ProcessingTask) -> SafeString | str:
        """What a run heard that gave no transcript, or none yet; else a link to that."""
        if processing.status in READABLE:
            return link_to(processing.transcript)
        return transcript_text(heard_in(processing), is_live=processing.is_active)
