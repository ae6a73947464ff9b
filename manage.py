#!/usr/bin/env python
"""Django's commands, with the embedded servers kept up while one of them runs."""

import os
import sys

from django.core.management import execute_from_command_line

from config import embedded

NEED_NO_SERVER = {"help", "version", "check", "collectstatic", "diffsettings"}

#: How the names of commands begin that leave an audit event: they destroy, or let somebody in.
AUDITED = ("purge_", "create_api_key", "create_workspace")


def main(arguments: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")
    if _needs_servers(arguments):
        try:
            embedded.hold()
        except embedded.EmbeddedServerError as error:
            sys.exit(str(error))
    try:
        execute_from_command_line(["manage.py", *arguments])
        if arguments and arguments[0].startswith(AUDITED) and "--dry-run" not in arguments:
            from config.auditing import record_command  # noqa: PLC0415  it imports models

            record_command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _needs_servers(arguments: list[str]) -> bool:
    if not arguments or {"-h", "--help", "--version"} & set(arguments):
        return False
    return arguments[0] not in NEED_NO_SERVER or "--database" in arguments


if __name__ == "__main__":
    main(sys.argv[1:])
