"""Transcripts in the admin: how they are doing, what was said, and having gaps heard again."""

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from jobs.presentation import NOTHING, age, error_line, link_to, status_badge
from processing.admin.correction import correction_view
from processing.admin.following import FollowedAdmin
from processing.admin.presentation import (
    STYLES,
    progress_bar,
    seam_audit,
    shown_name,
    transcript_text,
)
from processing.admin.scoping import OfWorkspaces
from processing.choices import ProcessingStatus
from processing.exceptions import ProcessingError
from processing.models import Document, ProcessingTask, Transcript
from processing.services.exports import FORMATS, content_so_far
from processing.services.merging.merger import Merged
from processing.services.requesting import retry_gaps

if TYPE_CHECKING:
    from collections.abc import Callable


@admin.register(Transcript)
class TranscriptAdmin(OfWorkspaces, FollowedAdmin):
    list_display = ("name", "badge", "progress", "engine", "language", "age", "error")
    list_filter = ("status", "engine", "language")
    search_fields = ("recording__name", "=id")
    date_hierarchy = "created_at"
    actions = ["retry"]
    fieldsets = [
        (None, {"fields": ["recording", "document_link", "badge", "progress", "error", "exports"]}),
        ("What was said", {"fields": ["content", "heard_language", "overlaps"]}),
        (
            "Request",
            {"fields": ["engine", "language", "parameters", "created_at", "id", "cache_key"]},
        ),
        ("Runs", {"fields": ["runs"]}),
    ]

    class Media:
        css = STYLES

    def rows(self) -> QuerySet[Transcript]:
        return Transcript.objects.with_runs().without_content()

    def is_going_on(self, object_id: str) -> bool:
        return ProcessingTask.objects.active().filter(transcript_id=object_id).exists()

    def get_urls(self) -> list[URLPattern]:
        wrap: Callable[..., Any] = self.admin_site.admin_view
        views = {"retry": self.retry_view, "correct": partial(correction_view, self)}
        return [
            *(
                path(f"<uuid:object_id>/{name}/", wrap(view), name=f"processing_transcript_{name}")
                for name, view in views.items()
            ),
            *super().get_urls(),
        ]

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("processing.change_transcript")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show the buttons only where they do something, and to who may."""
        transcript, may_change = context["original"], self.has_retry_permission(request)
        context["may_retry"] = may_change and _has_gaps(transcript)
        context["may_correct"] = may_change and transcript.is_readable
        return super().render_change_form(request, context, *args, **kwargs)

    def retry_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Have the gaps of one transcript heard again, and lead to where that goes on."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_retry_permission(request):
            raise PermissionDenied
        transcript = self.get_queryset(request).filter(pk=object_id).first()
        if transcript is None:
            raise Http404
        try:
            transcript = retry_gaps(transcript, created_by=_user_of(request)).transcript
        except ProcessingError as error:
            self.message_user(request, f"Nothing to do: {error}.", messages.WARNING)
        else:
            self.message_user(request, "The gaps are being heard again.", messages.SUCCESS)
        return redirect("admin:processing_transcript_change", transcript.pk)

    @admin.action(
        description="Hear the gaps of the selected transcripts again", permissions=["retry"]
    )
    def retry(self, request: HttpRequest, queryset: QuerySet[Transcript]) -> None:
        reasons = Counter[str]()
        for transcript in queryset:
            try:
                retry_gaps(transcript, created_by=_user_of(request))
            except ProcessingError as error:
                reasons[str(error)] += 1
        count = len(queryset) - reasons.total()
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, f"The gaps of {count} are being heard again.", level)
        for reason, refused_count in reasons.most_common():
            self.message_user(request, f"Refused {refused_count}: {reason}.", messages.WARNING)

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

    @admin.display(description="document")
    def document_link(self, transcript: Transcript) -> SafeString | str:
        """Where its summary, translations and topics are, once it was heard."""
        document = Document.objects.without_content().filter(transcript=transcript).first()
        return link_to(document) if document else NOTHING

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
        """What is there to read; while there is nothing, what a run has heard until now."""
        if transcript.is_readable:
            return transcript_text(Merged(transcript.segments, transcript.gaps))
        return transcript_text(content_so_far(transcript))

    @admin.display(description="audit of overlaps")
    def overlaps(self, transcript: Transcript) -> SafeString | str:
        return seam_audit(transcript.seams)

    @admin.display(description="runs, latest first")
    def runs(self, transcript: Transcript) -> SafeString:
        return format_html_join(
            "", "<div>{}</div>", ((link_to(run),) for run in transcript.processings.all())
        )


def _has_gaps(transcript: Transcript) -> bool:
    run = transcript.latest_processing
    return not run.is_active and run.status != ProcessingStatus.COMPLETED


def _user_of(request: HttpRequest) -> Any:
    return request.user if request.user.is_authenticated else None
