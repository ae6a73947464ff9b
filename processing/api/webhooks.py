"""Webhooks of a workspace, and what was sent to them: for its managers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import status
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.mixins import DestroyModelMixin
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from jobs.api.parsers import ShallowJSONParser
from processing.api.access import OfWorkspace, user_of
from processing.api.idempotency import idempotent
from processing.api.webhook_filtersets import WebhookDeliveryFilterSet, WebhookFilterSet
from processing.api.webhook_serializers import (
    WebhookDeliveryDetailSerializer,
    WebhookDeliverySerializer,
    WebhookRequestSerializer,
    WebhookSecretSerializer,
    WebhookSerializer,
)
from processing.choices import Role
from processing.models import Webhook, WebhookDelivery
from processing.webhooks.announcing import ping, resend
from processing.webhooks.pausing import pause, resume
from processing.webhooks.registering import (
    create_webhook,
    delete_webhook,
    rotate_secret,
    update_webhook,
)

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.serializers import BaseSerializer

    from processing.managers.webhook import WebhookDeliveryQuerySet, WebhookQuerySet


class WebhookViewSet(OfWorkspace, DestroyModelMixin, ReadOnlyModelViewSet[Webhook]):
    """Addresses that are told what happens in the workspace.

    Each delivery is signed as Standard Webhooks has it. Deleting a webhook forgets what was sent
    to it.
    """

    serializer_class = WebhookSerializer
    filterset_class = WebhookFilterSet
    sort_fields = ["created_at"]
    parser_classes = [ShallowJSONParser]
    roles = dict.fromkeys(
        (
            "list",
            "retrieve",
            "create",
            "partial_update",
            "destroy",
            "rotate_secret",
            "ping",
            "pause",
            "resume",
            "metadata",
        ),
        Role.MANAGER,
    )

    def get_queryset(self) -> WebhookQuerySet:
        return Webhook.objects.in_workspace(self.workspace).with_last_delivery()

    @idempotent
    def create(self, request: Request) -> Response:
        """Have ``events`` told to ``url``: 201, with the secret, which is not shown again."""
        asked = WebhookRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        webhook = create_webhook(
            **asked.validated_data, workspace=self.workspace, created_by=user_of(request)
        )
        data = self._answer(webhook, WebhookSecretSerializer)
        headers = {"Location": data["links"]["self"], "Cache-Control": "no-store"}
        return Response(data, status=status.HTTP_201_CREATED, headers=headers)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change ``url``, ``events`` or ``description``; what is not named stays."""
        webhook = self.get_object()
        asked = WebhookRequestSerializer(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        update_webhook(webhook, **asked.validated_data)
        return Response(self._answer(webhook))

    def perform_destroy(self, instance: Webhook) -> None:
        delete_webhook(instance)

    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> Response:
        """Answer another secret; for 24 hours deliveries are signed with both."""
        webhook = self.get_object()
        rotate_secret(webhook)
        data = self._answer(webhook, WebhookSecretSerializer)
        return Response(data, headers={"Cache-Control": "no-store"})

    @action(detail=True, methods=["post"])
    @idempotent
    def ping(self, request: Request, pk: str) -> Response:
        """Send it something: 202, with the delivery; 409 while it is paused."""
        return _accepted(ping(self.get_object()), request)

    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Send it nothing any more; deliveries that wait are cancelled."""
        webhook = self.get_object()
        pause(webhook)
        return Response(self._answer(webhook))

    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Send it what happens from now on."""
        webhook = self.get_object()
        resume(webhook)
        return Response(self._answer(webhook))

    def _answer(self, webhook: Webhook, kind: type[WebhookSerializer] = WebhookSerializer) -> Any:
        fresh = get_object_or_404(self.get_queryset(), pk=webhook.pk)
        return kind(fresh, context=self.get_serializer_context()).data


class WebhookDeliveryViewSet(OfWorkspace, ReadOnlyModelViewSet[WebhookDelivery]):
    """What was sent to one webhook, and what it answered."""

    queryset = WebhookDelivery.objects.none()
    filterset_class = WebhookDeliveryFilterSet
    sort_fields = ["created_at"]
    parser_classes = [ShallowJSONParser]
    roles = dict.fromkeys(("list", "retrieve", "resend", "metadata"), Role.MANAGER)

    def get_queryset(self) -> WebhookDeliveryQuerySet:
        webhooks = Webhook.objects.in_workspace(self.workspace)
        webhook = get_object_or_404(webhooks.only("pk"), pk=self.kwargs["webhook_pk"])
        deliveries = WebhookDelivery.objects.of_webhook(webhook.pk)
        return deliveries.without_payload() if self.action == "list" else deliveries

    def get_serializer_class(self) -> type[BaseSerializer[WebhookDelivery]]:
        is_list = self.action == "list"
        return WebhookDeliverySerializer if is_list else WebhookDeliveryDetailSerializer

    @action(detail=True, methods=["post"])
    @idempotent
    def resend(self, request: Request, webhook_pk: str, pk: str) -> Response:
        """Send it again, with the same ``message_id``: 202, with the new delivery; 409 while the
        webhook is paused."""
        return _accepted(resend(self.get_object()), request)


def _accepted(delivery: WebhookDelivery, request: Request) -> Response:
    data = WebhookDeliveryDetailSerializer(delivery, context={"request": request}).data
    headers = {"Location": data["links"]["self"]}
    return Response(data, status=status.HTTP_202_ACCEPTED, headers=headers)
