"""Which of our errors follows from what a provider answers, or from its silence."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpcore2

from processing.exceptions import (
    BadAnswer,
    ProviderBusy,
    ProviderError,
    ProviderQuotaExhausted,
    ProviderRefused,
    ProviderTooLarge,
    ProviderUnauthorized,
    ProviderUnavailable,
    RateLimited,
)
from processing.providers.answers import Answer
from processing.providers.base import Secret
from processing.providers.transport import DeadlinePassed, StaleAnswer

#: However long a provider asks us to wait, we try again after so long.
MAX_RETRY_AFTER_SECONDS = 3600.0

#: Of a provider's own message so much is passed on to people.
MAX_EXCERPT_LENGTH = 200

#: For so long work is put off that found all of our connections in use.
POOL_WAIT_SECONDS = 5.0

INSUFFICIENT_QUOTA = "insufficient_quota"


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """What a provider says of an error, in OpenAI's shape: ``{"error": {...}}``.

    From any other answer ``message`` is what can be read of it, and the others are None.
    """

    message: str
    type: str | None = None
    code: str | None = None
    param: str | None = None


class RequestRefused(ProviderRefused):
    """What was asked for is refused; ``details`` say what of it."""

    def __init__(self, message: str, *, details: ErrorDetails) -> None:
        super().__init__(message)
        self.details = details


def failure_of(answer: Answer, *, api_key: Secret) -> ProviderError:
    """Return the error that an answer with any status but 2xx stands for."""
    details = _details(answer)
    excerpt = _shortened(api_key.hidden_in(details.message))
    message = f"{answer.provider} answered {answer.status}"
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        message += ", a redirect, which is not followed: its base_url is wrong"
    elif excerpt:
        message += f": {excerpt}"
    match answer.status:
        case 401 | 403:
            return ProviderUnauthorized(message)
        case 402:
            return ProviderQuotaExhausted(message)
        case 413:
            return ProviderTooLarge(message)
        case 429 if INSUFFICIENT_QUOTA in (details.type, details.code):
            return ProviderQuotaExhausted(message)
        case 408 | 409 | 429:
            return ProviderBusy(message, retry_after_seconds=retry_after(answer.headers))
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ProviderUnavailable(message, retry_after_seconds=retry_after(answer.headers))
        case _:
            return RequestRefused(message, details=details)


def failure_before_answer(
    error: Exception, *, provider: str, api_key: Secret
) -> ProviderError | RateLimited:
    """Return the error for a request that was not sent, or got no answer."""
    if isinstance(error, httpcore2.PoolTimeout):  # nobody has asked the provider yet
        message = f"all our connections to {provider} are in use"
        return RateLimited(message, seconds=POOL_WAIT_SECONDS, dimension="connections")
    if isinstance(error, StaleAnswer):
        return BadAnswer(f"{provider}: {error}")
    return ProviderUnavailable(f"{provider} gave no answer: {_reason(error, api_key)}")


def failure_within_answer(error: Exception, *, provider: str, api_key: Secret) -> ProviderError:
    """Return the error for an answer that had begun and did not end."""
    message = f"the answer of {provider} broke off: {_reason(error, api_key)}"
    if isinstance(error, httpcore2.NetworkError):
        return ProviderUnavailable(message)
    if isinstance(error, httpcore2.TimeoutException) and not isinstance(error, DeadlinePassed):
        return ProviderUnavailable(message)
    return BadAnswer(message)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return for how many seconds the provider asks us to wait; None where it says nothing
    that could be meant: no number or date, or one that is not ahead of us."""
    seconds = _number(headers.get("retry-after-ms")) / 1000
    if not seconds > 0:
        seconds = _number(headers.get("retry-after"))
    if math.isnan(seconds):
        seconds = _seconds_until(headers.get("retry-after", ""))
    if not 0 < seconds < math.inf:
        return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS)


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return math.nan


def _seconds_until(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return math.nan
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()


def _details(answer: Answer) -> ErrorDetails:
    text = answer.body.decode(errors="replace")
    try:
        body: Any = json.loads(text)
    except (ValueError, RecursionError):
        return ErrorDetails(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL))
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return ErrorDetails(error if isinstance(error, str) else text)
    message = error.get("message") or error.get("detail") or error
    return ErrorDetails(
        message if isinstance(message, str) else json.dumps(message),
        **{name: _text(error.get(name)) for name in ("type", "code", "param")},
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _shortened(text: str) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= MAX_EXCERPT_LENGTH else text[: MAX_EXCERPT_LENGTH - 1] + "…"


def _reason(error: Exception, api_key: Secret) -> str:
    return _shortened(api_key.hidden_in(f"{type(error).__name__} {error}"))
