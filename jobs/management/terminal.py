"""What commands for people at a terminal have in common."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, ProgrammingError
from psycopg.errors import UndefinedColumn, UndefinedTable

#: Exit statuses besides 0.
FAILED, USAGE, INTERRUPTED = 1, 2, 130


class OperatorCommand(BaseCommand):
    """A command that says in one line what is wrong with the database; Ctrl-C ends it with 130."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command; raise ``CommandError`` for a database that is away or out of date."""
        try:
            return super().execute(*args, **options)
        except (OperationalError, InterfaceError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CommandError(f"the database cannot be used: {reason}") from error
        except ProgrammingError as error:
            if not isinstance(error.__cause__, (UndefinedTable, UndefinedColumn)):
                raise
            raise CommandError("the database is not up to date; run: manage.py migrate") from error
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    def say(self, news: str) -> None:
        """Write what is neither a result nor an error to standard error."""
        self.stderr.write(news, style_func=str)


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back while the block runs, for a second one to interrupt it at once.

    Yields what raises the KeyboardInterrupt, to be called wherever it is a good time.
    """
    is_pressed = False

    def note(signum: int, frame: FrameType | None) -> None:
        nonlocal is_pressed
        is_pressed = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def check() -> None:
        if is_pressed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
