"""What staff can have done with one transcript, each by a button on its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect

from processing.admin.document_verbs import user_of
from processing.exceptions import NothingToDo, ProcessingError
from processing.knowledge.asking.answers import ask
from processing.knowledge.corrections import revert_to
from processing.models import DocumentVersion, Question, Transcript
from processing.services.orchestrator import cancel_processing
from processing.services.requesting import retry_gaps
from processing.workspaces.role_permissions import is_allowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from processing.admin.scoping import OfWorkspaces


@dataclass(frozen=True)
class TranscriptVerb:
    """``act`` does it and returns what to show then, and what to tell who pressed the button."""

    act: Callable[[HttpRequest, Transcript], tuple[Transcript | Question, str]]
    verb: str = "change"

    def view_for(self, model_admin: OfWorkspaces) -> Callable[[HttpRequest, Any], HttpResponse]:
        def view(request: HttpRequest, object_id: Any) -> HttpResponse:
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            transcript: Transcript = model_admin.row_for(request, object_id, self.verb)
            shown: Transcript | Question = transcript
            try:
                shown, said = self.act(request, transcript)
            except ProcessingError as error:
                model_admin.message_user(request, f"Nothing to do: {error}.", messages.WARNING)
            else:
                model_admin.message_user(request, said, messages.SUCCESS)
            name = "question" if isinstance(shown, Question) else "transcript"
            return redirect(f"admin:processing_{name}_change", shown.pk)

        return view


def _retry(request: HttpRequest, transcript: Transcript) -> tuple[Transcript, str]:
    asked = retry_gaps(transcript, created_by=user_of(request))
    return asked.transcript, "The gaps are being heard again."


def _cancel(request: HttpRequest, transcript: Transcript) -> tuple[Transcript, str]:
    if not cancel_processing(transcript.latest_processing):
        raise NothingToDo("it was over already")
    return transcript, "The transcription was cancelled; what was heard is kept."


def _revert(request: HttpRequest, transcript: Transcript) -> tuple[Transcript, str]:
    """Have it say again what it said in version ``number``."""
    number, version = (request.POST.get(name, "") for name in ("number", "version"))
    versions = DocumentVersion.objects.filter(document__transcript=transcript)
    found = versions.filter(number=int(number)).first() if number.isdigit() else None
    if found is None:
        raise NothingToDo("there is no such version")
    expected = int(version) if version.isdigit() else 0
    document = revert_to(found, expected_version=expected, by=user_of(request))
    said = f"It says again what it said in version {number}: version {document.version}."
    return transcript, said


def _ask(request: HttpRequest, transcript: Transcript) -> tuple[Question, str]:
    """Ask of this recording alone, which who may look at it may do where they may ask."""
    if not is_allowed(user_of(request), "processing.add_question", transcript.workspace_id):
        raise PermissionDenied
    document = getattr(transcript, "document", None)
    if document is None:
        raise NothingToDo("there is no text to ask")
    question = ask(
        workspace=transcript.workspace,
        text=request.POST.get("text", ""),
        filters={"documents": [str(document.pk)]},
        created_by=user_of(request),
    )
    return question, "The question is being answered."


TRANSCRIPT_VERBS = {
    "retry": TranscriptVerb(_retry),
    "cancel": TranscriptVerb(_cancel),
    "revert": TranscriptVerb(_revert),
    "ask": TranscriptVerb(_ask, "view"),
}
