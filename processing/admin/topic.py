"""Topics in the admin: renamed and deleted here, and given on the pages of documents."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from processing.admin.scoping import OfWorkspaces
from processing.models import Topic


@admin.register(Topic)
class TopicAdmin(OfWorkspaces):
    list_display = ("name", "shown_documents", "workspace")
    list_select_related = ["workspace"]
    search_fields = ("name",)
    show_full_result_count = False
    fields = ("name", "workspace", "shown_documents")
    readonly_fields = ("workspace", "shown_documents")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def rows(self) -> QuerySet[Topic]:
        return Topic.objects.with_counts()

    @admin.display(description="documents")
    def shown_documents(self, topic: Any) -> SafeString:
        address = reverse("admin:processing_document_changelist")
        return format_html(
            '<a href="{}?topics__id__exact={}">{}</a>', address, topic.pk, topic.document_count
        )
