"""Jobs in the admin, with the workspaces that they are for: ``jobs`` knows of none."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.admin import JobAdmin
from jobs.managers.job import JobQuerySet
from jobs.models import Job
from jobs.presentation import NOTHING
from processing.admin.scoping import WorkspaceFilter
from processing.models import Workspace

admin.site.unregister(Job)


@admin.register(Job)
class JobOfWorkspaceAdmin(JobAdmin):
    list_display = [*JobAdmin.list_display, "workspace_link", "created_by"]
    list_filter = [*JobAdmin.list_filter, WorkspaceFilter]
    plain_values = {**JobAdmin.plain_values, "workspace_link": "workspace_id"}

    def get_queryset(self, request: HttpRequest) -> JobQuerySet:
        names = Workspace.objects.filter(pk=OuterRef("workspace_id")).values("name")
        jobs = super().get_queryset(request).select_related("created_by")
        return jobs.annotate(workspace_name=Subquery(names))

    def of_workspaces(self, rows: JobQuerySet, workspace_ids: list[UUID]) -> JobQuerySet:
        return rows.filter(workspace_id__in=workspace_ids)

    @admin.display(description="workspace")
    def workspace_link(self, job: Any) -> SafeString | str:
        if job.workspace_name is None:  # there is none, or not any more
            return NOTHING
        address = reverse("admin:processing_workspace_change", args=[job.workspace_id])
        return format_html('<a href="{}">{}</a>', address, job.workspace_name)
