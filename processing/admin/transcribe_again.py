"""Having a recording transcribed again, by another engine or in another language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from processing.admin.document_verbs import user_of
from processing.engines.registry import engine_names, get_engine
from processing.exceptions import ProcessingError, UnsupportedLanguage
from processing.services.requesting import (
    PIPELINE_PARAMETERS,
    engine_parameters,
    request_transcript,
)

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from processing.admin.scoping import OfWorkspaces
    from processing.models import Transcript


def _choices() -> list[tuple[str, str]]:
    return [(name, name) for name in engine_names()]


class AgainForm(forms.Form):
    """Which engine, and in which language."""

    prefix = "again"
    engine = forms.ChoiceField(choices=_choices)
    language = forms.CharField(
        required=False,
        max_length=10,
        help_text="A code such as en. Empty: the first that the engine understands.",
    )
    channels = forms.ChoiceField(choices=[(name, name) for name in PIPELINE_PARAMETERS["channels"]])

    @classmethod
    def for_transcript(cls, transcript: Transcript, data: Any = None) -> AgainForm:
        """Return a form that offers what the transcript was made with."""
        default = PIPELINE_PARAMETERS["channels"][0]
        return cls(
            data,
            initial={
                "engine": transcript.engine,
                "language": transcript.language,
                "channels": transcript.parameters.get("channels", default),
            },
        )


def again_view(model_admin: OfWorkspaces, request: HttpRequest, object_id: Any) -> HttpResponse:
    """Show and take the form; lead to the transcript that it asks for."""
    transcript = model_admin.row_for(request, object_id)
    form = AgainForm.for_transcript(transcript, request.POST or None)
    if form.is_valid() and (asked := _requested(request, transcript, form)):
        model_admin.message_user(request, *asked[1])
        return redirect("admin:processing_transcript_change", asked[0].pk)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"Transcribe {transcript.recording} again",
        "opts": model_admin.opts,
        "transcript": transcript,
        "again_form": form,
        "media": model_admin.media,
    }
    return TemplateResponse(request, "admin/processing/transcript/again.html", context)


def _requested(
    request: HttpRequest, transcript: Transcript, form: AgainForm
) -> tuple[Transcript, tuple[str, int]] | None:
    """Return the transcript and what to say of it; None when it is refused, as the form says."""
    wanted = form.cleaned_data
    try:
        kept = engine_parameters(get_engine(wanted["engine"]), transcript.parameters)
        asked = request_transcript(
            recording=transcript.recording,
            engine=wanted["engine"],
            language=wanted["language"],
            parameters=kept | {"channels": wanted["channels"]},
            created_by=user_of(request),
        )
    except UnsupportedLanguage as error:
        form.add_error("language", str(error))
    except (ProcessingError, ImproperlyConfigured) as error:
        form.add_error("engine", str(error))
    else:
        if asked.is_cached:
            return asked.transcript, ("This was heard before; here it is.", messages.INFO)
        return asked.transcript, ("The recording is being transcribed.", messages.SUCCESS)
    return None
