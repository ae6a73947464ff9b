"""Webhooks and their deliveries as the API shows them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.reverse import reverse

from jobs.api.fields import TextField
from jobs.choices import JobStatus
from processing.choices import WebhookEvent
from processing.exceptions import ProcessingError
from processing.models import Webhook, WebhookDelivery
from processing.webhooks.sending import check_url
from processing.webhooks.signing import secret_of

#: A ping is sent when somebody asks for one, to whoever.
EVENTS = [choice for choice in WebhookEvent.choices if choice[0] != WebhookEvent.PING]


class WebhookRequestSerializer(serializers.Serializer[Any]):
    """What ``POST webhooks/`` takes, and ``PATCH`` any part of."""

    url = TextField(max_length=2000)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=EVENTS), allow_empty=False, max_length=len(EVENTS)
    )
    description = TextField(max_length=255, allow_blank=True, required=False)

    def validate_url(self, url: str) -> str:
        try:
            check_url(url)
        except ProcessingError as error:
            raise serializers.ValidationError(str(error), code=error.code) from error
        return url


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    """A webhook without its secret; ``pause_reason`` says why nothing is sent to it."""

    is_paused = serializers.SerializerMethodField()
    last_delivery = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = Webhook
        fields = [
            "id",
            "url",
            "events",
            "description",
            "is_paused",
            "paused_at",
            "pause_reason",
            "failure_count",
            "last_delivery",
            "secret_changed_at",
            "created_at",
            "links",
        ]

    def get_is_paused(self, webhook: Webhook) -> bool:
        return webhook.paused_at is not None

    def get_last_delivery(self, webhook: Any) -> dict[str, Any] | None:
        if webhook.last_delivery_at is None:
            return None
        return {"created_at": webhook.last_delivery_at, "status": webhook.last_delivery_status}

    def get_links(self, webhook: Webhook) -> dict[str, str]:
        request, pk = self.context["request"], str(webhook.pk)
        return {
            "self": reverse("webhook-detail", [pk], request=request),
            "deliveries": reverse("webhook-delivery-list", [pk], request=request),
            "ping": reverse("webhook-ping", [pk], request=request),
            "pause": reverse("webhook-pause", [pk], request=request),
            "resume": reverse("webhook-resume", [pk], request=request),
            "rotate_secret": reverse("webhook-rotate-secret", [pk], request=request),
        }


class WebhookSecretSerializer(WebhookSerializer):
    """A webhook with its secret, which is shown when it is made and when it is changed only."""

    secret = serializers.SerializerMethodField()

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]

    def get_secret(self, webhook: Webhook) -> str:
        return secret_of(webhook)


class WebhookDeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    """A delivery and how far it is.

    ``next_attempt_at`` is null unless it waits; ``error`` is what the last attempt failed by.
    """

    next_attempt_at = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = WebhookDelivery
        fields = [
            "id",
            "webhook",
            "message_id",
            "event",
            "status",
            "attempt",
            "max_attempts",
            "next_attempt_at",
            "response_status",
            "response_seconds",
            "error",
            "created_at",
            "completed_at",
            "links",
        ]

    def get_next_attempt_at(self, delivery: WebhookDelivery) -> Any:
        is_waiting = delivery.status in (JobStatus.QUEUED, JobStatus.SCHEDULED)
        return delivery.available_at if is_waiting else None

    def get_error(self, delivery: WebhookDelivery) -> dict[str, str] | None:
        if not delivery.error_code or delivery.status == JobStatus.COMPLETED:
            return None
        return {"code": delivery.error_code, "message": delivery.error_message}

    def get_links(self, delivery: WebhookDelivery) -> dict[str, str]:
        request, pks = self.context["request"], [str(delivery.webhook_id), str(delivery.pk)]
        return {
            "self": reverse("webhook-delivery-detail", pks, request=request),
            "resend": reverse("webhook-delivery-resend", pks, request=request),
        }


class WebhookDeliveryDetailSerializer(WebhookDeliverySerializer):
    """A delivery with what was sent, and the beginning of what was last answered."""

    class Meta(WebhookDeliverySerializer.Meta):
        fields = [*WebhookDeliverySerializer.Meta.fields, "payload", "response_excerpt"]
