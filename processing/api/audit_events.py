"""Who changed what in the workspace of a request, the latest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.viewsets import ReadOnlyModelViewSet

from processing.api.access import OfWorkspace
from processing.api.workspace_filtersets import AuditEventFilterSet
from processing.api.workspace_serializers import AuditEventSerializer
from processing.choices import Role
from processing.models import AuditEvent

if TYPE_CHECKING:
    from processing.managers.audit_event import AuditEventQuerySet


class AuditEventViewSet(OfWorkspace, ReadOnlyModelViewSet[AuditEvent]):
    """Changes that somebody asked for; for managers. Nobody changes or deletes them."""

    serializer_class = AuditEventSerializer
    filterset_class = AuditEventFilterSet
    sort_fields = ["created_at"]
    roles = dict.fromkeys(("list", "retrieve", "metadata"), Role.MANAGER)

    def get_queryset(self) -> AuditEventQuerySet:
        return AuditEvent.objects.in_workspace(self.workspace)
