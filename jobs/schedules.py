"""What recurs, and when: schedules, each of whose slots becomes one job.

Not rq's ``rqcron``. That keeps its timetable in Redis, so a flush forgets what was due; two of
its schedulers enqueue everything twice; and it enqueues functions by their names, while our
workers run nothing that Redis names. Here a slot is the idempotency key of its job: the row
itself says that the slot was taken, to however many sweepers, for as long as the row is kept.

Applications register in ``AppConfig.ready()``, after the job types.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from croniter import croniter  # type: ignore[import-untyped]
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from jobs.choices import JobPriority
from jobs.exceptions import JobsError
from jobs.models import Job
from jobs.services.enqueueing import enqueue_job
from jobs.services.requests import JobRequest, row_of

#: A slot that was missed by more than this is skipped.
MAX_LATENESS = timedelta(days=1)

#: croniter also takes expressions whose slots differ from process to process.
_RANDOM = re.compile(r"(?<![a-z])[hr](?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Schedule:
    """A job to be enqueued at every time that ``cron`` names.

    ``cron`` has five fields (minute, hour, day of month, month, day of week), in UTC.
    """

    name: str
    cron: str
    job_type: str
    payload: dict[str, Any] = field(default_factory=dict)
    priority: JobPriority | int = JobPriority.NORMAL

    def __post_init__(self) -> None:
        if len(self.cron.split()) != 5 or _RANDOM.search(self.cron):
            raise ImproperlyConfigured(
                f"schedule {self.name!r}: {self.cron!r} is no cron expression of five fields "
                "(minute, hour, day of month, month, day of week)"
            )
        try:
            self.latest_slot(timezone.now())
        except ValueError as error:
            raise ImproperlyConfigured(f"schedule {self.name!r}: {error}") from error

    def latest_slot(self, now: datetime) -> datetime:
        """Return the last time at or before ``now`` that the schedule names."""
        just_after = now + timedelta(microseconds=1)
        slot: datetime = croniter(self.cron, just_after).get_prev(datetime)
        return slot

    def job_of(self, slot: datetime) -> dict[str, Any]:
        """Return what the job of a slot is enqueued with."""
        return {
            "job_type": self.job_type,
            "payload": self.payload,
            "priority": self.priority,
            "idempotency_key": f"schedule:{self.name}:{slot:%Y-%m-%dT%H:%MZ}",
        }


_schedules: dict[str, Schedule] = {}

#: name -> the slot whose job this process has seen in the database.
_seen: dict[str, datetime] = {}


def register_schedule(schedule: Schedule) -> None:
    """Have ``schedule`` followed by the sweepers; refuse at start what no sweep could enqueue."""
    if schedule.name in _schedules:
        raise ImproperlyConfigured(f"two schedules are called {schedule.name!r}")
    now = timezone.now()
    try:
        row_of(JobRequest(**schedule.job_of(now)), now)
    except JobsError as error:
        raise ImproperlyConfigured(f"schedule {schedule.name!r}: {error}") from error
    _schedules[schedule.name] = schedule


def due_slots() -> list[tuple[Schedule, datetime]]:
    """Return each schedule's latest slot, where it has no job and is not missed for good.

    Costs one query when there is a slot that this process has not seen taken, else none.
    """
    now = timezone.now()
    slots = {name: schedule.latest_slot(now) for name, schedule in _schedules.items()}
    unseen = {
        schedule.job_of(slots[name])["idempotency_key"]: schedule
        for name, schedule in _schedules.items()
        if slots[name] >= now - MAX_LATENESS and _seen.get(name) != slots[name]
    }
    if not unseen:
        return []
    stored = Job.objects.filter(workspace_id=None, idempotency_key__in=unseen)
    for key in stored.values_list("idempotency_key", flat=True):
        name = unseen.pop(str(key)).name
        _seen[name] = slots[name]
    return [(schedule, slots[schedule.name]) for schedule in unseen.values()]


def enqueue_slot(schedule: Schedule, slot: datetime) -> Job:
    """Enqueue the job of a slot; return the one that it has, if another came first."""
    return enqueue_job(**schedule.job_of(slot))
