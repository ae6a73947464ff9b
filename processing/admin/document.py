"""Documents in the admin: uploaded, read, filed under topics, summarised and translated here."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.bulk_admin import bulk_action
from jobs.lists import AMONG_ALL, CreatedFilter, NewestChoices, NewestValues
from jobs.presentation import NOTHING, age, error_line, link_to, status_badge
from processing.admin import reading
from processing.admin.document_verbs import VERBS, user_of
from processing.admin.presentation import STYLES
from processing.admin.scoping import OfWorkspaces, WorkspaceFilter, workspace_of
from processing.admin.search import search_view
from processing.admin.upload import DocumentUploadForm, Received, UploadingAdmin
from processing.bulk_actions import DELETE_DOCUMENTS, INDEX_DOCUMENTS, SUMMARISE_DOCUMENTS
from processing.exceptions import ProcessingError
from processing.knowledge.documents import (
    check_language,
    delete_document,
    update_document,
)
from processing.knowledge.receiving import DocumentUploadHandler
from processing.knowledge.uploading import submit_document
from processing.managers.naming import is_named
from processing.managers.transcript import CONTENT
from processing.models import Document, Topic

if TYPE_CHECKING:
    from collections.abc import Callable


#: Topics in a line of the list.
SHOWN_TOPICS = 4

#: What people may change of a document.
EDITABLE = ("title", "language")


class DocumentForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable
    class Meta:
        model = Document
        fields = EDITABLE

    def clean_language(self) -> str:
        language: str = self.cleaned_data["language"]
        try:
            check_language(language)
        except ProcessingError as error:
            raise ValidationError(str(error)) from None
        return language


@admin.register(Document)
class DocumentAdmin(OfWorkspaces, UploadingAdmin):
    form = DocumentForm
    list_display = (
        "title",
        "badge",
        "kind",
        "language",
        "shown_topics",
        "size",
        "age",
        "workspace_link",
        "created_by",
        "transcript_link",
        "error",
    )
    list_filter = (
        WorkspaceFilter,
        ("status", NewestChoices),
        CreatedFilter,
        ("kind", NewestChoices),
        ("language", NewestValues),
    )
    in_order_of_ids = True
    is_listed_by_workspace = True
    found_by = ("transcript",)
    empty_text = "No documents yet: upload one, or a recording, whose transcript becomes one."
    search_fields = ("title",)
    search_help_text = f"An id, that of a transcript, or words (beg*) of a title {AMONG_ALL}"
    sortable_by = ()
    plain_values = {
        "shown_topics": lambda document: [topic["name"] for topic in document.filed_topics],
        "workspace_link": "workspace",
        "transcript_link": "transcript",
        "error": "error_code",
    }
    actions = [
        bulk_action(
            INDEX_DOCUMENTS,
            description="Index the selected documents again",
            permissions=["change"],
        ),
        bulk_action(
            SUMMARISE_DOCUMENTS,
            description="Summarise the selected documents",
            permissions=["change"],
        ),
        bulk_action(
            DELETE_DOCUMENTS, description="Delete the selected documents", permissions=["delete"]
        ),
    ]
    upload_form = DocumentUploadForm
    upload_handler = DocumentUploadHandler
    upload_title = "Upload a document"
    fieldsets = [
        (None, {"fields": [*EDITABLE, "badge", "error", "source"]}),
        ("In short", {"fields": ["summary", "filed_under"]}),
        ("In other languages", {"fields": ["translations"]}),
        ("Related", {"fields": ["related"]}),
        ("Text", {"fields": ["content"]}),
        (
            "Document",
            {"fields": ["kind", "version", "size", "workspace", "created_by", "created_at", "id"]},
        ),
    ]

    class Media:
        css = {"all": ["jobs/admin.css", *STYLES["all"]]}

    def rows(self) -> QuerySet[Document]:
        return (
            Document.objects.without_content()
            .select_related("transcript__recording", "workspace", "created_by")
            .defer(*(f"transcript__{name}" for name in CONTENT))
            .with_topics()
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        shown = [name for _, options in self.fieldsets or [] for name in options["fields"]]
        return [str(name) for name in shown if name not in EDITABLE]

    def get_urls(self) -> list[URLPattern]:
        wrap: Callable[..., Any] = self.admin_site.admin_view
        verbs = [
            path(
                f"<uuid:object_id>/{name}/",
                wrap(verb.view_for(self)),
                name=f"processing_document_{name}",
            )
            for name, verb in VERBS.items()
        ]
        search = path("search/", wrap(self.search), name="processing_document_search")
        return [search, *verbs, *super().get_urls()]

    def search(self, request: HttpRequest) -> HttpResponse:
        """Show the search over everything."""
        context = {**self.admin_site.each_context(request), "media": self.media}
        return search_view(request, context)

    def uploaded(self, request: HttpRequest, form: DocumentUploadForm) -> Received:
        file = form.cleaned_data["file"]
        document, is_new = submit_document(
            source=file,
            name=file.name,
            workspace=form.workspace or workspace_of(request, self.permission_to("add")),
            title=form.cleaned_data["title"],
            language=form.cleaned_data["language"],
            sha256=file.sha256,
            created_by=user_of(request),
        )
        if not is_new:
            return Received(document, f"This content was stored before, as {document}.", False)
        self.log_addition(request, document, [{"added": {}}])
        return Received(document, f"{document} is being read.", True)

    def sending(self) -> dict[str, Any]:
        return {"limit": settings.MAX_DOCUMENT_BYTES}

    def save_model(self, request: HttpRequest, obj: Document, form: Any, change: bool) -> None:
        """Change what was typed, and nothing that a worker may have changed meanwhile."""
        document = self.get_queryset(request).get(pk=obj.pk)
        title, language = form.cleaned_data["title"], form.cleaned_data["language"]
        update_document(document, title=title, language=language, by=user_of(request))
        if name := request.POST.get("new_topic", "").strip():
            try:
                Topic.objects.give(document, name)
            except ProcessingError as error:
                self.message_user(request, f"The topic was not given: {error}.", messages.WARNING)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was said in a recording goes with the recording only."""
        may = super().has_delete_permission(request, obj)
        return may and (obj is None or obj.transcript_id is None)

    def delete_model(self, request: HttpRequest, obj: Document) -> None:
        delete_document(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Summarise: what was made of a document belongs to the machine and goes with it."""
        documents = list(objs)
        return [str(document) for document in documents], {"documents": len(documents)}, set(), []

    def has_words(self, words: str) -> Q:
        return is_named("title", words)

    @admin.display(description="status", ordering="status")
    def badge(self, document: Document) -> SafeString:
        return status_badge(document.status)

    @admin.display(description="topics")
    def shown_topics(self, document: Any) -> str:
        """Those that people gave, and what the machine suggests in brackets."""
        names = (
            f"({topic['name']})" if topic["is_suggested"] else topic["name"]
            for topic in document.filed_topics[:SHOWN_TOPICS]
        )
        return ", ".join(names) or NOTHING

    @admin.display(description="size", ordering="size_bytes")
    def size(self, document: Document) -> str:
        return filesizeformat(document.size_bytes) if document.size_bytes else NOTHING

    @admin.display(description="age", ordering="-created_at")
    def age(self, document: Document) -> str:
        return age(document.created_at)

    @admin.display(description="error")
    def error(self, document: Document) -> str:
        return error_line(document.error_code, document.error_message) or NOTHING

    @admin.display(description="transcript")
    def transcript_link(self, document: Document) -> SafeString | str:
        if document.transcript_id is None:
            return NOTHING
        address = reverse("admin:processing_transcript_change", args=[document.transcript_id])
        return format_html('<a href="{}">transcript</a>', address)

    @admin.display(description="made from")
    def source(self, document: Document) -> SafeString | str:
        if document.transcript is None:
            return document.media_type or NOTHING
        rows = (document.transcript, document.transcript.recording)
        return format_html_join(", ", "{}", ((link_to(row),) for row in rows))

    @admin.display(description="summary")
    def summary(self, document: Document) -> SafeString | str:
        return reading.summary_of(document)

    @admin.display(description="topics")
    def filed_under(self, document: Document) -> SafeString | str:
        return reading.topics_of(document)

    @admin.display(description="translations")
    def translations(self, document: Document) -> SafeString | str:
        return reading.translations_of(document)

    @admin.display(description="related documents")
    def related(self, document: Document) -> SafeString | str:
        return reading.related_to(document)

    @admin.display(description="text")
    def content(self, document: Document) -> SafeString | str:
        return reading.passages_of(document)
