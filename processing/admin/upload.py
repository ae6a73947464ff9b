"""The form that recordings are uploaded with."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.template.defaultfilters import filesizeformat

from processing.audio.probe import FORMAT_NAMES
from processing.engines.registry import engine_names
from processing.exceptions import (
    ProcessingError,
    UnknownEngine,
    UnknownParameter,
    UnsupportedLanguage,
)
from processing.models import Workspace
from processing.services.engine_health import names_with_parameter
from processing.services.requesting import PIPELINE_PARAMETERS

#: Parameters of engines that the form has fields for.
ENGINE_PARAMETERS = ("prompt", "hotwords")


def _engine_choices() -> list[tuple[str, str]]:
    default, *_ = Workspace.objects.default().engines or [settings.ENGINE]
    return [("", f"default ({default})"), *((name, name) for name in engine_names())]


class UploadForm(forms.Form):
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
        help_text="A code such as en. Empty: the first that the engine understands.",
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
