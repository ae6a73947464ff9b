"""``manage.py work``: run a supervised pool of workers."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs import handlers
from jobs.exceptions import PermanentError
from jobs.management.arguments import positive
from jobs.services.supervisor import Supervisor


class Command(BaseCommand):
    help = (
        "Run workers that do queued work until stopped. SIGTERM or Ctrl-C lets them finish "
        "for 10 seconds and gives back the rest; a second one gives back at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--concurrency",
            type=positive,
            default=os.cpu_count() or 1,
            metavar="N",
            help="worker processes for heavy work (default: one per processor, %(default)s here)",
        )
        parser.add_argument(
            "--queues",
            nargs="+",
            metavar="QUEUE",
            default=list(handlers.queue_names()),
            help="queues to serve (default: all: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        unknown = set(options["queues"]) - set(handlers.queue_names())
        if unknown:
            known = ", ".join(handlers.queue_names())
            raise CommandError(f"unknown queue {', '.join(sorted(unknown))}; known: {known}")
        supervisor = Supervisor(
            queue_names=tuple(options["queues"]), concurrency=options["concurrency"]
        )
        try:
            supervisor.run()
        except PermanentError as error:
            raise CommandError(str(error)) from error
