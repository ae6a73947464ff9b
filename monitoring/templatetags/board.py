"""How the Board writes statuses, ages, spans and numbers."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString

from jobs import presentation
from monitoring.catalogue import Unit
from monitoring.figures import figure

register = template.Library()

register.filter("age", presentation.age)


@register.filter
def badge(status: str) -> SafeString:
    return presentation.status_badge(status)


@register.filter
def grouped(number: int) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,}"


@register.filter
def span(seconds: float | None) -> str:
    """Return a length of time, in its largest unit."""
    return figure(seconds, Unit.SECONDS)


@register.filter
def running_for(since: datetime | None) -> str:
    """Return how long something has gone on: ``4 s``, ``12 min``."""
    if since is None:
        return presentation.NOTHING
    return figure(max(0, round((timezone.now() - since).total_seconds())), Unit.SECONDS)
