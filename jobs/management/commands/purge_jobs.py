"""``manage.py purge_jobs``: forget jobs that ended a while ago."""

import sys
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.db import InterfaceError, OperationalError
from tqdm import tqdm

from jobs.choices import TERMINAL
from jobs.management.arguments import duration, positive
from jobs.management.terminal import OperatorCommand, interruptible
from jobs.services.retention import BATCH_SIZE, purge_jobs, purgeable_jobs


class Command(OperatorCommand):
    help = (
        "Delete jobs that ended longer ago than a given time, the longest ago first. Their "
        "idempotency keys are free again. Ctrl-C stops between two batches. "
        "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=duration,
            required=True,
            metavar="TIME",
            help="since their end, such as 30d, 12h, 45m or 90s",
        )
        parser.add_argument(
            "--status",
            nargs="+",
            choices=[status.value for status in TERMINAL],
            default=[status.value for status in TERMINAL],
            help="how they ended (default: however)",
        )
        parser.add_argument(
            "--batch-size",
            type=positive,
            default=BATCH_SIZE,
            metavar="N",
            help="jobs to delete in one transaction (default: %(default)s)",
        )
        parser.add_argument("--dry-run", action="store_true", help="count them and delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        older_than, statuses = options["older_than"], options["status"]
        if options["dry_run"]:
            count = purgeable_jobs(older_than=older_than, statuses=statuses).count()
            self.stdout.write(f"Would delete {count} jobs.")
        else:
            count = self._purge(older_than, statuses, options["batch_size"])
            self.stdout.write(f"Deleted {count} jobs.")

    def _purge(self, older_than: timedelta, statuses: list[str], batch_size: int) -> int:
        done = 0
        with interruptible() as check, self._progress(older_than, statuses) as bar:

            def after_batch(count: int) -> None:
                nonlocal done
                done += count
                bar.update(count)
                check()

            try:
                return purge_jobs(
                    older_than=older_than,
                    statuses=statuses,
                    batch_size=batch_size,
                    after_batch=after_batch,
                )
            except (KeyboardInterrupt, OperationalError, InterfaceError):
                bar.close()
                if done:
                    self.say(f"Stopped: {done} jobs are deleted; the same command goes on.")
                raise

    def _progress(self, older_than: timedelta, statuses: list[str]) -> "tqdm[None]":
        """Return a bar; jobs are counted only for somebody who sees it."""
        is_seen = sys.stderr.isatty()
        jobs = purgeable_jobs(older_than=older_than, statuses=statuses)
        return tqdm(
            total=jobs.count() if is_seen else None,
            desc="Deleting",
            unit="job",
            file=sys.stderr,
            disable=not is_seen,
            leave=False,
        )
