"""``manage.py work``: run a supervised pool of workers."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs import handlers
from jobs.exceptions import PermanentError
from jobs.management.arguments import positive
from jobs.services.supervisor import Supervisor
from jobs.worker import WorkerLimits

BYTES_PER_MB = 1_000_000


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

        parser.add_argument(
            "--max-jobs",
            type=positive,
            metavar="N",
            help="replace a worker process after it has done N rows (default: never)",
        )
        parser.add_argument(
            "--max-memory-mb",
            type=positive,
            metavar="MB",
            help="replace a worker process between two rows once its resident memory, shared "
            "pages included, is over MB (default: never)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        unknown = set(options["queues"]) - set(handlers.queue_names())
        if unknown:
            known = ", ".join(handlers.queue_names())
            raise CommandError(f"unknown queue {', '.join(sorted(unknown))}; known: {known}")
        max_memory = options["max_memory_mb"]
        supervisor = Supervisor(
            queue_names=tuple(options["queues"]),
            concurrency=options["concurrency"],
            limits=WorkerLimits(
                max_jobs=options["max_jobs"],
                max_memory_bytes=max_memory * BYTES_PER_MB if max_memory else None,
            ),
        )
        try:
            supervisor.run()
        except PermanentError as error:
            raise CommandError(str(error)) from error
