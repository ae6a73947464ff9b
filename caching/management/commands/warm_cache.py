"""``manage.py warm_cache``: bring near what was used most."""

import argparse
from typing import Any

from django.core.management.base import CommandError, CommandParser

from caching.backend import get_cache
from caching.choices import CacheLevel
from caching.management.terminal import FAILED, CacheCommand, interruptible, progress
from caching.warming import CacheWarmer


def positive(text: str) -> int:
    """Parse a number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


class Command(CacheCommand):
    help = (
        "Copy the most used entries from PostgreSQL to Redis, for all processes. Of memory only "
        "that of this command is warmed: the others fill theirs as they read. "
        "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--limit",
            type=positive,
            default=1_000,
            metavar="N",
            help="entries at most (default: %(default)s)",
        )
        parser.add_argument("--prefix", metavar="P", help="only of this prefix (default: of all)")

    def handle(self, *args: Any, **options: Any) -> None:
        cache = get_cache()
        if not (cache.hierarchy.has_redis and cache.hierarchy.has_database):
            raise CommandError("this cache has no Redis and PostgreSQL to copy between")
        away = self.levels_away(cache)
        if away:
            lacking = "from" if CacheLevel.DATABASE in away else "to"
            raise CommandError(f"there is nowhere to copy {lacking}", returncode=FAILED)
        limit, prefix = options["limit"], options["prefix"]
        with interruptible() as check, progress("Warming", unit="entry", total=limit) as bar:

            def after_batch(count: int) -> None:
                bar.update(count)
                check()

            report = CacheWarmer(cache).warm(limit=limit, prefix=prefix, progress=after_batch)
        self.stdout.write(f"Warmed {report.warmed_count:,} of {report.wanted_count:,} entries.")
