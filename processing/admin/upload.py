"""The page that files are uploaded on, and the form for recordings."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.core.files.uploadhandler import FileUploadHandler
from django.db import models
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.datastructures import MultiValueDict
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from processing.admin.scoping import workspaces_of
from processing.audio.probe import FORMAT_NAMES
from processing.engines.registry import engine_names
from processing.exceptions import (
    ProcessingError,
    UnknownEngine,
    UnknownParameter,
    UnsupportedLanguage,
)
from processing.managers.workspace import WorkspaceQuerySet
from processing.models import Workspace
from processing.services.engine_health import names_with_parameter
from processing.services.requesting import PIPELINE_PARAMETERS

#: Parameters of engines that the form has fields for.
ENGINE_PARAMETERS = ("prompt", "hotwords")


#: What a script that sends a file asks to be answered with, besides the page.
JSON = "application/json"


def _engine_choices() -> list[tuple[str, str]]:
    default, *_ = Workspace.objects.default().engines or [settings.ENGINE]
    return [("", f"default ({default})"), *((name, name) for name in engine_names())]


@dataclass(frozen=True)
class Received:
    """What became of an uploaded file: ``message`` says it, and ``row`` is where it goes on."""

    row: models.Model
    message: str
    is_new: bool


class FormPageAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """Rows that are added with a form that is not of the model."""

    def form_page(
        self, request: HttpRequest, form: forms.Form, *, title: str, **extra: Any
    ) -> HttpResponse:
        """Show ``form`` as the admin shows its own; its template is given ``extra``."""
        page = AdminForm(
            form,  # type: ignore[arg-type]  # any form will do
            [(None, {"fields": list(form.fields)})],
            {},
            model_admin=self,
        )
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "adminform": page,
            "errors": form.errors,
            "media": self.media + form.media,
            "inline_admin_formsets": [],
            "original": None,
            "is_popup": False,
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
            **extra,
        }
        return self.render_change_form(request, context, add=True)


class WorkspaceForm(forms.Form):
    """A form that asks for the workspace where there are several to choose from."""

    def offer(self, workspaces: WorkspaceQuerySet) -> None:
        """Ask for one of ``workspaces``, if there are several."""
        if workspaces[1:].exists():
            self.fields["workspace"] = forms.ModelChoiceField(
                workspaces, required=False, empty_label="my default", to_field_name="slug"
            )

    @property
    def workspace(self) -> Workspace | None:
        """The workspace that was chosen."""
        return self.cleaned_data.get("workspace")


class RefusableForm(WorkspaceForm):
    """A form whose file an operation may refuse."""

    def refuse(self, error: ProcessingError) -> None:
        """Show why the operation refused, at the field that caused it."""
        self.add_error("file", str(error))


class UploadingAdmin(FormPageAdmin):
    """Rows that are added by uploading a file; it is judged while it comes in."""

    add_form_template = "admin/processing/upload.html"
    upload_form: type[RefusableForm]
    upload_handler: Callable[[HttpRequest], FileUploadHandler]
    upload_title: str

    def uploaded(self, request: HttpRequest, form: Any) -> Received:
        """Take a file that the form has found valid."""
        raise NotImplementedError

    def sending(self) -> dict[str, Any]:
        """Return what the page's script has to know: ``limit``, the most bytes of a file.

        Where it can send a file in pieces, ``pieces`` is the address for that, and ``result``
        the page of what comes of it, with zeros for its id.
        """
        raise NotImplementedError

    @method_decorator(csrf_exempt)
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show and take the upload form.

        Exempt, and then protected again, so that the upload handler is in place before the
        check for the form's token reads the body.
        """
        request.upload_handlers = [self.upload_handler(request)]
        try:
            return csrf_protect(self._upload)(request)
        except ProcessingError as error:  # while the body was received
            _discard_body(request)
            form = self.upload_form({}, MultiValueDict())
            form.errors.clear()
            form.refuse(error)
            return self._form(request, form)

    def _upload(self, request: HttpRequest) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.upload_form(request.POST or None, request.FILES or None)
        form.offer(workspaces_of(request, f"processing.add_{self.opts.model_name}"))
        if request.method == "POST" and form.is_valid():
            try:
                return self._received(request, self.uploaded(request, form))
            except ProcessingError as error:
                form.refuse(error)
        return self._form(request, form)

    def _received(self, request: HttpRequest, received: Received) -> HttpResponse:
        """Lead to what became of a file."""
        meta = received.row._meta
        address = reverse(
            f"admin:{meta.app_label}_{meta.model_name}_change", args=[received.row.pk]
        )
        if _is_of_script(request):
            answer = {"address": address, "message": received.message}
            return JsonResponse(answer, status=HTTPStatus.CREATED)
        level = messages.SUCCESS if received.is_new else messages.INFO
        self.message_user(request, received.message, level)
        return redirect(address)

    def _form(self, request: HttpRequest, form: RefusableForm) -> HttpResponse:
        if _is_of_script(request):
            return JsonResponse({"errors": form.errors}, status=HTTPStatus.BAD_REQUEST)
        return self.form_page(request, form, title=self.upload_title, sending=self.sending())


def _is_of_script(request: HttpRequest) -> bool:
    return request.get_preferred_type(["text/html", JSON]) == JSON


def _discard_body(request: HttpRequest) -> None:
    """Let the browser send the rest: before it has, it shows no answer, but a lost connection."""
    while request.read(1 << 20):
        pass


class UploadForm(RefusableForm):
    """A file and what is asked of it; ``parameters`` has what is not left as it is."""

    file = forms.FileField(
        allow_empty_file=True,
        max_length=None,
        widget=forms.FileInput(attrs={"accept": "audio/*,video/*"}),
    )
    engine = forms.ChoiceField(required=False, choices=_engine_choices)
    language = forms.CharField(
        required=False,
        max_length=10,
        widget=AdminTextInputWidget,
        help_text="A code such as en. Empty: the workspace's, else the first that the engine "
        "understands.",
    )
    channels = forms.ChoiceField(
        required=False,
        choices=[(value, value) for value in PIPELINE_PARAMETERS["channels"]],
        help_text="Separate: each channel is heard by itself, as the two ends of a telephone call.",
    )
    prompt = forms.CharField(
        required=False,
        widget=AdminTextareaWidget(attrs={"rows": 3}),
        help_text="What the recording is about, in its language.",
    )
    hotwords = forms.CharField(
        required=False,
        widget=AdminTextInputWidget,
        help_text="Names and terms to expect in it.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        limit = filesizeformat(settings.MAX_UPLOAD_BYTES)
        self.fields["file"].help_text = f"{FORMAT_NAMES}; up to {limit}."
        for name in ENGINE_PARAMETERS:
            if engines := names_with_parameter(name):
                self.fields[name].help_text += f" For {', '.join(engines)}."
            else:
                del self.fields[name]

    @property
    def parameters(self) -> dict[str, str]:
        """What was chosen; the defaults are left out, so that equal requests stay equal."""
        default = {"channels": PIPELINE_PARAMETERS["channels"][0]}
        asked = {name: self.cleaned_data.get(name) for name in ("channels", *ENGINE_PARAMETERS)}
        return {
            name: value for name, value in asked.items() if value and value != default.get(name)
        }

    def refuse(self, error: ProcessingError) -> None:
        """Show why the operation refused, at the field that caused it."""
        at_engine = (UnknownEngine, UnknownParameter)
        field = "language" if isinstance(error, UnsupportedLanguage) else "file"
        self.add_error("engine" if isinstance(error, at_engine) else field, str(error))


class DocumentUploadForm(RefusableForm):
    """A file, and what its text is called and written in."""

    file = forms.FileField(allow_empty_file=True, max_length=None)
    title = forms.CharField(
        required=False,
        max_length=255,
        widget=AdminTextInputWidget,
        help_text="Empty: the name of the file.",
    )
    language = forms.CharField(
        required=False,
        max_length=10,
        widget=AdminTextInputWidget,
        help_text="A code such as en. Empty: what it looks like.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        limit = filesizeformat(settings.MAX_DOCUMENT_BYTES)
        self.fields["file"].help_text = f"txt, md, html, pdf, docx, srt or vtt; up to {limit}."
