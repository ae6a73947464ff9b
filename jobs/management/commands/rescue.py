"""``manage.py rescue``: have work whose worker is gone done by another, now."""

import sys
from typing import Any

from django.core.management.base import CommandParser

from jobs.management.terminal import FAILED, OperatorCommand
from jobs.services import sweeper


class Command(OperatorCommand):
    help = (
        "Requeue work whose lease ran out, or give it up as poison when it has taken too many "
        "workers down, as every sweep does. Exit status: 0 done, 1 some of it could not be "
        "given up (the log says why), 130 interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be done and change nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        is_dry = options["dry_run"]
        reports = sweeper.foresee_rescue() if is_dry else sweeper.rescue()
        would = "would be " if is_dry else ""
        for report in reports:
            for fate, ids in (
                (f"{would}requeued", report.requeued),
                (f"{would}given up as poison", report.poisoned),
                ("stuck", report.stuck),
            ):
                for pk in ids:
                    self.stdout.write(f"{report.model._meta.verbose_name} {pk}: {fate}")
        requeued = sum(len(report.requeued) for report in reports)
        poisoned = sum(len(report.poisoned) for report in reports)
        stuck = sum(len(report.stuck) for report in reports)
        self.stdout.write(f"{requeued} {would}requeued, {poisoned} {would}given up as poison")
        if stuck:
            self.stderr.write(f"{stuck} could not be given up: what follows from their end fails")
            sys.exit(FAILED)
