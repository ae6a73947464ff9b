"""How the admin of every app shows work: statuses, ages, durations, links."""

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timesince import timesince

NOTHING = "–"  # noqa: RUF001  what the admin shows for an empty value, made for the eye
ERROR_CHARACTERS = 80


def status_badge(status: str) -> SafeString:
    """Return a status in the colour of what it means; styled by ``jobs/admin.css``."""
    return format_html('<span class="badge badge-{}">{}</span>', status.lower(), status)


def link_to(row: models.Model) -> SafeString:
    """Return a link to the admin page of ``row``."""
    meta = row._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', address, row)


def status_links(rows: models.QuerySet[Any], *, limit: int) -> SafeString | str:
    """Return the first ``limit`` rows as links with their statuses, and say when there are more."""
    found = list(rows[: limit + 1])
    lines = [(status_badge(row.status), link_to(row)) for row in found[:limit]]
    if len(found) > limit:
        lines.append((SafeString(""), SafeString("and more")))
    return format_html_join("", "<div>{} {}</div>", lines) or NOTHING


def age(at: datetime) -> str:
    """Return how long ago something was, roughly: ``3 minutes``."""
    return timesince(at, depth=1)


def elapsed(started_at: datetime | None, ended_at: datetime | None) -> str:
    """Return how long something took, or takes so far: ``4.2 s`` or ``1:02:03``."""
    if started_at is None:
        return NOTHING
    seconds = ((ended_at or timezone.now()) - started_at).total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def seconds_at_work(row: Any) -> float | None:
    """Return how long a row that ends by ``completed_at`` took; None while it does not say."""
    if row.started_at is None or row.completed_at is None:
        return None
    seconds: float = (row.completed_at - row.started_at).total_seconds()
    return seconds


def error_line(code: str, message: str) -> str:
    """Return the beginning of an error, or nothing when there is none."""
    return Truncator(f"{code}: {message}").chars(ERROR_CHARACTERS) if code else NOTHING
