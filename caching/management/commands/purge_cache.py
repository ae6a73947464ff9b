"""``manage.py purge_cache``: take things out of the cache."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser

from caching.backend import MultiLevelCache, get_cache
from caching.choices import CacheLevel
from caching.exceptions import InvalidPattern, LevelIsAway
from caching.invalidation import BATCH, CacheInvalidator
from caching.management.terminal import (
    FAILED,
    USAGE,
    CacheCommand,
    interruptible,
    progress,
)
from caching.patterns import Glob
from caching.presentation import size
from caching.preview import (
    Preview,
    entries_of,
    preview_of_entries,
    preview_of_pattern,
    preview_of_tags,
)


class Command(CacheCommand):
    help = (
        "Take out of the cache, for all processes: by default what has expired and nobody can "
        "have any more. Ctrl-C stops between two batches. "
        "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--pattern",
            metavar="GLOB",
            help="the keys that match, such as 'transcript:*', in the way of Redis",
        )
        what.add_argument("--tag", nargs="+", metavar="NAME", help="what bears one of these tags")
        what.add_argument(
            "--expired", action="store_true", help="what nobody can have any more (the default)"
        )
        what.add_argument("--all", action="store_true", help="everything, and every tag")
        parser.add_argument("--dry-run", action="store_true", help="say what would go, no more")
        parser.add_argument("--yes", action="store_true", help="do not ask before everything goes")

    def handle(self, *args: Any, **options: Any) -> None:
        cache = get_cache()
        pattern, tags, is_dry = options["pattern"], options["tag"], options["dry_run"]
        is_all = options["all"]
        if pattern is not None:
            try:
                is_all = Glob(pattern).matches_everything
            except InvalidPattern as error:
                raise CommandError(f"this is no pattern: {error}", returncode=USAGE) from error
        away = self.levels_away(cache)
        if is_all and not is_dry and not options["yes"]:
            self._ask()
        if is_dry:
            self._foresee(cache, options)
        elif options["all"]:
            cache.clear()
            self.stdout.write("Emptied the cache.")
        elif pattern is not None:
            count = self._delete_matching(cache, pattern)
            self.stdout.write(f"Deleted {count:,} keys that match {pattern}.")
        elif tags:
            self._invalidate(cache, tags, away)
        else:
            self.stdout.write(f"Removed {self._remove_expired(cache):,} expired entries.")

    def _ask(self) -> None:
        if not sys.stdin.isatty():
            raise CommandError("everything would go: say --yes", returncode=USAGE)
        self.stderr.write("Everything is to go from the cache. Continue? [y/N] ", ending="")
        self.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CommandError("nothing was done", returncode=FAILED)

    def _foresee(self, cache: MultiLevelCache, options: dict[str, Any]) -> None:
        if options["tag"]:
            preview = preview_of_tags(cache, options["tag"])
        elif options["pattern"] is not None:
            preview = preview_of_pattern(cache, options["pattern"])
        elif options["all"]:
            preview = preview_of_entries(cache, entries_of(cache))
        else:
            preview = preview_of_entries(cache, entries_of(cache).expired())
        least = "more than " if preview.is_cut_off else ""
        how_many = f"{least}{preview.count:,} entries"
        self.stdout.write(f"Would take out {how_many} ({size(preview.size_bytes)} in PostgreSQL).")
        for key in preview.sample:
            self.stdout.write(f"  {key}")
        if preview.is_partial:
            self.stdout.write("  and more")

    def _invalidate(self, cache: MultiLevelCache, names: list[str], away: set[CacheLevel]) -> None:
        preview: Preview | None = None
        if CacheLevel.DATABASE not in away:
            preview = preview_of_tags(cache, names)
        CacheInvalidator(cache).invalidate_tags(*names)
        had = f": {preview.count:,} entries in PostgreSQL had it" if preview else ""
        self.stdout.write(f"Invalidated {', '.join(names)}{had}.")

    def _delete_matching(self, cache: MultiLevelCache, pattern: str) -> int:
        total = preview_of_pattern(cache, pattern).count if sys.stderr.isatty() else None
        return self._count(lambda: CacheInvalidator(cache).sweep(pattern), "Deleting", total)

    def _remove_expired(self, cache: MultiLevelCache) -> int:
        hierarchy = cache.hierarchy

        def batches() -> Iterator[int]:
            with hierarchy.database_breaker:
                while count := hierarchy.database.purge(BATCH):
                    yield count

        if not hierarchy.has_database:
            return 0
        try:
            total = entries_of(cache).expired().count() if sys.stderr.isatty() else None
            return self._count(batches, "Removing", total)
        except LevelIsAway as error:
            raise CommandError(f"PostgreSQL is away: {error}", returncode=FAILED) from error

    def _count(self, batches: Callable[[], Iterator[int]], what: str, total: int | None) -> int:
        """Do all batches and return how many were in them; say how far it came when it stops."""
        done = 0
        with interruptible() as check, progress(what, unit="key", total=total) as bar:
            try:
                for count in batches():
                    done += count
                    bar.update(count)
                    check()
            except (KeyboardInterrupt, LevelIsAway):
                bar.close()
                if done:
                    self.say(f"Stopped: {done:,} are gone; the same command goes on.")
                raise
        return done
