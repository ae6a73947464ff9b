"""Conditions on work, each written once; they combine with ``&``, ``|`` and ``~``."""

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from jobs.choices import TERMINAL, JobStatus


def is_ready() -> Q:
    """Waiting for nothing but a worker. Work that waits for a time is SCHEDULED instead."""
    return Q(status=JobStatus.QUEUED)


def is_due() -> Q:
    """Scheduled work whose time has come."""
    return Q(status=JobStatus.SCHEDULED, available_at__lte=Now())


def is_stalled() -> Q:
    """Claimed, but its lease ran out: whoever renews it is gone."""
    return Q(status=JobStatus.PROCESSING, lease_expires_at__lt=Now())


def is_active() -> Q:
    """Not over yet."""
    return ~Q(status__in=TERMINAL)


def has_heartbeat_within(span: timedelta) -> Q:
    """A worker that has not ended and was renewed within ``span``."""
    return Q(stopped_at__isnull=True, heartbeat_at__gte=Now() - span)
