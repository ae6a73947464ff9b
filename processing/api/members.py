"""Who belongs to the workspace of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework import status
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from jobs.api.parsers import ShallowJSONParser
from processing.api.access import OfWorkspace
from processing.api.idempotency import idempotent
from processing.api.workspace_filtersets import MemberFilterSet
from processing.api.workspace_serializers import (
    MemberRequestSerializer,
    MemberSerializer,
    RoleSerializer,
)
from processing.choices import Role
from processing.models import Membership
from processing.workspaces.members import add_member, change_role, remove_member, user_named

if TYPE_CHECKING:
    from rest_framework.request import Request

    from processing.managers.membership import MembershipQuerySet


class MemberViewSet(OfWorkspace, ReadOnlyModelViewSet[Membership]):
    """Members of the workspace: seen by all of them, changed by its managers."""

    serializer_class = MemberSerializer
    filterset_class = MemberFilterSet
    sort_fields = ["created_at"]
    parser_classes = [ShallowJSONParser]
    roles = dict.fromkeys(("create", "partial_update", "destroy"), Role.MANAGER)

    def get_queryset(self) -> MembershipQuerySet:
        return Membership.objects.in_workspace(self.workspace).select_related("user")

    @idempotent
    def create(self, request: Request) -> Response:
        """Let ``username`` in as ``role``: 201; 409 for who is a member already."""
        asked = MemberRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        membership = add_member(
            workspace=self.workspace,
            user=user_named(asked.validated_data["username"]),
            role=Role(asked.validated_data["role"]),
        )
        data = self.get_serializer(membership).data
        headers = {"Location": data["links"]["self"]}
        return Response(data, status=status.HTTP_201_CREATED, headers=headers)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Give a member another ``role``, if one is named; 409 for the last manager."""
        membership = self.get_object()
        asked = RoleSerializer(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        if "role" in asked.validated_data:
            change_role(membership, Role(asked.validated_data["role"]))
        return Response(self.get_serializer(membership).data)

    def destroy(self, request: Request, pk: str) -> Response:
        """Show a member out, and revoke their keys; 409 for the last manager."""
        remove_member(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)
