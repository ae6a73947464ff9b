"""The account of who changed what, for pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import template

from processing.models import AuditEvent

if TYPE_CHECKING:
    from django.db.models import Model

register = template.Library()

#: Events on one page; the list of all events has the rest.
SHOWN_EVENTS = 100


@register.simple_tag
def audit_events_about(row: Model) -> list[AuditEvent]:
    """Return the latest events about a row, for who may see the row."""
    return list(AuditEvent.objects.about(row)[:SHOWN_EVENTS])


@register.filter
def told(event: AuditEvent) -> list[tuple[str, str]]:
    """Return what an event tells beyond who did what: the name and the text of each detail."""
    return [
        (name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in event.details.items()
        if value
    ]
