"""How long deliveries are remembered after they have ended."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from jobs import handlers, schedules
from jobs.handlers import JobHandler, register_job
from jobs.models import Job
from jobs.schedules import Schedule
from jobs.services.retention import BATCH_SIZE, MAINTENANCE_QUEUE
from processing.models import WebhookDelivery

PURGE_DELIVERIES_JOB = "PURGE_DELIVERIES"


def purge_deliveries(*, older_than: timedelta, batch_size: int = BATCH_SIZE) -> int:
    """Delete the deliveries that ended longer ago than ``older_than``; return how many.

    Each batch is a transaction of its own.
    """
    over = WebhookDelivery.objects.over_since(timezone.now() - older_than)
    count = 0
    while deleted := over.purge(limit=batch_size):
        count += deleted
    return count


def run_purge_job(job: Job) -> None:
    """Delete the deliveries of more than ``WEBHOOK_RETENTION_DAYS`` ago; done again, it goes on."""
    if settings.WEBHOOK_RETENTION_DAYS:
        purge_deliveries(older_than=timedelta(days=settings.WEBHOOK_RETENTION_DAYS))


def register() -> None:
    """Have deliveries purged every night, unless they are kept for ever."""
    register_job(
        JobHandler(
            PURGE_DELIVERIES_JOB, MAINTENANCE_QUEUE, run_purge_job, validate=handlers.no_payload
        )
    )
    if settings.WEBHOOK_RETENTION_DAYS:
        nightly = Schedule("purge_deliveries", "37 3 * * *", PURGE_DELIVERIES_JOB)
        schedules.register_schedule(nightly)
