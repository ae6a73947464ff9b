"""Secrets of webhooks, and signatures by which a receiver knows that a delivery is ours.

Standard Webhooks, version 1 (https://www.standardwebhooks.com): ``v1,`` and the base64 of
HMAC-SHA256 over ``id.timestamp.body``. Of several signatures one has to be right.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from processing.models import Webhook

PREFIX = "whsec_"
SALT = "processing.webhooks.signing"

#: How long what is sent is signed with the secret before the current one too.
OVERLAP = timedelta(hours=24)


def secret_of(webhook: Webhook) -> str:
    """Return the current secret as a receiver stores it: ``whsec_`` and base64 of 32 bytes."""
    return PREFIX + _base64(_key(webhook, webhook.secret_version, settings.SECRET_KEY))


def signed_headers(webhook: Webhook, *, message_id: UUID, body: bytes) -> dict[str, str]:
    """Return the headers that make ``body`` a delivery of ``webhook``, sent now."""
    timestamp = str(int(timezone.now().timestamp()))
    signed = b".".join((str(message_id).encode(), timestamp.encode(), body))
    signatures = (_base64(hmac.digest(key, signed, "sha256")) for key in _keys(webhook))
    return {
        "webhook-id": str(message_id),
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _keys(webhook: Webhook) -> Iterator[bytes]:
    """Yield every key that a receiver may have by now, the current one first.

    The secrets follow from ``SECRET_KEY``: whoever changes that names the old one in
    ``SECRET_KEY_FALLBACKS`` until all receivers have their new secret.
    """
    versions = [webhook.secret_version]
    if webhook.secret_version > 1 and timezone.now() < webhook.secret_changed_at + OVERLAP:
        versions.append(webhook.secret_version - 1)
    for version in versions:
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
            yield _key(webhook, version, secret)


def _key(webhook: Webhook, version: int, secret: str | bytes) -> bytes:
    value = f"{webhook.pk}:{version}"
    return salted_hmac(SALT, value, secret=secret, algorithm="sha256").digest()


def _base64(content: bytes) -> str:
    return b64encode(content).decode()
