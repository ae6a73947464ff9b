"""Audit events in the admin: looked at, and nothing else."""

from django.contrib import admin
from django.db.models import QuerySet

from jobs.admin import MachineOwnedAdmin
from processing.admin.scoping import OfWorkspaces, WorkspaceFilter
from processing.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(OfWorkspaces, MachineOwnedAdmin):
    list_display = (
        "created_at",
        "actor_name",
        "action",
        "object_id",
        "workspace",
        "address",
    )
    list_filter = (WorkspaceFilter, "created_at")
    list_select_related = ["workspace"]
    search_fields = ("=object_id", "=actor_name", "=action", "=api_key_id", "=request_id")
    search_help_text = "All of an object's id, a name, an action, a key's id or a request's id"
    ordering = ("-id",)  # ids go up with time, and no index has the events of all workspaces
    sortable_by = ()
    fields = (
        "created_at",
        "actor_name",
        "actor",
        "api_key_id",
        "action",
        "object_type",
        "object_id",
        "workspace",
        "request_id",
        "address",
        "details",
        "id",
    )

    def rows(self) -> QuerySet[AuditEvent]:
        return AuditEvent.objects.select_related("workspace")
