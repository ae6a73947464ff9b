"""Sending nothing to an address that does not take it, and telling people so."""

from __future__ import annotations

import logging
from smtplib import SMTPException
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction

from processing.models import Membership, Webhook, WebhookDelivery

if TYPE_CHECKING:
    from uuid import UUID

logger = logging.getLogger(__name__)

#: Of deliveries that wait when their webhook is paused.
PAUSED = "paused"

BY_PEOPLE = "by people"

NOTICE = """\
The webhook {url} of the workspace {workspace} is paused: {reason}.

Nothing is sent to it until somebody resumes it. What happens meanwhile is not told later;
deliveries that were given up can be sent again one by one.

Webhook {id}
"""


def pause(webhook: Webhook, *, reason: str = BY_PEOPLE) -> bool:
    """Have nothing sent to a webhook; False when it is paused already.

    What happens while it is paused is not told, then or later; deliveries that wait are
    CANCELLED. One that a worker is at is either delivered or FAILED when it is tried next.
    """
    return _pause(webhook.pk, reason)


def resume(webhook: Webhook) -> bool:
    """Have what happens from now on sent again; False when it is not paused."""
    is_changed = Webhook.objects.resume(webhook.pk)
    if is_changed:
        logger.info("webhook %s is resumed", webhook.pk)
    return is_changed


@transaction.atomic
def pause_after_failures(delivery: WebhookDelivery, *, is_gone: bool) -> None:
    """Count a delivery that was given up, and pause its webhook when that is enough."""
    pk = delivery.webhook_id
    count = Webhook.objects.count_failure(pk)
    if is_gone:
        reason = "its address answered 410 Gone"
    elif count >= settings.WEBHOOK_PAUSE_AFTER:
        reason = f"{count} deliveries in a row failed, the last one by: {delivery.error_message}"
    else:
        return
    if _pause(pk, reason):
        transaction.on_commit(lambda: _notify(pk), robust=True)


def _pause(pk: UUID, reason: str) -> bool:
    is_changed = Webhook.objects.pause(pk, reason=reason)
    if is_changed:
        logger.warning("webhook %s is paused: %s", pk, reason)
        # After the commit: who settles a delivery has locked it before its webhook.
        transaction.on_commit(lambda: _cancel_waiting(pk), robust=True)
    return is_changed


def _cancel_waiting(pk: UUID) -> None:
    WebhookDelivery.objects.of_webhook(pk).waiting().cancel(
        error_code=PAUSED, error_message="its webhook was paused"
    )


def _notify(pk: UUID) -> None:
    """Write to the managers of the workspace; mail that cannot be sent is logged and no more."""
    webhook = Webhook.objects.select_related("workspace").filter(pk=pk).first()
    if webhook is None:
        return
    text = NOTICE.format(
        url=webhook.url, workspace=webhook.workspace, reason=webhook.pause_reason, id=webhook.pk
    )
    managers = Membership.objects.in_workspace(webhook.workspace).managers()
    reachable = managers.filter(user__is_active=True).exclude(user__email="")
    # each by itself: nobody is told the addresses of others
    for address in reachable.values_list("user__email", flat=True):
        try:
            send_mail("A webhook is paused", text, None, [address])
        except (SMTPException, OSError) as error:
            logger.warning("could not tell that webhook %s is paused: %s", pk, error)
