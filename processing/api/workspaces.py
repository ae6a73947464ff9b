"""Workspaces of the caller: what they may have and what they use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.db import transaction
from django.db.models import Value
from django.http import Http404
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from jobs.api.parsers import ShallowJSONParser
from processing.api.idempotency import idempotent
from processing.api.workspace_filtersets import WorkspaceFilterSet
from processing.api.workspace_serializers import (
    LIMITS,
    WorkspaceChangeSerializer,
    WorkspaceSerializer,
)
from processing.choices import Role
from processing.models import ApiKey, ProcessingTask, Recording, Workspace, WorkspaceUsage
from processing.workspaces.access import Access, access_of_key, access_of_user
from processing.workspaces.quotas import current_month
from processing.workspaces.row_security import as_owner, confine

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.request import Request

    from processing.managers.workspace import WorkspaceQuerySet

#: Months that the usage of a workspace goes back.
SHOWN_MONTHS = 12


class WorkspaceViewSet(ReadOnlyModelViewSet[Workspace]):
    """The workspaces that the caller belongs to; a key belongs to one.

    The address names the workspace; the header ``Longhand-Workspace`` has no say here.
    """

    queryset = Workspace.objects.none()
    serializer_class = WorkspaceSerializer
    filterset_class = WorkspaceFilterSet
    sort_fields = ["created_at", "name"]
    parser_classes = [ShallowJSONParser]
    permission_classes = [IsAuthenticated]
    lookup_field = "slug"

    def get_queryset(self) -> WorkspaceQuerySet:
        return self._own().with_usage(current_month())

    def get_object(self) -> Workspace:
        self._access(self.kwargs["slug"])
        return super().get_object()

    @idempotent
    def create(self, request: Request) -> Response:
        """Make a workspace: 201; superusers only, and by their login, not by a key."""
        if not _is_superuser(request) or isinstance(request.auth, ApiKey):
            raise PermissionDenied("Only superusers make workspaces, and not by a key.")
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        with transaction.atomic(), as_owner():  # no request is in a workspace that is not there
            workspace = Workspace.objects.create(**asked.validated_data)
            data = self._answer(workspace)
        request._request.access = Access(workspace, Role.MANAGER)  # type: ignore[attr-defined]  # as below
        headers = {"Location": data["links"]["self"]}
        return Response(data, status=status.HTTP_201_CREATED, headers=headers)

    def partial_update(self, request: Request, slug: str) -> Response:
        """Change what managers decide; the limits are for superusers. What is not named stays."""
        access = self._access(slug)
        if not access.allows(Role.MANAGER):
            raise PermissionDenied("Only managers of the workspace change it.")
        change = WorkspaceChangeSerializer(
            access.workspace, data=request.data, partial=True, context=self.get_serializer_context()
        )
        change.is_valid(raise_exception=True)
        if not _is_superuser(request) and (named := change.validated_data.keys() & set(LIMITS)):
            raise PermissionDenied(f"Only superusers set {', '.join(sorted(named))}.")
        if change.validated_data:
            Workspace.objects.filter(pk=access.workspace.pk).update(**change.validated_data)
        return Response(self._answer(access.workspace))

    @action(detail=True)
    def usage(self, request: Request, slug: str) -> Response:
        """Answer what is used of what the workspace may have, and the last twelve months."""
        workspace = self.get_object()
        runs = ProcessingTask.objects.in_workspace(workspace)
        months = WorkspaceUsage.objects.in_workspace(workspace).values("month", "audio_seconds")
        shown = WorkspaceSerializer(workspace, context=self.get_serializer_context()).data
        return Response(
            {
                **shown["usage"],
                "recordings": Recording.objects.in_workspace(workspace).count(),
                "transcribing": runs.begun().count(),
                "waiting": runs.active().count() - runs.begun().count(),
                "limits": {name: shown[name] for name in LIMITS},
                "months": [
                    {
                        "month": used["month"].isoformat(),
                        "audio_minutes": round(used["audio_seconds"] / 60, 2),
                    }
                    for used in months[:SHOWN_MONTHS]
                ],
            }
        )

    def _own(self) -> WorkspaceQuerySet:
        """Return the caller's workspaces, each with their ``role``."""
        if isinstance(self.request.auth, ApiKey):
            access = access_of_key(self.request.auth)
            if access is None:
                return Workspace.objects.none()
            return _with_role(Workspace.objects.filter(pk=access.workspace.pk), access.role)
        user = cast("User", self.request.user)
        if user.is_superuser:
            Workspace.objects.default()
            return _with_role(Workspace.objects.all(), Role.MANAGER)
        return Workspace.objects.of_user(user)

    def _access(self, slug: str) -> Access:
        """Return what the caller may do in the workspace of a slug; 404 for one not theirs."""
        if isinstance(self.request.auth, ApiKey):
            access = access_of_key(self.request.auth)
        else:
            access = access_of_user(cast("User", self.request.user), slug)
        if access is None or access.workspace.slug != slug:
            raise Http404
        self.request._request.access = access  # type: ignore[attr-defined]  # for the audit event
        confine(self.request._request, access.workspace)
        return access

    def _answer(self, workspace: Workspace) -> Any:
        fresh = self.get_queryset().get(pk=workspace.pk)
        return WorkspaceSerializer(fresh, context=self.get_serializer_context()).data


def _with_role(workspaces: WorkspaceQuerySet, role: Role) -> WorkspaceQuerySet:
    return workspaces.annotate(role=Value(role.value))


def _is_superuser(request: Request) -> bool:
    return bool(request.user.is_superuser)
