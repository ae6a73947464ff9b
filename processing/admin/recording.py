"""Recordings in the admin: uploaded here, renamed and deleted; the rest is what the file is."""

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.forms.widgets import Script
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from jobs.bulk_admin import bulk_action
from jobs.lists import AMONG_ALL, CreatedFilter, NewestValues
from jobs.presentation import NOTHING, age, error_line, status_badge
from processing.admin.playing import PlayedAdmin, player_context
from processing.admin.presentation import STYLES, followed, progress_bar
from processing.admin.scoping import (
    WorkspaceFilter,
    workspace_of,
    workspaces_of,
)
from processing.admin.upload import Received, UploadForm, UploadingAdmin
from processing.bulk_actions import DELETE_RECORDINGS
from processing.managers.naming import is_named
from processing.models import ProcessingTask, Recording
from processing.services.deletion import delete_recording
from processing.services.inputs.submission import submit_recording
from processing.services.progress import clock
from processing.uploads import HashingUploadHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http.response import HttpResponseBase

SHA256 = re.compile("[0-9a-f]{64}")

SOUND = ("length", "container", "codec", "sample_rate", "channels")
FILE = ("size", "sha256", "workspace", "created_by", "created_at")


@admin.register(Recording)
class RecordingAdmin(PlayedAdmin, UploadingAdmin):
    list_display = (
        "name",
        "length",
        "size",
        "codec",
        "states",
        "workspace_link",
        "created_by",
        "age",
    )
    list_filter = (WorkspaceFilter, CreatedFilter, ("codec", NewestValues))
    list_select_related = ["created_by", "workspace"]
    empty_text = "No recordings yet: upload one."
    search_fields = ("name",)
    search_help_text = f"An id, a SHA-256, or words (beg*) of a name {AMONG_ALL}"
    sortable_by = ("age",)
    is_listed_by_workspace = True
    actions = [
        bulk_action(
            DELETE_RECORDINGS, description="Delete the selected recordings", permissions=["delete"]
        )
    ]
    plain_values = {
        "workspace_link": "workspace",
        "states": lambda recording: [row.status for row in recording.transcripts.all()],
    }
    fieldsets = [
        (None, {"fields": ["name"]}),
        ("Sound", {"fields": SOUND}),
        ("File", {"fields": FILE}),
    ]
    readonly_fields = (*SOUND, *FILE)
    change_form_template = "admin/processing/recording/change_form.html"
    upload_form = UploadForm
    upload_handler = HashingUploadHandler
    upload_title = "Upload a recording"

    class Media:
        css = {"all": ["jobs/admin.css", *STYLES["all"]]}
        js = [Script("processing/live.js", type="module")]

    def rows(self) -> QuerySet[Recording]:
        return Recording.objects.with_transcripts()

    def uploaded(self, request: HttpRequest, form: UploadForm) -> Received:
        file = form.cleaned_data["file"]
        submission = submit_recording(
            source=file,
            name=file.name,
            workspace=form.workspace or workspace_of(request, self.permission_to("add")),
            engine=form.cleaned_data["engine"],
            language=form.cleaned_data["language"],
            parameters=form.parameters,
            sha256=file.sha256,
            created_by=request.user if request.user.is_authenticated else None,
        )
        recording, transcript = submission.recording, submission.request.transcript
        if not submission.is_new:
            return Received(transcript, f"This content was stored before, as {recording}.", False)
        self.log_addition(request, recording, [{"added": {}}])
        return Received(transcript, f"{recording} was stored.", True)

    def sending(self) -> dict[str, Any]:
        return {
            "limit": settings.MAX_UPLOAD_BYTES,
            "pieces": reverse("upload-list"),
            "result": reverse("admin:processing_transcript_change", args=[UUID(int=0)]),
        }

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add what was asked of the recording, and how that is doing."""
        if recording := context["original"]:
            runs = [(each, each.latest_processing) for each in recording.transcripts.all()]
            context["transcripts"] = [
                {
                    "transcript": transcript,
                    "badge": status_badge(run.status),
                    "progress": progress_bar(run),
                    "error": run.error_code and error_line(run.error_code, run.error_message),
                }
                for transcript, run in runs
            ]
            context["show_save_and_add_another"] = False
            if runs:
                context["player"] = player_context(runs[0][0])
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        wrap: Callable[..., Any] = self.admin_site.admin_view
        view, name = wrap(require_safe(self.original_view)), "processing_recording_original"
        return [path("<uuid:object_id>/original/", view, name=name), *super().get_urls()]

    def original_view(self, request: HttpRequest, object_id: Any) -> "HttpResponseBase":
        """Answer the file as it was uploaded, to be stored under its name."""
        recording = self.row_for(request, object_id, "view")
        try:
            file = recording.file.open()
        except FileNotFoundError:
            raise Http404 from None
        return FileResponse(file, as_attachment=True, filename=recording.name)

    def delete_model(self, request: HttpRequest, obj: Recording) -> None:
        delete_recording(recording=obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Summarise: what follows a recording belongs to the machine and goes with it."""
        recordings = list(objs)
        transcripts = sum(len(recording.transcripts.all()) for recording in recordings)
        counts = {"recordings": len(recordings), "transcripts": transcripts}
        return [str(recording) for recording in recordings], counts, set(), []

    def known_by(self, request: HttpRequest, term: str) -> Q:
        """Find by what is in a file, too: in each workspace, as the index has it."""
        if not SHA256.fullmatch(term.lower()):
            return super().known_by(request, term)
        workspaces = list(workspaces_of(request).values_list("pk", flat=True))
        return Q(workspace__in=workspaces, sha256=term.lower())

    def has_words(self, words: str) -> Q:
        return is_named("name", words)

    @admin.display(description="age", ordering="-created_at")
    def age(self, recording: Recording) -> str:
        return age(recording.created_at)

    @admin.display(description="length", ordering="duration_seconds")
    def length(self, recording: Recording) -> str:
        seconds = recording.duration_seconds
        return NOTHING if seconds is None else clock(seconds)

    @admin.display(description="size", ordering="size_bytes")
    def size(self, recording: Recording) -> str:
        return filesizeformat(recording.size_bytes)

    @admin.display(description="transcripts")
    def states(self, recording: Recording) -> SafeString:
        """Each transcript's status, as a link to it."""
        return format_html_join(" ", '<a href="{}">{}</a>', self._links(recording))

    @staticmethod
    def _links(recording: Recording) -> list[tuple[str, SafeString]]:
        return [
            (
                reverse("admin:processing_transcript_change", args=[transcript.pk]),
                _moving_badge(transcript.latest_processing),
            )
            for transcript in recording.transcripts.all()
        ]


def _moving_badge(run: ProcessingTask) -> SafeString:
    badge = status_badge(run.status)
    return followed(run, badge) if run.is_active else badge
