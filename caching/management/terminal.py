"""What the commands of the cache have in common."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, ProgrammingError
from psycopg.errors import UndefinedColumn, UndefinedTable
from tqdm import tqdm

from caching.backend import MultiLevelCache
from caching.choices import CacheLevel
from caching.report import MADE_OF

#: Exit statuses besides 0.
FAILED, USAGE, INTERRUPTED = 1, 2, 130


class CacheCommand(BaseCommand):
    """A command that says in one line which level is away; Ctrl-C ends it with 130."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command; raise ``CommandError`` when PostgreSQL is needed and cannot be used."""
        try:
            return super().execute(*args, **options)
        except (OperationalError, InterfaceError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CommandError(f"PostgreSQL is away: {reason}", returncode=FAILED) from error
        except ProgrammingError as error:
            if not isinstance(error.__cause__, (UndefinedTable, UndefinedColumn)):
                raise
            raise CommandError("the database is not up to date; run: manage.py migrate") from error
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    def say(self, news: str) -> None:
        """Write what is neither a result nor an error to standard error."""
        self.stderr.write(news, style_func=str)

    def levels_away(self, cache: MultiLevelCache) -> set[CacheLevel]:
        """Return the levels that are away, and say so; raise ``CommandError`` without any other
        that processes share."""
        health = [each for each in cache.health() if each.level != CacheLevel.MEMORY]
        away = {each.level: each.problem.splitlines()[0] for each in health if each.problem}
        lines = [f"{MADE_OF[level]} is away: {reason}" for level, reason in away.items()]
        if away and len(away) == len(health):
            raise CommandError("; ".join(lines), returncode=FAILED)
        for line in lines:
            self.say(line)
        return set(away)


def progress(what: str, *, unit: str, total: int | None = None) -> "tqdm[None]":
    """Return a bar, for somebody who sees it."""
    is_seen = sys.stderr.isatty()
    return tqdm(
        total=total, desc=what, unit=unit, file=sys.stderr, disable=not is_seen, leave=False
    )


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
