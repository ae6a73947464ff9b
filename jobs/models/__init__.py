"""Jobs, the workers that run them, and ``Work``: a row that is claimed, leased and retried."""

from jobs.models.bulk_action import BulkAction, BulkActionItem
from jobs.models.job import Job, JobDependency
from jobs.models.work import Work
from jobs.models.worker import Worker

__all__ = ["BulkAction", "BulkActionItem", "Job", "JobDependency", "Work", "Worker"]
