"""How the queues are doing, as programs read it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jobs import handlers
from jobs.models import Job, Worker

if TYPE_CHECKING:
    from datetime import timedelta


def queue_statistics(*, window: timedelta) -> list[dict[str, Any]]:
    """Describe every queue of jobs: who serves it, and how its types are doing.

    A queue without live workers and a type without a handler show that nobody does their jobs.
    """
    workers = Counter(
        name
        for names in Worker.objects.live().values_list("queues", flat=True)
        for name in set(names)
    )
    job_types: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in handlers.queue_names():
        if handlers.source_of(name).model is Job:
            job_types[name] = []
    known = handlers.job_types()
    for statistics in Job.objects.statistics(window=window):
        described = asdict(statistics)
        queue_name = described.pop("queue_name")
        described["has_handler"] = statistics.job_type in known
        job_types[queue_name].append(described)
    return [
        {
            "queue_name": name,
            "live_workers": workers[name],
            "is_served": workers[name] > 0,
            "job_types": described,
        }
        for name, described in sorted(job_types.items())
    ]
