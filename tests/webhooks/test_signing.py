"""Signatures, as a client of Standard Webhooks verifies them."""

from base64 import b64decode
from datetime import timedelta
from typing import Any

import pytest
import standardwebhooks
import time_machine
from django.utils import timezone
from standardwebhooks.webhooks import WebhookVerificationError

from jobs.identifiers import uuid7
from processing.models import Webhook
from processing.webhooks.registering import rotate_secret
from processing.webhooks.signing import secret_of, signed_headers
from tests.factories.webhooks import WebhookFactory

pytestmark = pytest.mark.django_db

BODY = '{"type":"ping","data":{"name":"Zürich"}}'.encode()


def signed(webhook: Webhook) -> dict[str, str]:
    return signed_headers(webhook, message_id=uuid7(), body=BODY)


def test_secret_is_of_32_bytes_and_in_no_column() -> None:
    webhook = WebhookFactory.create()

    secret = secret_of(webhook)

    assert secret.startswith("whsec_")
    assert len(b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert secret not in str(Webhook.objects.values().get())


def test_each_webhook_has_a_secret_of_its_own() -> None:
    assert secret_of(WebhookFactory.create()) != secret_of(WebhookFactory.create())


def test_receiver_verifies_what_was_signed() -> None:
    webhook = WebhookFactory.create()

    read = standardwebhooks.Webhook(secret_of(webhook)).verify(BODY, signed(webhook))

    assert read["data"] == {"name": "Zürich"}


def test_receiver_refuses_another_body() -> None:
    webhook = WebhookFactory.create()
    headers = signed(webhook)

    with pytest.raises(WebhookVerificationError, match="signature"):
        standardwebhooks.Webhook(secret_of(webhook)).verify(BODY + b" ", headers)


def test_receiver_refuses_what_was_signed_long_ago() -> None:
    webhook = WebhookFactory.create()
    with time_machine.travel(timezone.now() - timedelta(minutes=6)):
        headers = signed(webhook)

    with pytest.raises(WebhookVerificationError, match="too old"):
        standardwebhooks.Webhook(secret_of(webhook)).verify(BODY, headers)


def test_changed_secret_and_the_one_before_both_verify() -> None:
    webhook = WebhookFactory.create()
    before = secret_of(webhook)
    rotate_secret(webhook)
    webhook.refresh_from_db()

    headers = signed(webhook)

    assert secret_of(webhook) != before
    assert standardwebhooks.Webhook(before).verify(BODY, headers)
    assert standardwebhooks.Webhook(secret_of(webhook)).verify(BODY, headers)


def test_secret_before_the_change_verifies_nothing_after_a_day() -> None:
    webhook = WebhookFactory.create()
    before = secret_of(webhook)
    rotate_secret(webhook)
    webhook.refresh_from_db()

    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=1)):
        headers = signed(webhook)
        with pytest.raises(WebhookVerificationError, match="signature"):
            standardwebhooks.Webhook(before).verify(BODY, headers)

    assert len(headers["webhook-signature"].split()) == 1


def test_secret_of_an_old_key_of_the_installation_verifies_while_that_is_named(
    settings: Any,
) -> None:
    webhook = WebhookFactory.create()
    before = secret_of(webhook)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = settings.SECRET_KEY[::-1]

    assert secret_of(webhook) != before
    assert standardwebhooks.Webhook(before).verify(BODY, signed(webhook))
