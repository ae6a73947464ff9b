"""How long samples are kept."""

from datetime import timedelta

from django.conf import settings

from jobs import handlers, schedules
from jobs.handlers import JobHandler, register_job
from jobs.models import Job
from jobs.schedules import Schedule
from monitoring.models import Metric

PURGE_JOB = "PURGE_METRICS"
MAINTENANCE_QUEUE = "maintenance"


def run_purge_job(job: Job) -> None:
    """Delete the samples of more than ``METRICS_RETENTION_DAYS`` ago; done again, it goes on."""
    if settings.METRICS_RETENTION_DAYS:
        Metric.objects.purge(older_than=timedelta(days=settings.METRICS_RETENTION_DAYS))


def register() -> None:
    """Have samples purged every night, unless they are kept for ever."""
    register_job(
        JobHandler(PURGE_JOB, MAINTENANCE_QUEUE, run_purge_job, validate=handlers.no_payload)
    )
    if settings.METRICS_RETENTION_DAYS:
        schedules.register_schedule(Schedule("purge_metrics", "37 3 * * *", PURGE_JOB))
