"""Runs in the admin: live progress, and the one thing to be done about them."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.presentation import age, elapsed, error_line, link_to, status_badge
from processing.admin.following import FollowedAdmin
from processing.admin.presentation import STYLES, progress_bar, shown_name, transcript_text
from processing.admin.scoping import OfWorkspaces
from processing.choices import READABLE
from processing.models import ProcessingTask
from processing.services.exports import heard_in
from processing.services.orchestrator import cancel_processing


@admin.register(ProcessingTask)
class ProcessingTaskAdmin(OfWorkspaces, FollowedAdmin):
    workspace_path = "transcript__workspace"
    list_display = (
        "recording",
        "badge",
        "progress",
        "chunk_counts",
        "age",
        "duration",
        "error",
    )
    list_filter = ("status", "priority")
    search_fields = ("transcript__recording__name", "=id")
    date_hierarchy = "created_at"
    actions = ["cancel"]
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
        return ProcessingTask.objects.with_recordings()

    def is_going_on(self, object_id: str) -> bool:
        return ProcessingTask.objects.active().filter(pk=object_id).exists()

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("processing.change_processingtask")

    @admin.action(description="Cancel the selected runs", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[ProcessingTask]) -> None:
        outcomes = [cancel_processing(processing) for processing in queryset]
        count, over = outcomes.count(True), outcomes.count(False)
        self.message_user(
            request,
            f"Cancelled {count}; {over} had ended before.",
            messages.SUCCESS if count else messages.WARNING,
        )

    @admin.display(description="recording", ordering="transcript__recording__name")
    def recording(self, processing: ProcessingTask) -> str:
        return shown_name(processing.transcript.recording)

    @admin.display(description="status", ordering="status")
    def badge(self, processing: ProcessingTask) -> SafeString:
        return status_badge(processing.status)

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
        return transcript_text(heard_in(processing))
