"""Topics in the admin: renamed and deleted here, and given on the pages of documents."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.lists import AMONG_NEWEST
from processing.admin.scoping import OfWorkspaces, WorkspaceFilter
from processing.models import Topic


@admin.register(Topic)
class TopicAdmin(OfWorkspaces):
    list_display = ("name", "shown_documents", "workspace_link")
    list_filter = (WorkspaceFilter,)
    list_select_related = ["workspace"]
    ordering = ("workspace_id", "slug")  # which an index has
    empty_text = "No topics yet: give some on the pages of documents."
    search_fields = ("name",)
    search_help_text = f"Words of a name {AMONG_NEWEST}"
    sortable_by = ()
    plain_values = {"shown_documents": "document_count", "workspace_link": "workspace"}
    fields = ("name", "workspace", "shown_documents")
    readonly_fields = ("workspace", "shown_documents")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def newest(self, request: HttpRequest, rows: QuerySet[Any], count: int) -> QuerySet[Any]:
        """As for all lists, but by ids, which come in the order of time here too."""
        last = list(rows.order_by("-pk").values_list("pk", flat=True)[count - 1 : count])
        return rows.filter(pk__gte=last[0]) if last else rows

    def rows(self) -> QuerySet[Topic]:
        return Topic.objects.with_counts()

    @admin.display(description="documents")
    def shown_documents(self, topic: Any) -> SafeString:
        address = reverse("admin:processing_document_changelist")
        return format_html(
            '<a href="{}?topics__id__exact={}">{}</a>', address, topic.pk, topic.document_count
        )
