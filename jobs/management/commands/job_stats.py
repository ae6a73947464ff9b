"""``manage.py job_stats``: how the queues are doing, for people and for programs."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser

from jobs import handlers
from jobs.choices import JobStatus
from jobs.management.arguments import duration
from jobs.management.terminal import OperatorCommand
from jobs.managers.job import STATISTICS_WINDOW, JobStatistics, Spread
from jobs.models import Job, Worker

#: The heads of the columns that say how long something takes.
SPREADS = [f"{what} p50/p95/p99" for what in ("wait", "run")]


class Command(OperatorCommand):
    help = (
        "Print how many jobs are in which status, how long they waited and took, and how many "
        "live workers serve each queue. Ready work on a queue that nobody serves is said on "
        "standard error. Exit status: 0 done, 1 failed, 2 wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--window",
            type=duration,
            default=STATISTICS_WINDOW,
            metavar="TIME",
            help="how far back to look at jobs that are over, such as 90s, 45m, 12h or 30d "
            "(default: 1h)",
        )
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        window = options["window"]
        statistics = Job.objects.statistics(window=window)
        workers = workers_by_queue({row.queue_name for row in statistics})
        waiting = unserved(statistics, workers)
        if options["format"] == "json":
            document = {
                "window_seconds": window.total_seconds(),
                "statistics": [asdict(row) for row in statistics],
                "live_workers": workers,
                "unserved": waiting,
            }
            self.stdout.write(json.dumps(document, indent=2))
        else:
            self.stdout.write(jobs_table(statistics))
            self.stdout.write(f"What is over, waits and runs are those of the last {window}.\n\n")
            rows = [[name, str(count)] for name, count in workers.items()]
            self.stdout.write(table(["queue", "live workers"], rows))
        for name in waiting:
            self.stderr.write(f"Ready work waits on {name!r}, and no live worker serves it.")


def workers_by_queue(others: set[str]) -> dict[str, int]:
    """Count the live workers of each registered queue, of ``others`` and of all they serve."""
    served: Counter[str] = Counter()
    for queues in Worker.objects.live().values_list("queues", flat=True):
        served.update(queues)
    return {name: served[name] for name in sorted({*handlers.queue_names(), *others, *served})}


def unserved(statistics: Sequence[JobStatistics], workers: dict[str, int]) -> list[str]:
    """Return the queues with ready work, of whatever kind, that no live worker serves."""
    waiting = {row.queue_name for row in statistics if row.counts[JobStatus.QUEUED]}
    for name in handlers.queue_names():
        if handlers.source_of(name).model.objects.ready().on_queue(name).exists():
            waiting.add(name)
    return sorted(name for name in waiting if not workers[name])


def jobs_table(statistics: Sequence[JobStatistics]) -> str:
    """Return a line for each queue and type of job."""
    statuses = [status.lower() for status in JobStatus.values]
    head = ["queue", "type", *statuses, "oldest", *SPREADS, "per second"]
    rows = [
        [
            *(row.queue_name, row.job_type),
            *(str(row.counts[status]) for status in JobStatus.values),
            *(span(row.oldest_seconds), spread(row.wait), spread(row.run)),
            f"{row.throughput_per_second:.3g}",
        ]
        for row in statistics
    ]
    return table(head, rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return lines with columns under each other."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [head, *rows]
    )


def spread(seconds: Spread) -> str:
    """Return median and tail as their column's head names them."""
    if seconds.p50 is None:
        return "-"
    return "/".join(map(span, (seconds.p50, seconds.p95, seconds.p99)))


def span(seconds: float | None) -> str:
    """Return a length of time for a person: ``4 ms``, ``4.2 s`` or ``1:02:03``."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))
