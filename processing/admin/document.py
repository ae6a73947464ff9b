"""Documents in the admin: uploaded, read, filed under topics, summarised and translated here."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from jobs.api.totals import EstimatingPaginator
from jobs.presentation import NOTHING, age, error_line, link_to, status_badge
from processing.admin import reading
from processing.admin.document_verbs import VERBS, user_of
from processing.admin.presentation import STYLES
from processing.admin.scoping import OfWorkspaces, workspace_of
from processing.admin.search import search_view
from processing.admin.upload import DocumentUploadForm, UploadingAdmin
from processing.exceptions import ProcessingError
from processing.knowledge.documents import (
    check_language,
    delete_document,
    request_indexing,
    update_document,
)
from processing.knowledge.receiving import DocumentUploadHandler
from processing.knowledge.summarizing.summaries import request_summary
from processing.knowledge.uploading import submit_document
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
    list_display = ("title", "badge", "kind", "language", "shown_topics", "size", "age", "error")
    list_filter = ("status", "kind", "language")
    search_fields = ("title", "=id")
    date_hierarchy = "created_at"
    actions = ["index_again", "summarise"]
    paginator = EstimatingPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
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

    def uploaded(self, request: HttpRequest, form: DocumentUploadForm) -> HttpResponse:
        file = form.cleaned_data["file"]
        document, is_new = submit_document(
            source=file,
            name=file.name,
            workspace=form.workspace or workspace_of(request),
            title=form.cleaned_data["title"],
            language=form.cleaned_data["language"],
            sha256=file.sha256,
            created_by=user_of(request),
        )
        if is_new:
            self.log_addition(request, document, [{"added": {}}])
            self.message_user(request, f"{document} is being read.", messages.SUCCESS)
        else:
            self.message_user(request, f"This content was stored before, as {document}.")
        return redirect("admin:processing_document_change", document.pk)

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

    def get_actions(self, request: HttpRequest) -> Any:
        """Some documents are not deleted: no action deletes whatever is selected."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def delete_model(self, request: HttpRequest, obj: Document) -> None:
        delete_document(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Summarise: what was made of a document belongs to the machine and goes with it."""
        documents = list(objs)
        return [str(document) for document in documents], {"documents": len(documents)}, set(), []

    @admin.action(description="Index the selected documents again", permissions=["change"])
    def index_again(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        for document in queryset:
            request_indexing(document)
        self.message_user(request, f"{len(queryset)} are being indexed.", messages.SUCCESS)

    @admin.action(description="Summarise the selected documents", permissions=["change"])
    def summarise(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        count = 0
        for document in queryset:
            try:
                request_summary(document=document, created_by=user_of(request))
                count += 1
            except ProcessingError as error:
                self.message_user(request, f"{document}: {error}.", messages.WARNING)
        self.message_user(request, f"{count} are being summarised.", messages.SUCCESS)

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
