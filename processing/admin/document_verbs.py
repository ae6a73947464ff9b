"""What staff can have done with one document, each by a button on its page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect

from processing.admin.scoping import OfWorkspaces
from processing.exceptions import ProcessingError
from processing.knowledge.documents import request_indexing
from processing.knowledge.summarizing.summaries import request_summary
from processing.knowledge.translating.translations import request_translation
from processing.models import Document, Topic


def user_of(request: HttpRequest) -> Any:
    """Return who asks, None for nobody."""
    return request.user if request.user.is_authenticated else None


@dataclass(frozen=True)
class Verb:
    """``act`` does it and returns what to tell who pressed the button."""

    act: Callable[[HttpRequest, Document], str]

    def view_for(self, model_admin: OfWorkspaces) -> Callable[[HttpRequest, Any], HttpResponse]:
        """Return the view that does it, for who may change documents."""

        def view(request: HttpRequest, object_id: Any) -> HttpResponse:
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            document = model_admin.row_for(request, object_id)
            try:
                said, level = self.act(request, document), messages.SUCCESS
            except ProcessingError as error:
                said, level = f"Nothing was done: {error}.", messages.WARNING
            model_admin.message_user(request, said, level)
            if document.transcript_id and "from_transcript" in request.POST:
                return redirect("admin:processing_transcript_change", document.transcript_id)
            return redirect("admin:processing_document_change", document.pk)

        return view


def _summarise(request: HttpRequest, document: Document) -> str:
    request_summary(document=document, created_by=user_of(request), anew=True)
    return "The document is being summarised."


def _translate(request: HttpRequest, document: Document) -> str:
    language = request.POST.get("to", "").strip()
    request_translation(document=document, language=language, created_by=user_of(request))
    return f"The document is being translated into {language}."


def _index(request: HttpRequest, document: Document) -> str:
    request_indexing(document)
    return "The document is being indexed."


def _file_under(request: HttpRequest, document: Document) -> str:
    """Take away a topic that is named by its key, or give one by its name."""
    if (pk := request.POST.get("take_away", "")).isdigit():
        topic = Topic.objects.in_workspace(document.workspace).filter(pk=pk).first()
        if topic is None or not Topic.objects.take_away(document, topic):
            return "The document was not filed under that topic."
        return f"The document is no longer filed under {topic}."
    topic = Topic.objects.give(document, request.POST.get("give") or request.POST["new_topic"])
    return f"The document is filed under {topic}."


VERBS = {
    "summarise": Verb(_summarise),
    "translate": Verb(_translate),
    "index": Verb(_index),
    "topic": Verb(_file_under),
}
