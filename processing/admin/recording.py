"""Recordings in the admin: uploaded here, renamed and deleted; the rest is what the file is."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from jobs.presentation import NOTHING, status_badge
from processing.admin.presentation import STYLES
from processing.admin.upload import UploadForm
from processing.exceptions import ProcessingError
from processing.models import Recording, Workspace
from processing.services.deletion import delete_recording
from processing.services.progress import clock
from processing.services.submission import Submission, submit_recording
from processing.uploads import HashingUploadHandler

SOUND = ("length", "container", "codec", "sample_rate", "channels")
FILE = ("size", "sha256", "workspace", "created_by", "created_at")


def _discard_body(request: HttpRequest) -> None:
    """Let the browser send the rest: before it has, it shows no answer, but a lost connection."""
    while request.read(1 << 20):
        pass


@admin.register(Recording)
class RecordingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    list_display = ("name", "length", "size", "codec", "states", "created_by", "created_at")
    list_filter = ("workspace", "container")
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

    class Media:
        css = {"all": ["jobs/admin.css", *STYLES["all"]]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recording]:
        return Recording.objects.with_transcripts()

    @method_decorator(csrf_exempt)
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show and take the upload form.

        Exempt, and then protected again, so that the upload handler is in place before the
        check for the form's token reads the body.
        """
        request.upload_handlers = [HashingUploadHandler(request)]
        try:
            return csrf_protect(self._upload)(request)
        except ProcessingError as error:  # while the body was received
            _discard_body(request)
            form = UploadForm({}, {})
            form.errors.clear()
            form.refuse(error)
            return self._upload_page(request, form)

    def _upload(self, request: HttpRequest) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                submission = self._submit(request, form)
            except ProcessingError as error:
                form.refuse(error)
            else:
                return self._uploaded(request, submission)
        return self._upload_page(request, form)

    def _submit(self, request: HttpRequest, form: UploadForm) -> Submission:
        file = form.cleaned_data["file"]
        return submit_recording(
            source=file,
            name=file.name,
            workspace=Workspace.objects.default(),
            engine=form.cleaned_data["engine"],
            language=form.cleaned_data["language"],
            parameters=form.parameters,
            sha256=file.sha256,
            created_by=request.user if request.user.is_authenticated else None,
        )

    def _uploaded(self, request: HttpRequest, submission: Submission) -> HttpResponse:
        recording = submission.recording
        if submission.is_new:
            self.log_addition(request, recording, [{"added": {}}])
            self.message_user(request, f"{recording} was stored.", messages.SUCCESS)
        else:
            self.message_user(request, f"This content was stored before, as {recording}.")
        transcript_id = submission.request.transcript.pk
        return redirect(reverse("admin:processing_transcript_change", args=[transcript_id]))

    def _upload_page(self, request: HttpRequest, form: UploadForm) -> HttpResponse:
        page = AdminForm(
            form,  # type: ignore[arg-type]  # any form will do
            [(None, {"fields": list(form.fields)})],
            {},
            model_admin=self,
        )
        context = {
            **self.admin_site.each_context(request),
            "title": "Upload a recording",
            "adminform": page,
            "errors": form.errors,
            "media": self.media + form.media,
            "inline_admin_formsets": [],
            "original": None,
            "is_popup": False,
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
        }
        return self.render_change_form(request, context, add=True)

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
