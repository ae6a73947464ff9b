"""How entries are shown: their states, ages, sizes and values."""

from __future__ import annotations

import pprint
from datetime import timedelta
from typing import TYPE_CHECKING

from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html

from caching.codec import decode
from caching.exceptions import UndecodableEntry
from caching.managers import CacheEntryQuerySet
from caching.packing import unpack

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from django.utils.safestring import SafeString

    from caching.health import LevelHealth
    from caching.models import CacheEntry

NOTHING = "–"  # noqa: RUF001  what the admin shows for an empty value, made for the eye
KEY_CHARACTERS = 44
LINE_CHARACTERS = 88
VALUE_CHARACTERS = 10_000

#: A value of more bytes is shown as it comes: laying it out would take seconds.
LAID_OUT_BYTES = 200_000

#: What an entry can be, by the clock, and the rows that are so.
STATES: dict[str, Callable[[CacheEntryQuerySet], CacheEntryQuerySet]] = {
    "fresh": CacheEntryQuerySet.fresh,
    "stale": CacheEntryQuerySet.stale,
    "tombstone": CacheEntryQuerySet.tombstones,
    "expired": CacheEntryQuerySet.expired,
}


def state_of(entry: CacheEntry) -> str:
    """Return which of ``STATES`` an entry is in; a tag may have invalidated it all the same."""
    now = timezone.now()
    if entry.discard_at is not None and entry.discard_at <= now:
        return "expired"
    if entry.is_tombstone:
        return "tombstone"
    return "stale" if entry.expires_at is not None and entry.expires_at <= now else "fresh"


#: What the columns of a list stand for, where they are made for the eye.
PLAIN_VALUES: dict[str, str | Callable[[CacheEntry], str]] = {
    "shown_key": "key",
    "state": state_of,
    "shown_size": "size_bytes",
    "expires_in": "expires_at",
    "reads": "access_count",
    "last_read": "accessed_at",
}


def badge(state: str) -> SafeString:
    """Return a state in the colour of what it means; styled by ``caching/admin.css``."""
    return format_html('<span class="badge badge-{}">{}</span>', state, state.upper())


def short_key(key: str) -> str:
    """Return the beginning and the end of a long key."""
    half = KEY_CHARACTERS // 2
    return key if len(key) <= KEY_CHARACTERS else f"{key[:half]}…{key[-half:]}"


def size(size_bytes: int | None) -> str:
    """Return a size for a person: ``4.2 KB``."""
    return NOTHING if size_bytes is None else filesizeformat(size_bytes).replace("\xa0", " ")


def ratio(share: float | None) -> str:
    """Return a share for a person: ``97.5 %``."""
    return NOTHING if share is None else f"{share:.1%}".replace("%", " %")


def seconds(number: float) -> str:
    """Return a length of time for a person: ``12 s`` or ``1:02:03``."""
    return f"{number:.0f} s" if number < 60 else str(timedelta(seconds=round(number)))


def time_left(end: datetime | None) -> str:
    """Return how long it is until ``end``, which may be never or over."""
    if end is None:
        return "never"
    left = (end - timezone.now()).total_seconds()
    return seconds(left) if left > 0 else "over"


def health_line(health: LevelHealth, name: str) -> str:
    """Return how a level is doing: ``answers in 0.3 ms`` or ``Redis is away since 12 s``."""
    if health.is_healthy:
        return (
            f"answers in {health.latency_ms:.1f} ms" if health.latency_ms else "is of this process"
        )
    return f"{name} is away since {seconds(health.away_seconds)}"


def value_text(entry: CacheEntry) -> str:
    """Return the value of an entry for a person, cut off when it is long."""
    if entry.payload is None:
        return "none: this is a tombstone"
    try:
        payload = unpack(bytes(entry.payload)).payload or b""
        value = decode(payload)
    except UndecodableEntry as error:
        return f"cannot be decoded: {error}"
    text = repr(value)
    if len(payload) <= LAID_OUT_BYTES:
        text = pprint.pformat(value, width=LINE_CHARACTERS, sort_dicts=False)
    if len(text) <= VALUE_CHARACTERS:
        return text
    return f"{text[:VALUE_CHARACTERS]}\n… and {len(text) - VALUE_CHARACTERS:,} characters more"
