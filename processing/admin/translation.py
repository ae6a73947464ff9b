"""Translations in the admin: source and translation side by side, and as files."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.lists import CreatedFilter, NewestChoices, NewestValues
from jobs.presentation import NOTHING, age, elapsed, error_line, link_to, status_badge
from processing.admin.following import FollowedResultAdmin
from processing.admin.named import OF_NEWEST_NAMED, documents_titled
from processing.admin.presentation import STYLES, followed, seconds_from_asking
from processing.admin.reading import result_line
from processing.admin.scoping import OfWorkspaces, WorkspaceFilter
from processing.choices import ResultStatus
from processing.knowledge.content import sections_of
from processing.models import Document, Translation
from processing.services.progress import clock

#: The most segments that a page shows side by side.
SHOWN_SEGMENTS = 2_000


@admin.register(Translation)
class TranslationAdmin(OfWorkspaces, FollowedResultAdmin):
    list_display = (
        "title",
        "language",
        "badge",
        "engine",
        "age",
        "duration",
        "document_link",
        "workspace_link",
        "created_by",
        "error",
    )
    list_filter = (
        WorkspaceFilter,
        ("status", NewestChoices),
        CreatedFilter,
        ("language", NewestValues),
    )
    in_order_of_ids = True
    is_listed_by_workspace = True
    found_by = ("document",)
    empty_text = "No translations yet: ask for one on the page of a document."
    search_fields = ("document__title",)
    search_help_text = f"An id, that of a document, or words of its title {OF_NEWEST_NAMED}"
    sortable_by = ()
    plain_values = {
        "duration": seconds_from_asking,
        "document_link": "document",
        "workspace_link": "workspace",
        "error": "error_code",
    }
    fieldsets = [
        (None, {"fields": ["document_link", "language", "state", "exports"]}),
        ("Side by side", {"fields": ["side_by_side"]}),
        ("Translation", {"fields": ["document_version", "created_by", "created_at", "id"]}),
    ]

    class Media:
        css = STYLES

    def rows(self) -> QuerySet[Translation]:
        return Translation.objects.select_related("document", "created_by", "workspace").defer(
            "segments", "document__text", "document__sections"
        )

    def is_going_on(self, object_id: str) -> bool:
        return Translation.objects.active().filter(pk=object_id).exists()

    def with_words(
        self, request: HttpRequest, rows: QuerySet[Any], words: str
    ) -> tuple[QuerySet[Any], bool]:
        return rows.filter(document__in=documents_titled(request, words)), False

    @admin.display(description="status", ordering="status")
    def badge(self, translation: Translation) -> SafeString:
        badge = status_badge(translation.status)
        return followed(translation, badge) if translation.is_active else badge

    @admin.display(description="age", ordering="-created_at")
    def age(self, translation: Translation) -> str:
        return age(translation.created_at)

    @admin.display(description="document", ordering="document__title")
    def title(self, translation: Translation) -> str:
        return translation.document.title

    @admin.display(description="duration")
    def duration(self, translation: Translation) -> str:
        return elapsed(translation.created_at, translation.completed_at)

    @admin.display(description="error")
    def error(self, translation: Translation) -> str:
        return error_line(translation.error_code, translation.error_message)

    @admin.display(description="document")
    def document_link(self, translation: Translation) -> SafeString:
        return link_to(translation.document)

    @admin.display(description="status")
    def state(self, translation: Translation) -> SafeString:
        return result_line(translation)

    @admin.display(description="export")
    def exports(self, translation: Translation) -> SafeString | str:
        if translation.status != ResultStatus.COMPLETED:
            return NOTHING
        address = reverse("translation-export", args=[translation.pk])
        return format_html_join(
            " · ",
            '<a href="{}?format={}">{}</a>',
            ((address, name, name) for name in ("text", "json", "srt", "vtt")),
        )

    @admin.display(description="text")
    def side_by_side(self, translation: Translation) -> SafeString | str:
        """What the document says now beside what its translation says."""
        document = Document.objects.select_related("transcript").get(pk=translation.document_id)
        sections = list(sections_of(document))
        if translation.document_version != document.version:
            note = "The document was corrected since: this translates an older version."
        else:
            note = ""
        rows = zip(sections, translation.segments, strict=False)
        lines = format_html_join(
            "",
            '<tr><td>{}</td><td dir="auto">{}</td><td dir="auto">{}</td></tr>',
            (_line(source, target) for source, target in list(rows)[:SHOWN_SEGMENTS]),
        )
        if not lines:
            return NOTHING
        return format_html(
            '{}<table class="side-by-side"><thead><tr><th></th><th>{}</th><th>{}</th></tr></thead>'
            "<tbody>{}</tbody></table>",
            format_html('<p class="gap">{}</p>', note) if note else "",
            document.language or "source",
            translation.language,
            lines,
        )


def _line(source: Any, target: dict[str, Any]) -> tuple[str, str, str]:
    time = "" if source.start is None else clock(source.start)
    return time, source.text, target["text"]
