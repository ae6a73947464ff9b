"""Recordings in the admin: uploaded here, renamed and deleted; the rest is what the file is."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.presentation import NOTHING, status_badge
from processing.admin.presentation import STYLES
from processing.admin.scoping import OfWorkspaces, WorkspaceFilter, workspace_of
from processing.admin.upload import UploadForm, UploadingAdmin
from processing.models import Recording
from processing.services.deletion import delete_recording
from processing.services.inputs.submission import submit_recording
from processing.services.progress import clock
from processing.uploads import HashingUploadHandler

SOUND = ("length", "container", "codec", "sample_rate", "channels")
FILE = ("size", "sha256", "workspace", "created_by", "created_at")


@admin.register(Recording)
class RecordingAdmin(OfWorkspaces, UploadingAdmin):
    list_display = ("name", "length", "size", "codec", "states", "created_by", "created_at")
    list_filter = (WorkspaceFilter, "container")
    list_select_related = ["created_by"]
    search_fields = ("name", "sha256")
    date_hierarchy = "created_at"
    show_full_result_count = False
    fieldsets = [
        (None, {"fields": ["name", "transcripts"]}),
        ("Sound", {"fields": SOUND}),
        ("File", {"fields": FILE}),
    ]
    readonly_fields = ("transcripts", *SOUND, *FILE)
    upload_form = UploadForm
    upload_handler = HashingUploadHandler
    upload_title = "Upload a recording"

    class Media:
        css = {"all": ["jobs/admin.css", *STYLES["all"]]}

    def rows(self) -> QuerySet[Recording]:
        return Recording.objects.with_transcripts()

    def uploaded(self, request: HttpRequest, form: UploadForm) -> HttpResponse:
        file = form.cleaned_data["file"]
        submission = submit_recording(
            source=file,
            name=file.name,
            workspace=form.workspace or workspace_of(request),
            engine=form.cleaned_data["engine"],
            language=form.cleaned_data["language"],
            parameters=form.parameters,
            sha256=file.sha256,
            created_by=request.user if request.user.is_authenticated else None,
        )
        recording = submission.recording
        if submission.is_new:
            self.log_addition(request, recording, [{"added": {}}])
            self.message_user(request, f"{recording} was stored.", messages.SUCCESS)
        else:
            self.message_user(request, f"This content was stored before, as {recording}.")
        return redirect("admin:processing_transcript_change", submission.request.transcript.pk)

    def delete_model(self, request: HttpRequest, obj: Recording) -> None:
        delete_recording(recording=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Recording]) -> None:
        for recording in queryset:
            delete_recording(recording=recording)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Summarise: what follows a recording belongs to the machine and goes with it."""
        recordings = list(objs)
        transcripts = sum(len(recording.transcripts.all()) for recording in recordings)
        counts = {"recordings": len(recordings), "transcripts": transcripts}
        return [str(recording) for recording in recordings], counts, set(), []

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

    @admin.display(description="transcripts")
    def transcripts(self, recording: Recording) -> SafeString:
        """As ``states``, with who heard it."""
        rows = zip(self._links(recording), recording.transcripts.all(), strict=True)
        return format_html_join(
            "",
            '<div><a href="{}">{}</a> {}, {}</div>',
            ((*link, transcript.engine, transcript.language) for link, transcript in rows),
        ) or format_html(NOTHING)

    @staticmethod
    def _links(recording: Recording) -> list[tuple[str, SafeString]]:
        return [
            (
                reverse("admin:processing_transcript_change", args=[transcript.pk]),
                status_badge(transcript.latest_processing.status),
            )
            for transcript in recording.transcripts.all()
        ]
