"""Transcripts in the admin: how they are doing, what was said, and what can be done with them."""

from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.bulk_admin import bulk_action
from jobs.lists import CreatedFilter, NewestChoices, NewestValues
from jobs.presentation import (
    NOTHING,
    age,
    elapsed,
    error_line,
    link_to,
    seconds_at_work,
    status_badge,
)
from processing.admin.correction import correction_view
from processing.admin.following import FollowedRunAdmin
from processing.admin.knowledge_panel import knowledge_context, results_html
from processing.admin.named import OF_NEWEST_NAMED, recordings_named
from processing.admin.playing import player_context, waveform_view
from processing.admin.presentation import STYLES, progress_bar, shown_name
from processing.admin.scoping import OfWorkspaces, WorkspaceFilter
from processing.admin.segment import segment_view
from processing.admin.timeline import timeline_context
from processing.admin.transcribe_again import AgainForm, again_view
from processing.admin.transcript_page import head_context, text_context, text_html, versions_of
from processing.admin.transcript_verbs import TRANSCRIPT_VERBS
from processing.bulk_actions import CANCEL_TRANSCRIPTS, RETRY_GAPS
from processing.choices import ProcessingStatus
from processing.models import ProcessingTask, Transcript

if TYPE_CHECKING:
    from collections.abc import Callable


@admin.register(Transcript)
class TranscriptAdmin(OfWorkspaces, FollowedRunAdmin):
    list_display = (
        "name",
        "badge",
        "progress",
        "engine",
        "language",
        "attempts",
        "age",
        "duration",
        "workspace_link",
        "who",
        "error",
    )
    list_filter = (
        WorkspaceFilter,
        ("status", NewestChoices),
        CreatedFilter,
        ("engine", NewestValues),
        ("language", NewestValues),
    )
    found_by = ("recording",)
    empty_text = "No transcripts yet: upload a recording."
    search_fields = ("recording__name",)
    search_help_text = f"An id, that of a recording, or words of its name {OF_NEWEST_NAMED}"
    sortable_by = ("age",)
    is_listed_by_workspace = True
    indexed_in_workspace = ("status", "engine", "language")
    plain_values = {
        "badge": "status",
        "progress": lambda transcript: transcript.latest_processing.progress,
        "attempts": lambda transcript: len(transcript.processings.all()),
        "duration": lambda transcript: seconds_at_work(transcript.latest_processing),
        "workspace_link": "workspace",
        "error": lambda transcript: transcript.latest_processing.error_code,
    }
    actions = [
        bulk_action(
            RETRY_GAPS,
            description="Hear the gaps of the selected transcripts again",
            permissions=["retry"],
        ),
        bulk_action(
            CANCEL_TRANSCRIPTS,
            description="Cancel the runs of the selected transcripts",
            permissions=["retry"],
        ),
    ]
    fieldsets = [
        (
            "Details",
            {
                "classes": ["collapse"],
                "fields": [
                    *("recording", "engine", "language", "heard_language", "parameters"),
                    *("created_at", "id", "cache_key", "runs"),
                ],
            },
        ),
    ]

    class Media:
        css = STYLES

    def rows(self) -> QuerySet[Transcript]:
        rows = Transcript.objects.with_runs().without_content()
        return rows.select_related("workspace", "recording__workspace", "recording__created_by")

    def is_going_on(self, object_id: str) -> bool:
        return ProcessingTask.objects.active().filter(transcript_id=object_id).exists()

    def run_of(self, row: Transcript) -> ProcessingTask:
        return row.latest_processing

    def get_urls(self) -> list[URLPattern]:
        wrap: Callable[..., Any] = self.admin_site.admin_view
        views = {
            "correct": partial(correction_view, self),
            "again": partial(again_view, self),
            "text": self.text_view,
            "results": self.results_view,
            **{name: verb.view_for(self) for name, verb in TRANSCRIPT_VERBS.items()},
        }
        segment = path(
            "<uuid:object_id>/segments/<int:index>/",
            wrap(partial(segment_view, self)),
            name="processing_transcript_segment",
        )
        waveform = path(
            "<uuid:object_id>/waveform/",
            wrap(partial(waveform_view, transcripts=self), cacheable=True),
            name="processing_transcript_waveform",
        )
        return [
            *(
                path(f"<uuid:object_id>/{name}/", wrap(view), name=f"processing_transcript_{name}")
                for name, view in views.items()
            ),
            segment,
            waveform,
            *super().get_urls(),
        ]

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("processing.change_transcript")

    def may_correct(self, request: HttpRequest, transcript: Transcript) -> bool:
        """Whether somebody may correct it, and it is there and nothing is being heard of it."""
        is_there = transcript.is_readable and not transcript.latest_processing.is_active
        return is_there and self.is_allowed(request, transcript, "change")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show all of it around the admin's own fields, and buttons only to who may use them."""
        transcript = context["original"]
        may_change = self.is_allowed(request, transcript, "change")
        context |= text_context(transcript, request) | head_context(transcript)
        document = context["document"]
        context |= {
            "may_change": may_change,
            "may_retry": may_change and _has_gaps(transcript),
            "may_cancel": may_change and transcript.latest_processing.is_active,
            "may_correct": self.may_correct(request, transcript),
            "again_form": AgainForm.for_transcript(transcript),
            "versions": versions_of(document) if document else [],
            "player": player_context(transcript),
            "timeline": timeline_context(transcript, parameters=request.GET),
            **knowledge_context(request, document),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def text_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Answer a page of the text by itself: 204 when there is none as it was asked for."""
        transcript = self.row_for(request, object_id, "view")
        may_correct = self.may_correct(request, transcript)
        html = text_html(transcript, request, may_correct=may_correct)
        return HttpResponse(html, status=200 if html else 204)

    def results_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Answer how what is made of the transcript is doing, by itself."""
        return HttpResponse(results_html(request, self.row_for(request, object_id, "view")))

    def with_words(
        self, request: HttpRequest, rows: QuerySet[Any], words: str
    ) -> tuple[QuerySet[Any], bool]:
        return rows.filter(recording__in=recordings_named(request, words)), False

    @admin.display(description="recording", ordering="recording__name")
    def name(self, transcript: Transcript) -> str:
        return shown_name(transcript.recording)

    @admin.display(description="status")
    def badge(self, transcript: Transcript) -> SafeString:
        return status_badge(transcript.latest_processing.status)

    @admin.display(description="runs")
    def attempts(self, transcript: Transcript) -> SafeString:
        """How often it was heard, as a link to the last time."""
        runs = transcript.processings.all()
        address = reverse("admin:processing_processingtask_change", args=[runs[0].pk])
        return format_html('<a href="{}">{}</a>', address, len(runs))

    @admin.display(description="duration")
    def duration(self, transcript: Transcript) -> str:
        run = transcript.latest_processing
        return elapsed(run.started_at, run.completed_at)

    @admin.display(description="who", ordering="recording__created_by__username")
    def who(self, transcript: Transcript) -> str:
        return str(transcript.recording.created_by or NOTHING)

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

    @admin.display(description="runs, latest first")
    def runs(self, transcript: Transcript) -> SafeString:
        return format_html_join(
            "", "<div>{}</div>", ((link_to(run),) for run in transcript.processings.all())
        )


def _has_gaps(transcript: Transcript) -> bool:
    run = transcript.latest_processing
    return not run.is_active and run.status != ProcessingStatus.COMPLETED
