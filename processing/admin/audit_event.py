"""Audit events in the admin: looked at, and nothing else."""

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.admin import MachineOwnedAdmin
from jobs.lists import AMONG_NEWEST, CreatedFilter, NewestValues
from jobs.presentation import NOTHING, age
from processing.admin.scoping import OfWorkspaces, WorkspaceFilter
from processing.models import AuditEvent

#: What the API calls things that have pages, where the name of the model is another.
NAMES = {"chunk": "chunktask", "processing": "processingtask"}


@admin.register(AuditEvent)
class AuditEventAdmin(OfWorkspaces, MachineOwnedAdmin):
    list_display = (
        "created_at",
        "age",
        "actor_name",
        "action",
        "object_link",
        "workspace_link",
        "address",
    )
    list_filter = (WorkspaceFilter, CreatedFilter, ("object_type", NewestValues))
    list_select_related = ["workspace"]
    in_order_of_ids = True
    is_listed_by_workspace = True
    found_by = ("object_id",)
    empty_text = "Nobody has changed anything yet."
    search_fields = ("=actor_name", "=action", "=api_key_id", "=request_id")
    search_help_text = (
        "An id, or that of an object; all of a name, an action, a key's id or a request's id "
        f"{AMONG_NEWEST}"
    )
    sortable_by = ()
    plain_values = {"object_link": "object_id", "workspace_link": "workspace"}
    fields = (
        "created_at",
        "actor_name",
        "actor",
        "api_key_id",
        "action",
        "object_type",
        "object_link",
        "workspace",
        "request_id",
        "address",
        "details",
        "id",
    )

    def rows(self) -> QuerySet[AuditEvent]:
        return AuditEvent.objects.select_related("workspace", "actor")

    @admin.display(description="age", ordering="-created_at")
    def age(self, event: AuditEvent) -> str:
        return age(event.created_at)

    @admin.display(description="object")
    def object_link(self, event: AuditEvent) -> SafeString | str:
        """What was changed, as a link where such things have pages; it may be gone."""
        if not event.object_id:
            return NOTHING
        name = event.object_type.replace("-", "")
        name = NAMES.get(name, name)
        models = (model._meta for model in self.admin_site._registry)
        shown = {str(meta.model_name): meta.app_label for meta in models}
        if name not in shown:
            return event.object_id
        address = reverse(f"admin:{shown[name]}_{name}_change", args=[quote(event.object_id)])
        return format_html('<a href="{}">{}</a>', address, event.object_id)
