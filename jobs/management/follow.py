"""Watching a job from a terminal."""

import time
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, connection

from jobs.choices import TERMINAL
from jobs.models import Job

#: How often to look; a person sees no difference, the database hardly any load.
POLL_SECONDS = 0.1

#: How long to wait for a database that is away; the job goes on without us.
PATIENCE_SECONDS = 60.0


def follow(job: Job, *, tell: Callable[[str], None]) -> Job:
    """Return the job once it is over; ``tell`` each status that it is seen in before."""
    told = ""
    while job.status not in TERMINAL:
        if job.status != told:
            told = job.status
            tell(told)
        time.sleep(POLL_SECONDS)
        _refresh(job)
    return job


def _refresh(job: Job) -> None:
    """Read the job anew, waiting for a database that is away."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return job.refresh_from_db(fields=["status", "error_code", "error_message"])
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                raise
            connection.close()
            time.sleep(1)
