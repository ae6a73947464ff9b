"""Questions in the admin: asked here, and answered with what the answer rests on."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from jobs.lists import AMONG_NEWEST, CreatedFilter, NewestChoices
from jobs.presentation import NOTHING, age, elapsed, error_line, status_badge
from processing.admin.document_verbs import user_of
from processing.admin.following import FollowedResultAdmin
from processing.admin.presentation import STYLES, followed, seconds_from_asking
from processing.admin.reading import result_line
from processing.admin.scoping import OfWorkspaces, WorkspaceFilter, workspace_of, workspaces_of
from processing.admin.upload import FormPageAdmin, WorkspaceForm
from processing.exceptions import ProcessingError
from processing.knowledge.asking.answers import ask
from processing.models import Question
from processing.services.progress import clock

TEXT_CHARACTERS = 100

ADD = "processing.add_question"


class QuestionForm(WorkspaceForm):
    text = forms.CharField(label="Question", widget=AdminTextareaWidget(attrs={"rows": 3}))


@admin.register(Question)
class QuestionAdmin(OfWorkspaces, FollowedResultAdmin, FormPageAdmin):
    list_display = (
        "question",
        "badge",
        "engine",
        "age",
        "duration",
        "workspace_link",
        "created_by",
        "error",
    )
    list_filter = (WorkspaceFilter, ("status", NewestChoices), CreatedFilter)
    in_order_of_ids = True
    is_listed_by_workspace = True
    empty_text = "No questions yet: ask your documents one."
    search_fields = ("text",)
    search_help_text = f"An id, or words of a question {AMONG_NEWEST}"
    sortable_by = ()
    plain_values = {
        "question": "text",
        "duration": seconds_from_asking,
        "workspace_link": "workspace",
        "error": "error_code",
    }
    fieldsets = [
        (None, {"fields": ["text", "state", "shown_answer", "shown_citations"]}),
        ("Question", {"fields": ["filters", "created_by", "created_at", "id"]}),
    ]

    class Media:
        css = STYLES

    def rows(self) -> QuerySet[Question]:
        return Question.objects.select_related("created_by", "workspace")

    def is_going_on(self, object_id: str) -> bool:
        return Question.objects.active().filter(pk=object_id).exists()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ADD)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show and take a question; one that came from the search is in the form already."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = QuestionForm(request.POST or None, initial={"text": request.GET.get("text", "")})
        form.offer(workspaces_of(request, ADD))
        if request.method == "POST" and form.is_valid():
            try:
                question = ask(
                    workspace=form.workspace or workspace_of(request, ADD),
                    text=form.cleaned_data["text"],
                    created_by=user_of(request),
                )
            except ProcessingError as error:
                form.add_error("text", str(error))
            else:
                return redirect("admin:processing_question_change", question.pk)
        return self.form_page(request, form, title="Ask your documents")

    @admin.display(description="question")
    def question(self, question: Question) -> str:
        return Truncator(question.text).chars(TEXT_CHARACTERS)

    @admin.display(description="status", ordering="status")
    def badge(self, question: Question) -> SafeString:
        badge = status_badge(question.status)
        return followed(question, badge) if question.is_active else badge

    @admin.display(description="age", ordering="-created_at")
    def age(self, question: Question) -> str:
        return age(question.created_at)

    @admin.display(description="duration")
    def duration(self, question: Question) -> str:
        return elapsed(question.created_at, question.completed_at)

    @admin.display(description="error")
    def error(self, question: Question) -> str:
        return error_line(question.error_code, question.error_message)

    @admin.display(description="status")
    def state(self, question: Question) -> SafeString:
        return result_line(question)

    @admin.display(description="answer")
    def shown_answer(self, question: Question) -> SafeString | str:
        lines = format_html_join(
            "", "<p>{}</p>", ((line,) for line in question.answer.split("\n") if line.strip())
        )
        return format_html('<div class="summary" dir="auto">{}</div>', lines) if lines else NOTHING

    @admin.display(description="rests on")
    def shown_citations(self, question: Question) -> SafeString | str:
        rows = format_html_join(
            "",
            '<li value="{}"><a href="{}">{}</a>{}<blockquote dir="auto">{}</blockquote></li>',
            (
                (
                    citation["number"],
                    reverse("admin:processing_document_change", args=[citation["document"]])
                    + f"#passage-{citation['passage']}",
                    citation["title"],
                    _span(citation),
                    citation["quote"],
                )
                for citation in question.citations
            ),
        )
        return format_html('<ol class="citations">{}</ol>', rows) if rows else NOTHING


def _span(citation: dict[str, Any]) -> SafeString:
    if citation["start"] is None:
        return SafeString("")
    return format_html(" <time>{} to {}</time>", clock(citation["start"]), clock(citation["end"]))
