"""Workspaces in the admin."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from processing.models import Workspace


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """The slug is how programs and settings name a workspace: it is chosen once."""

    list_display = ("name", "slug", "created_at")
    search_fields = ("name", "slug")
    show_full_result_count = False
    fields = ("name", "slug", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["created_at"] if obj is None else ["slug", "created_at"]

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> dict[str, Sequence[str]]:
        return {"slug": ("name",)} if obj is None else {}
