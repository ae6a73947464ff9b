"""``manage.py create_workspace``: make room for a team of its own."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from jobs.management.terminal import USAGE, OperatorCommand
from processing.choices import Role
from processing.management.workspaces import user_of
from processing.models import Workspace
from processing.workspaces.members import add_member


class Command(OperatorCommand):
    help = (
        "Make a workspace, and somebody its manager, who lets the others in. "
        "Exit status: 0 done, 1 failed, 2 wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG", help="what programs call it; never changed")
        parser.add_argument("--name", help="what people call it (default: SLUG)")
        parser.add_argument("--manager", metavar="USER", help="who manages it")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        workspace = Workspace(slug=options["slug"], name=options["name"] or options["slug"])
        manager = None if options["manager"] is None else user_of(options["manager"])
        try:
            workspace.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages), returncode=USAGE) from error
        workspace.save(force_insert=True)
        if manager is not None:
            add_member(workspace=workspace, user=manager, role=Role.MANAGER)
        self.stdout.write(f"Made workspace {workspace.slug}.")
