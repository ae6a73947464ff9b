"""``manage.py create_api_key``: a key for a program, by who runs the installation."""

import argparse
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from jobs.management.arguments import duration
from jobs.management.terminal import FAILED, OperatorCommand
from processing.choices import Scope
from processing.exceptions import ScopeTooWide
from processing.management.workspaces import user_of, workspace_of
from processing.managers.workspace import DEFAULT_SLUG
from processing.workspaces.access import access_of_user
from processing.workspaces.audit import record_event
from processing.workspaces.keys import issue_key
from processing.workspaces.scopes import refuse_wider


def scopes(text: str) -> list[str]:
    """Parse names of scopes with commas between them."""
    names = [name.strip() for name in text.split(",")]
    if unknown := set(names) - set(Scope.values):
        raise argparse.ArgumentTypeError(
            f"no scope {', '.join(sorted(unknown))}; known: {', '.join(Scope.values)}"
        )
    return names


class Command(OperatorCommand):
    help = (
        "Make an API key and write its token, alone, to standard output; it cannot be shown "
        "again. It acts for a user in one workspace, within the user's role there. "
        "Exit status: 0 done, 1 refused, 2 wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, metavar="NAME", help="whom it acts for")
        parser.add_argument(
            "--workspace",
            default=DEFAULT_SLUG,
            metavar="SLUG",
            help="where it acts (default: %(default)s)",
        )
        parser.add_argument(
            "--scopes",
            type=scopes,
            default=[Scope.READ.value],
            metavar="SCOPE,...",
            help="what it may do: read, write, manage (default: read)",
        )
        parser.add_argument(
            "--expires-in", type=duration, metavar="TIME", help="such as 90d (default: never)"
        )
        parser.add_argument("--name", required=True, help="what it is for")

    def handle(self, *args: Any, **options: Any) -> None:
        user, workspace = user_of(options["user"]), workspace_of(options["workspace"])
        access = access_of_user(user, workspace.slug)
        if access is None:
            raise CommandError(f"{user} is no member of {workspace.slug}", returncode=FAILED)
        try:
            refuse_wider(options["scopes"], access.role)
        except ScopeTooWide as error:
            raise CommandError(str(error), returncode=FAILED) from error
        span = options["expires_in"]
        key, token = issue_key(
            workspace=workspace,
            user=user,
            name=options["name"],
            scopes=options["scopes"],
            expires_at=timezone.now() + span if span else None,
        )
        record_event(
            action="api-key.create",
            object_type="api-key",
            object_id=key.pk,
            workspace=workspace,
            details={"command": "create_api_key", "user": user.get_username()},
        )
        self.say(f"{key} of {user} in {workspace.slug}: {', '.join(key.scopes)}")
        self.stdout.write(token)
