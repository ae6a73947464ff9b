"""Webhooks that are left alone, by themselves or by people, and who is told."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.mail import EmailMessage

from jobs.choices import JobStatus
from processing.choices import Role
from processing.models import Membership, Webhook, WebhookDelivery, Workspace
from processing.webhooks.announcing import ping
from processing.webhooks.pausing import pause, resume
from tests.factories.processing import WorkspaceFactory
from tests.factories.webhooks import WebhookDeliveryFactory, WebhookFactory
from tests.providers.server import Provider, answering
from tests.webhooks.conftest import only, work

pytestmark = pytest.mark.django_db(transaction=True)


def give_up(webhook: Webhook, count: int) -> None:
    """Have so many deliveries tried for the last time."""
    for _ in range(count):
        WebhookDeliveryFactory.create(webhook=webhook, max_attempts=1)
    work()
    webhook.refresh_from_db()


def test_fifth_delivery_in_a_row_that_is_given_up_pauses_the_webhook(
    webhook: Webhook, receiver: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.always(answering("no", status=500))

    give_up(webhook, 4)
    assert (webhook.paused_at, webhook.failure_count) == (None, 4)
    give_up(webhook, 1)

    assert webhook.paused_at is not None
    assert webhook.pause_reason.startswith("5 deliveries in a row failed")
    assert "answered 500" in webhook.pause_reason
    assert f"webhook {webhook.pk} is paused" in caplog.text


def test_success_forgets_the_failures_before_it(webhook: Webhook, receiver: Provider) -> None:
    receiver.will(*(answering("no", status=500) for _ in range(4)))
    give_up(webhook, 4)

    give_up(webhook, 1)

    assert (webhook.paused_at, webhook.failure_count) == (None, 0)


def test_address_that_is_gone_is_left_alone_at_once(webhook: Webhook, receiver: Provider) -> None:
    receiver.will(answering("", status=410))
    ping(webhook)

    work()

    webhook.refresh_from_db()
    delivery = only()
    assert (delivery.status, delivery.error_code) == (JobStatus.FAILED, "gone")
    assert (delivery.attempt, delivery.response_status) == (1, 410)
    assert webhook.pause_reason == "its address answered 410 Gone"


def test_managers_of_the_workspace_are_told_by_mail(
    webhook: Webhook, receiver: Provider, manager: User, mailoutbox: list[EmailMessage]
) -> None:
    editor = User.objects.create_user("emil", email="emil@example.org")
    gone = User.objects.create_user("gustav", email="gustav@example.org", is_active=False)
    workspace = Workspace.objects.default()
    Membership.objects.create(workspace=workspace, user=editor, role=Role.EDITOR)
    Membership.objects.create(workspace=workspace, user=gone, role=Role.MANAGER)
    Membership.objects.create(
        workspace=WorkspaceFactory.create(),
        user=User.objects.create_user("olga", email="olga@example.org"),
        role=Role.MANAGER,
    )
    receiver.will(answering("", status=410))
    ping(webhook)

    work()

    [mail] = mailoutbox
    assert mail.to == [manager.email]
    assert webhook.url in mail.body
    assert "410 Gone" in mail.body


def test_mail_that_cannot_be_sent_breaks_nothing(
    webhook: Webhook,
    receiver: Provider,
    manager: User,
    unused_port: int,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", unused_port
    receiver.will(answering("", status=410))
    ping(webhook)

    work()

    webhook.refresh_from_db()
    assert webhook.paused_at is not None
    assert only().status == JobStatus.FAILED
    assert "could not tell" in caplog.text


def test_deliveries_that_wait_are_cancelled_with_the_pause() -> None:
    webhook = WebhookFactory.create()
    waiting = WebhookDeliveryFactory.create(webhook=webhook)
    scheduled = WebhookDeliveryFactory.create(webhook=webhook, scheduled=True)
    other = WebhookDeliveryFactory.create()

    assert pause(webhook)

    cancelled = WebhookDelivery.objects.filter(status=JobStatus.CANCELLED, error_code="paused")
    assert {delivery.pk for delivery in cancelled} == {waiting.pk, scheduled.pk}
    other.refresh_from_db()
    assert other.status == JobStatus.QUEUED


def test_delivery_that_a_worker_had_when_its_webhook_was_paused_is_not_sent(
    webhook: Webhook, receiver: Provider
) -> None:
    pause(webhook)
    WebhookDeliveryFactory.create(webhook=webhook)

    work()

    delivery = only()
    webhook.refresh_from_db()
    assert (delivery.status, delivery.error_code) == (JobStatus.FAILED, "webhook_paused")
    assert receiver.requests == []
    assert webhook.failure_count == 0


def test_webhook_is_paused_once_and_keeps_its_reason() -> None:
    webhook = WebhookFactory.create()

    assert pause(webhook, reason="moving house")
    assert not pause(webhook)

    webhook.refresh_from_db()
    assert webhook.pause_reason == "moving house"


def test_resumed_webhook_begins_anew() -> None:
    webhook = WebhookFactory.create(paused=True, failure_count=5)

    assert resume(webhook)
    assert not resume(webhook)

    webhook.refresh_from_db()
    assert (webhook.paused_at, webhook.pause_reason, webhook.failure_count) == (None, "", 0)
