"""What was made of a transcript: its summary, translations, topics and questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.template.loader import render_to_string

from processing.admin.document_verbs import user_of
from processing.admin.reading import SHOWN_TRANSLATIONS
from processing.admin.transcript_page import document_of
from processing.models import Question, Summary
from processing.workspaces.role_permissions import is_allowed

if TYPE_CHECKING:
    from django.http import HttpRequest

    from processing.models import Document, Transcript

SHOWN_QUESTIONS = 5


def knowledge_context(request: HttpRequest, document: Document | None) -> dict[str, Any]:
    """Return what the panel needs; nothing of a transcript that has no document yet.

    ``is_being_made`` while any of it changes by itself.
    """
    if document is None:
        return {}
    user = user_of(request)

    def may(permission: str) -> bool:
        return is_allowed(user, f"processing.{permission}", document.workspace_id)

    if not (may("view_document") or may("change_document")):
        return {"document": None}
    summary = Summary.objects.of_document(document).first()
    rows = document.translations.defer("segments").order_by("-created_at")
    translations = list(rows[:SHOWN_TRANSLATIONS])
    questions = list(
        Question.objects.in_workspace(document.workspace)
        .filter(filters__documents=[str(document.pk)])
        .order_by("-created_at")[:SHOWN_QUESTIONS]
    )
    made = [*([summary] if summary else []), *translations, *questions]
    return {
        "document": document,
        "summary": summary,
        "summary_paragraphs": [line for line in summary.text.split("\n") if line.strip()]
        if summary
        else [],
        "translations": translations,
        "questions": questions,
        "is_being_made": any(result.is_active for result in made),
        "may_change_document": may("change_document"),
        "may_ask": may("add_question"),
    }


def results_html(request: HttpRequest, transcript: Transcript) -> str:
    """Return the part of the panel that changes by itself."""
    context = knowledge_context(request, document_of(transcript))
    return render_to_string("admin/processing/transcript/results.html", context, request)
