"""``manage.py serve``: the whole of Longhand on one machine."""

import os
import secrets
import shlex
import socket
import sys
from typing import Any

import honcho.manager
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from honcho.manager import Manager

from jobs.management.arguments import positive
from jobs.services.supervisor import GRACE_SECONDS
from processing.management.migrating import ensure_migrated

ADMIN_NAME = "admin"

#: Most of the threads sleep: each client that is told what happens to a transcript has one.
GUNICORN = [
    *("--worker-class", "gthread", "--workers", "2", "--threads", "450"),
    *("--log-level", "warning"),
]
SWEEP = ["manage.py", "sweep"]


class Command(BaseCommand):
    help = (
        "Run web server, workers and sweeper together until Ctrl-C. At the first start a staff "
        "login is created and printed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port (default: %(default)s)")
        parser.add_argument(
            "--concurrency",
            type=positive,
            default=os.cpu_count() or 1,
            help="workers (default: one per processor, %(default)s here)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        refuse_a_taken_address(host, port)
        ensure_migrated()
        self._print_login()
        self.stdout.write(f"Admin: http://{host}:{port}/admin/\nStop with Ctrl-C.\n")
        self.stdout.flush()
        honcho.manager.KILL_WAIT = GRACE_SECONDS + 5  # as long as workers may take to stop
        manager = Manager()
        web = ["-m", "gunicorn", "config.wsgi", "--bind", f"{host}:{port}", *GUNICORN]
        work = ["manage.py", "work", "--concurrency", str(options["concurrency"])]
        for name, arguments in (("web", web), ("workers", work), ("sweeper", SWEEP)):
            command = shlex.join([sys.executable, *arguments])
            manager.add_process(name, command, cwd=str(settings.BASE_DIR))
        manager.loop()
        sys.exit(manager.returncode)

    def _print_login(self) -> None:
        users = get_user_model().objects
        if users.filter(is_staff=True).exists():
            self.stdout.write(
                "Log in as before; a lost password is set anew with:\n"
                f"  {sys.executable} manage.py changepassword {ADMIN_NAME}"
            )
            return
        password = secrets.token_urlsafe(12)
        users.create_superuser(ADMIN_NAME, password=password)
        self.stdout.write(f"Login:    {ADMIN_NAME}\nPassword: {password}   (shown only now)")


def refuse_a_taken_address(host: str, port: int) -> None:
    """Raise ``CommandError`` when nothing can listen at ``host:port``."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise CommandError(f"cannot listen on {host}:{port}: {reason}") from error
