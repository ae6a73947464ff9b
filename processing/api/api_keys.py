"""API keys of the workspace of a request: made, exchanged and revoked.

Everybody has keys of their own, within their role; managers see and revoke all of the
workspace's. Nobody but its owner exchanges a key: whoever did could act as somebody else. A key
makes, exchanges and revokes keys only if ``manage`` is among its scopes: one that leaked could
make others that outlive it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from jobs.api.parsers import ShallowJSONParser
from processing.api.access import OfWorkspace, access_of
from processing.api.idempotency import idempotent
from processing.api.workspace_filtersets import ApiKeyFilterSet
from processing.api.workspace_serializers import (
    ApiKeyRequestSerializer,
    ApiKeySerializer,
    RotationSerializer,
)
from processing.choices import Role, Scope
from processing.models import ApiKey
from processing.workspaces.keys import issue_key, revoke_key
from processing.workspaces.scopes import exchange_key, refuse_wider

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.request import Request

    from processing.managers.api_key import ApiKeyQuerySet


class ApiKeyViewSet(OfWorkspace, ReadOnlyModelViewSet[ApiKey]):
    """The caller's keys, or for managers all of the workspace."""

    queryset = ApiKey.objects.none()
    serializer_class = ApiKeySerializer
    filterset_class = ApiKeyFilterSet
    sort_fields = ["created_at"]
    parser_classes = [ShallowJSONParser]
    roles = dict.fromkeys(("create", "rotate", "revoke", "destroy"), Role.VIEWER)

    def get_queryset(self) -> ApiKeyQuerySet:
        keys = ApiKey.objects.in_workspace(self.workspace).select_related("user")
        if access_of(self.request).allows(Role.MANAGER):
            return keys
        return keys.of_user(cast("User", self.request.user))

    @idempotent
    def create(self, request: Request) -> Response:
        """Make a key of the caller's: 201, with its ``token``, which is not shown again."""
        self._refuse_lesser_keys()
        asked = ApiKeyRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        refuse_wider(asked.validated_data["scopes"], access_of(request).role)
        key, token = issue_key(
            workspace=self.workspace,
            user=cast("User", request.user),
            **asked.validated_data,
        )
        return self._shown_once(key, token)

    @action(detail=True, methods=["post"])
    @idempotent
    def rotate(self, request: Request, pk: str) -> Response:
        """Exchange a key of the caller's: 201, with the new ``token``; the old key is good for
        ``grace_seconds`` more. 409 for one that is revoked or has expired."""
        self._refuse_lesser_keys()
        key = self.get_object()
        if key.user_id != request.user.pk:
            raise PermissionDenied("Only its owner exchanges a key; it can be revoked instead.")
        asked = RotationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        grace = timedelta(seconds=asked.validated_data["grace_seconds"])
        return self._shown_once(*exchange_key(key, access_of(request).role, grace=grace))

    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:
        """Have a key be good for nothing from now on; the answer is the same the second time."""
        return Response(self.get_serializer(self._revoked()).data)

    def destroy(self, request: Request, pk: str) -> Response:
        """As ``revoke``: keys stay in the list, for what they did is in the audit events."""
        self._revoked()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _revoked(self) -> ApiKey:
        self._refuse_lesser_keys()
        key = self.get_object()
        revoke_key(key)
        return key

    def _refuse_lesser_keys(self) -> None:
        key = self.request.auth
        if isinstance(key, ApiKey) and Scope.MANAGE not in key.scopes:
            raise PermissionDenied(f"A key without the scope {Scope.MANAGE} changes no keys.")

    def _shown_once(self, key: ApiKey, token: str) -> Response:
        data: dict[str, Any] = {**self.get_serializer(key).data, "token": token}
        headers = {"Location": data["links"]["self"], "Cache-Control": "no-store"}
        return Response(data, status=status.HTTP_201_CREATED, headers=headers)
