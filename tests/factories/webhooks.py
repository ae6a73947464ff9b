"""Webhooks, and deliveries in each status; a trait sets everything that the status implies."""

import factory
from factory.django import DjangoModelFactory

from jobs.choices import JobStatus
from processing.choices import WEBHOOK_QUEUE, WebhookEvent
from processing.models import Webhook, WebhookDelivery, Workspace
from processing.webhooks.announcing import MAX_ATTEMPTS
from tests.factories.jobs import CLAIMED, PROCESSING, TRAITS, from_now


class WebhookFactory(DjangoModelFactory[Webhook]):
    """An active webhook of the default workspace, told of all events; or one that is ``paused``."""

    class Meta:
        model = Webhook

    class Params:
        paused = factory.Trait(paused_at=from_now(), pause_reason="by people")

    workspace = factory.LazyFunction(lambda: Workspace.objects.default())
    url = "https://hooks.example.org/longhand"
    events = factory.LazyFunction(lambda: list(WebhookEvent.values))


class WebhookDeliveryFactory(DjangoModelFactory[WebhookDelivery]):
    """A QUEUED delivery, or ``scheduled``, ``due``, ``claimed`` (PROCESSING), ``delivered``,
    ``failed``, ``cancelled``.
    """

    class Meta:
        model = WebhookDelivery

    class Params:
        # both: which of the shared traits wins is decided by the last factory that names them
        scheduled = TRAITS["scheduled"]
        due = TRAITS["due"]
        claimed = factory.Trait(**PROCESSING)
        delivered = factory.Trait(
            status=JobStatus.COMPLETED,
            completed_at=from_now(),
            response_status=200,
            response_excerpt="thank you",
            response_seconds=0.1,
            **CLAIMED,
        )
        failed = TRAITS["failed"]
        cancelled = TRAITS["cancelled"]

    webhook = factory.SubFactory(WebhookFactory)
    queue_name = WEBHOOK_QUEUE
    max_attempts = MAX_ATTEMPTS
    event = WebhookEvent.TRANSCRIPT_COMPLETED

    payload = factory.LazyAttribute(
        lambda row: {"type": str(row.event), "timestamp": "2026-01-01T00:00:00Z", "data": {}}
    )
