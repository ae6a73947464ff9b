"""``manage.py row_level_security``: have PostgreSQL itself keep requests in their workspace."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import ProgrammingError
from psycopg.errors import InsufficientPrivilege

from jobs.management.terminal import FAILED, OperatorCommand
from processing.workspaces.policies import Step, disabling, enabling, rules, run


class Command(OperatorCommand):
    help = (
        "Make, or take away, the role and the policies that ROW_LEVEL_SECURITY needs; or say "
        "whether they are in place. Doing it twice changes nothing. "
        "Exit status: 0 done or in place, 1 failed or not in place, 2 wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=["enable", "disable", "status"])
        parser.add_argument(
            "--dry-run", action="store_true", help="print the SQL and change nothing"
        )

    def handle(self, *args: Any, verb: str, dry_run: bool, **options: Any) -> None:
        if verb == "status":
            self._tell()
            return
        steps = enabling() if verb == "enable" else disabling()
        if dry_run:
            for statement in (each for step in steps for each in step.statements):
                self.stdout.write(f"{statement};")
            return
        _run(steps)
        self.stdout.write(f"{len(steps)} changes made." if steps else "Nothing was to be done.")

    def _tell(self) -> None:
        missing = {step.subject for step in enabling()}
        for table, rule in rules().items():
            kind = "of a workspace" if rule.condition else "shared, read only"
            self.stdout.write(f"{table:30}{kind:20}{'MISSING' if table in missing else 'in place'}")
        state = "on" if settings.ROW_LEVEL_SECURITY else "off"
        self.stdout.write(f"ROW_LEVEL_SECURITY is {state}; {len(missing)} missing.")
        if missing:
            sys.exit(FAILED)


def _run(steps: list[Step]) -> None:
    try:
        run(steps)
    except ProgrammingError as error:
        if not isinstance(error.__cause__, InsufficientPrivilege):
            raise
        reason = str(error).splitlines()[0]
        raise CommandError(
            f"{reason}; this needs the owner of the tables, who may create roles (CREATEROLE)"
        ) from error
