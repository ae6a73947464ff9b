"""Webhooks and their deliveries in the admin."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from jobs.choices import JobStatus
from processing.models import Membership, WebhookDelivery
from processing.webhooks.signing import secret_of
from tests.factories.webhooks import WebhookDeliveryFactory, WebhookFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

WEBHOOKS = reverse("admin:processing_webhook_changelist")
DELIVERIES = reverse("admin:processing_webhookdelivery_changelist")


def act(client: Client, address: str, action: str, *rows: Any) -> str:
    selection = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(address, selection, follow=True).content.decode()


def test_list_shows_how_webhooks_do(admin_client: Client) -> None:
    WebhookDeliveryFactory.create(failed=True)
    WebhookFactory.create(paused=True)

    text = admin_client.get(WEBHOOKS).content.decode()

    assert text.count("badge-active") == text.count("badge-paused") == 1
    assert text.count("badge-failed") == 1


def test_page_of_a_webhook_has_no_secret(admin_client: Client) -> None:
    webhook = WebhookFactory.create()
    address = reverse("admin:processing_webhook_change", args=[webhook.pk])

    text = admin_client.get(address).content.decode()

    assert webhook.url in text
    assert secret_of(webhook) not in text


@pytest.mark.parametrize(
    ("address", "factory"),
    [
        pytest.param(WEBHOOKS, WebhookFactory, id="webhooks"),
        pytest.param(DELIVERIES, WebhookDeliveryFactory, id="deliveries"),
    ],
)
def test_lists_ask_the_database_as_often_for_many_as_for_one(
    admin_client: Client, address: str, factory: Any
) -> None:
    factory.create()
    admin_client.get(address)  # fills the caches of content types and the like
    few = queries_of(lambda: admin_client.get(address))
    factory.create_batch(3)

    assert len(queries_of(lambda: admin_client.get(address))) == len(few)


def test_webhooks_are_paused_and_resumed(admin_client: Client) -> None:
    active, paused = WebhookFactory.create(), WebhookFactory.create(paused=True)

    assert "Paused: 1." in act(admin_client, WEBHOOKS, "pause", active, paused)
    assert "Resumed: 2." in act(admin_client, WEBHOOKS, "resume", active, paused)


def test_ping_is_sent_to_all_that_are_not_paused(admin_client: Client) -> None:
    active, paused = WebhookFactory.create(), WebhookFactory.create(paused=True)

    text = act(admin_client, WEBHOOKS, "ping", active, paused)

    assert "Pings on their way: 1." in text
    assert "Refused 1: the webhook is paused" in text
    assert WebhookDelivery.objects.get().webhook == active


def test_delivery_is_sent_again(admin_client: Client) -> None:
    delivery = WebhookDeliveryFactory.create(failed=True)

    act(admin_client, DELIVERIES, "resend", delivery)

    again = WebhookDelivery.objects.exclude(pk=delivery.pk).get()
    assert (again.message_id, again.status) == (delivery.message_id, JobStatus.QUEUED)


def test_page_of_a_delivery_shows_what_was_sent_and_answered(admin_client: Client) -> None:
    delivery = WebhookDeliveryFactory.create(delivered=True)
    address = reverse("admin:processing_webhookdelivery_change", args=[delivery.pk])

    text = admin_client.get(address).content.decode()

    assert "thank you" in text
    assert "&quot;timestamp&quot;: &quot;2026-01-01T00:00:00Z&quot;" in text


def test_list_of_one_webhook_has_its_deliveries_only(admin_client: Client) -> None:
    delivery, _ = WebhookDeliveryFactory.create_batch(2)

    response = admin_client.get(DELIVERIES, {"webhook__id__exact": str(delivery.webhook_id)})

    assert list(response.context["cl"].result_list) == [delivery]


def test_paused_webhooks_are_found(admin_client: Client) -> None:
    WebhookFactory.create()
    paused = WebhookFactory.create(paused=True)

    response = admin_client.get(WEBHOOKS, {"paused": "yes"})

    assert list(response.context["cl"].result_list) == [paused]


@pytest.mark.parametrize("model", ["webhook", "webhookdelivery"])
def test_who_may_only_look_has_no_verbs(model: str) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename=f"view_{model}"))
    client = Client()
    client.force_login(clerk)
    row = WebhookDeliveryFactory.create(failed=True)
    Membership.objects.create(workspace=row.webhook.workspace, user=clerk)

    response = client.get(reverse(f"admin:processing_{model}_changelist"))

    assert row.webhook.url in response.content.decode()
    assert not response.context["cl"].model_admin.get_actions(response.wsgi_request)
