"""Conditions on work and workers, each written once; they combine with ``&``, ``|`` and ``~``."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from jobs.choices import ACTIVE, TERMINAL, WAITING, JobPriority, JobStatus


def has_status(*statuses: JobStatus | str) -> Q:
    """In one of ``statuses``."""
    return Q(status__in=statuses)


def has_priority_of_at_least(priority: JobPriority | int) -> Q:
    return Q(priority__gte=priority)


def is_created_within(start: datetime | None = None, end: datetime | None = None) -> Q:
    """Created in ``[start, end)``; None leaves that side open."""
    condition = ~Q(pk__in=())  # all: an empty Q is no condition, and its contrary neither
    if start is not None:
        condition &= Q(created_at__gte=start)
    if end is not None:
        condition &= Q(created_at__lt=end)
    return condition


def has_type(*job_types: str) -> Q:
    """Of one of ``job_types``."""
    return Q(job_type__in=job_types)


def is_about(subject_id: UUID) -> Q:
    """Working on one subject: a transcript, a document."""
    return Q(subject_id=subject_id)


def is_in_workspace(workspace_id: UUID) -> Q:
    return Q(workspace_id=workspace_id)


def is_ready() -> Q:
    """Waiting for nothing but a worker. Work that waits for a time is SCHEDULED instead."""
    return Q(status=JobStatus.QUEUED)


def is_due() -> Q:
    """Scheduled work whose time has come."""
    return Q(status=JobStatus.SCHEDULED, available_at__lte=Now())


def is_stalled() -> Q:
    """Claimed, but its lease ran out: whoever renews it is gone."""
    return Q(status=JobStatus.PROCESSING, lease_expires_at__lt=Now())


def is_expired() -> Q:
    """Not begun by the time after which nobody wants it any more."""
    return Q(status__in=WAITING, expires_at__lte=Now())


def is_active() -> Q:
    """Not over yet."""
    return Q(status__in=ACTIVE)


def is_over() -> Q:
    """Arrived at a terminal status."""
    return Q(status__in=TERMINAL)


def is_over_within(start: datetime, end: datetime) -> Q:
    """Ended in ``[start, end)``."""
    return Q(completed_at__gte=start, completed_at__lt=end)


def has_heartbeat_within(span: timedelta) -> Q:
    """A worker that has not ended and was renewed within ``span``."""
    return Q(stopped_at__isnull=True, heartbeat_at__gte=Now() - span)
