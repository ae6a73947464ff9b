"""Getting a delivery to its address: when it is tried, and what becomes of it."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from django.conf import settings

from jobs.choices import JobStatus
from jobs.exceptions import PermanentError, Postponed, TransientError
from processing.exceptions import ProcessingError, WebhookIsPaused
from processing.models import Webhook, WebhookDelivery
from processing.providers.failures import retry_after
from processing.services.inputs.connecting import FetchTimeout
from processing.webhooks.pausing import pause_after_failures
from processing.webhooks.sending import Answer, post
from processing.webhooks.signing import signed_headers

if TYPE_CHECKING:
    from collections.abc import Callable

#: How long after each attempt the next one is made, in seconds: ten attempts in about a day.
#: The shape is what Standard Webhooks proposes, which goes on for three.
DELAYS_SECONDS = (5, 60, 300, 1800, 3600, 2 * 3600, 4 * 3600, 6 * 3600, 10 * 3600)

#: By how much of itself a delay may be shorter or longer, so that not all come back at once.
JITTER = 0.1

GONE_STATUS = 410

#: So many deliveries wait at once for an address that has been silent before: the threads of
#: workers are for all.
SLOW_AT_ONCE = 2


class NotDelivered(TransientError):
    """The address gave no answer, or not one of success; ``code`` says which of both."""

    def __init__(self, message: str, *, code: str, retry_after_seconds: float) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.code = code


class Gone(PermanentError):
    """The address says that it wants nothing more, now or later: 410."""

    code = "gone"


class WebhookIsSlow(Postponed):
    """Deliveries to the address have timed out, and enough others are waiting for it just now."""

    code = "webhook_slow"


def deliver(delivery: WebhookDelivery) -> dict[str, Any]:
    """Post a delivery; return what was answered, to be stored with COMPLETED.

    Every 2xx is success. Run again after its worker died it posts the same message again, whose
    id the receiver knows. Raises ``NotDelivered`` with the time of the next attempt, ``Gone``,
    ``WebhookIsSlow``, and ``WebhookIsPaused`` when the webhook was paused since.
    """
    webhook = delivery.webhook
    if webhook.paused_at is not None:
        raise WebhookIsPaused("the webhook was paused before this was delivered")
    _leave_room_for_others(delivery)
    body = json.dumps(delivery.payload, ensure_ascii=False, separators=(",", ":")).encode()
    headers = signed_headers(webhook, message_id=delivery.message_id, body=body)
    try:
        answer = post(webhook.url, body=body, headers=headers)
    except ProcessingError as error:
        seconds = delay_seconds(delivery.attempt)
        raise NotDelivered(str(error), code=error.code, retry_after_seconds=seconds) from error
    response = {
        "response_status": answer.status,
        "response_excerpt": answer.excerpt,
        "response_seconds": answer.seconds,
    }
    if answer.is_success:
        return response
    WebhookDelivery.objects.note_answer(delivery, **response)
    raise _refused(delivery, answer)


def settle(delivery: WebhookDelivery) -> None:
    """Count what became of a delivery, in the transaction that settles it."""
    if delivery.status == JobStatus.COMPLETED:
        Webhook.objects.count_success(delivery.webhook_id)
    elif delivery.status == JobStatus.FAILED and delivery.error_code != WebhookIsPaused.code:
        pause_after_failures(delivery, is_gone=delivery.error_code == Gone.code)


def delay_seconds(
    attempt: int, *, asked_seconds: float = 0.0, jitter: Callable[[], float] = random.random
) -> float:
    """Return how long to wait after failed ``attempt`` (from 1), at least ``asked_seconds``."""
    planned = DELAYS_SECONDS[min(attempt, len(DELAYS_SECONDS)) - 1]
    return max(planned * (1 + JITTER * (2 * jitter() - 1)), asked_seconds)


def _leave_room_for_others(delivery: WebhookDelivery) -> None:
    """Raise ``WebhookIsSlow`` where its address holds as many threads as it may have already.

    The oldest go on, so that somebody always does.
    """
    others = WebhookDelivery.objects.of_webhook(delivery.webhook_id)
    if not others.waiting_after(FetchTimeout.code).exists():
        return
    if others.in_flight().filter(pk__lt=delivery.pk).count() < SLOW_AT_ONCE:
        return
    seconds = settings.WEBHOOK_TIMEOUT_SECONDS * (1 + random.random())  # noqa: S311  no secret
    raise WebhookIsSlow("its address is slow, and being waited for already", seconds=seconds)


def _refused(delivery: WebhookDelivery, answer: Answer) -> Gone | NotDelivered:
    if answer.status == GONE_STATUS:
        return Gone("the address answered 410: it wants nothing more")
    asked = retry_after(answer.headers) or 0.0
    return NotDelivered(
        f"the address answered {answer.status}",
        code="refused",
        retry_after_seconds=delay_seconds(delivery.attempt, asked_seconds=asked),
    )
