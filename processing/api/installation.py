"""What belongs to the installation: its cache and its workers, for operators only; and its jobs,
of which members see those of their workspace.

An operator is staff with Django's permissions for the rows, as in the admin. A key of an operator
is one when it may manage; it never sees the jobs of another workspace than its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.viewsets import ReadOnlyModelViewSet

from caching.api.viewsets import CacheEntryViewSet, CacheViewSet
from jobs.api.serializers import WorkerDetailSerializer
from jobs.api.viewsets import JobViewSet
from jobs.models import Job, Worker
from processing.api.access import (
    WORKSPACE_HEADER,
    WorkspacePermission,
    access_of,
    is_operators,
)
from processing.api.idempotency import idempotent
from processing.choices import Role, Scope
from processing.models import ApiKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rest_framework.request import Request
    from rest_framework.response import Response

    from jobs.managers.job import JobQuerySet
    from jobs.managers.worker import WorkerQuerySet


class OfInstallation:
    """A view for operators; the permissions of the view itself come on top."""

    def check_permissions(self, request: Request) -> None:
        super().check_permissions(request)  # type: ignore[misc]  # of the view
        if isinstance(request.auth, ApiKey) and Scope.MANAGE not in request.auth.scopes:
            raise PermissionDenied(f"Only a key of the scope {Scope.MANAGE} may do this.")


class InstallationCacheEntryViewSet(OfInstallation, CacheEntryViewSet):
    """Entries of the cache."""


class InstallationCacheViewSet(OfInstallation, CacheViewSet):
    """The cache as a whole."""


class WorkerViewSet(OfInstallation, ReadOnlyModelViewSet[Worker]):
    """The worker processes of all hosts, the latest first."""

    serializer_class = WorkerDetailSerializer
    sort_fields = ["started_at"]

    def get_queryset(self) -> WorkerQuerySet:
        return Worker.objects.all()


class WorkspaceJobViewSet(OfInstallation, JobViewSet):
    """All jobs for operators who name no workspace; for all others those of theirs."""

    #: What concerns the jobs of all workspaces.
    OF_INSTALLATION = ("stats", "bulk")

    queryset = Job.objects.none()
    roles: dict[str, Role] = {}

    @property
    def is_operators(self) -> bool:
        """Whether an operator asks for the jobs of all workspaces."""
        if getattr(self, "swagger_fake_view", False):  # a schema is made, of nobody's rows
            return True
        request = self.request
        is_all_meant = is_operators(request) and WORKSPACE_HEADER not in request.headers
        return is_all_meant and request.user.has_perm("jobs.view_job")

    def check_permissions(self, request: Request) -> None:
        is_of_installation = self.action in self.OF_INSTALLATION or self.is_operators
        (OfInstallation if is_of_installation else JobViewSet).check_permissions(self, request)

    def get_permissions(self) -> Sequence[Any]:
        if self.action in self.OF_INSTALLATION or self.is_operators:
            return super().get_permissions()
        return [WorkspacePermission()]

    def get_queryset(self) -> JobQuerySet:
        jobs = super().get_queryset()
        if self.is_operators:
            return jobs
        return jobs.in_workspace(access_of(self.request).workspace.pk)

    @idempotent
    def enqueue(self, request: Request) -> Response:
        return super().enqueue(request)

    def shown_worker(self, worker: Worker) -> dict[str, Any] | None:
        return super().shown_worker(worker) if self.is_operators else None
