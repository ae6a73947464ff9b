"""``manage.py sweep``: rescue, promote and ring, for installations that want it apart."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connections

from jobs.services import sweeper


class Command(BaseCommand):
    help = (
        "Rescue work whose worker is gone, make due work ready and ring for it, every few "
        "seconds. Every supervisor sweeps too; running more sweepers is harmless."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="sweep once and print the report")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            self.stdout.write(str(sweeper.sweep() or "another sweeper is at work"))
            return
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        seconds = 0.0
        while not stopping.wait(seconds):
            try:
                sweeper.sweep()
                seconds = sweeper.seconds_until_next_sweep()
            except DatabaseError as error:
                self.stderr.write(f"could not sweep: {error}")
                connections.close_all()
                seconds = 1.0
