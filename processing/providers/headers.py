"""What a provider says of its limits in the ``x-ratelimit-*`` headers of an answer.

OpenAI, Groq and Azure send ``limit``, ``remaining`` and ``reset`` for ``requests``, ``tokens``
and ``audio-seconds``; others send the three without a dimension and mean requests. Azure and
gateways fill in -1 or 0 for what they do not know. So nothing is believed that cannot be.
"""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

#: Numbers from here on are no spans but moments: seconds, or milliseconds, since 1970.
EPOCH_SECONDS = 1e9
EPOCH_MILLISECONDS = 1e12

_HEADER = re.compile(r"x-ratelimit-(limit|remaining|reset)(?:-(.+))?")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_PARTS = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|us|µs|ns|d|h|m|s))+")
_PART = re.compile(r"([0-9.]+)(ms|us|µs|ns|d|h|m|s)")
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is said of one dimension; None for what is not, or not in a way to be believed."""

    limit: float | None = None
    remaining: float | None = None
    reset_seconds: float | None = None


def read_allowances(headers: Mapping[str, str]) -> dict[str, Allowance]:
    """Return what is said of each dimension, named as ``audio_seconds`` is.

    A dimension whose limit is not above 0 is left out: who does not know the limit does not
    know what remains of it.
    """
    said: dict[str, dict[str, str]] = {}
    for name, text in headers.items():
        if match := _HEADER.fullmatch(name.lower()):
            dimension = (match[2] or "requests").replace("-", "_")
            said.setdefault(dimension, {})[match[1]] = text
    now = _now(headers)
    allowances = {}
    for dimension, texts in said.items():
        limit = read_number(texts.get("limit", ""))
        if "limit" in texts and not limit:
            continue
        allowances[dimension] = Allowance(
            limit,
            read_number(texts.get("remaining", "")),
            read_span(texts.get("reset", ""), now=now),
        )
    return allowances


def read_number(text: str) -> float | None:
    """Return a number that is not negative."""
    text = text.strip()
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


def read_span(text: str, *, now: float) -> float | None:
    """Return how many seconds ``text`` is: of "20ms", "6m0s", "12", or a moment after ``now``."""
    text = text.strip().lower()
    if _PARTS.fullmatch(text):
        seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(text))
        return seconds if math.isfinite(seconds) else None
    number = read_number(text)
    if number is None or number < EPOCH_SECONDS:
        return number
    moment = number / 1000 if number >= EPOCH_MILLISECONDS else number
    return max(moment - now, 0.0)


def _now(headers: Mapping[str, str]) -> float:
    """Return the moment of an answer by its sender's clock, or by ours when it does not tell."""
    for name, text in headers.items():
        if name.lower() == "date":
            try:
                return parsedate_to_datetime(text).timestamp()
            except (ValueError, OverflowError):
                break
    return time.time()
