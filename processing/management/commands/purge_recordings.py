"""``manage.py purge_recordings``: delete what has been kept for long enough."""

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from tqdm import tqdm

from jobs.management.arguments import duration, positive
from jobs.management.terminal import FAILED, USAGE, OperatorCommand, interruptible
from processing.management.workspaces import workspace_of
from processing.workspaces.retention import BATCH_SIZE, Expired, purge_recordings


class Command(OperatorCommand):
    help = (
        "Delete recordings that came in longer ago than a given time, with all that came of "
        "them, and uploaded documents; the oldest first. What is being worked on is kept. "
        "Ctrl-C stops between two batches. "
        "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=duration,
            required=True,
            metavar="TIME",
            help="since they came in, such as 90d or 12h",
        )
        parser.add_argument("--workspace", metavar="SLUG", help="of this one (default: of all)")
        parser.add_argument(
            "--batch-size",
            type=positive,
            default=BATCH_SIZE,
            metavar="N",
            help="how many to look up at once (default: %(default)s)",
        )
        parser.add_argument("--dry-run", action="store_true", help="count them and delete nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask before they go")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["workspace"] is not None:  # an empty one is no way to say all
            options["workspace"] = workspace_of(options["workspace"])
        expired = Expired.since(options["older_than"], workspace=options["workspace"])
        recordings, documents = expired.recordings.count(), expired.documents.count()
        what = f"{recordings} recordings and {documents} uploaded documents"
        if options["dry_run"]:
            self.stdout.write(f"Would delete {what}.")
        elif not recordings + documents:
            self.stdout.write("Nothing to delete.")
        else:
            if not options["yes"]:
                self._ask(what)
            count = self._purge(options, recordings + documents)
            self.stdout.write(f"Deleted {count} recordings and documents.")

    def _ask(self, what: str) -> None:
        if not sys.stdin.isatty():
            raise CommandError(f"{what} would go: say --yes", returncode=USAGE)
        self.stderr.write(f"{what} are to go for good. Continue? [y/N] ", ending="")
        self.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CommandError("nothing was done", returncode=FAILED)

    def _purge(self, options: dict[str, Any], total: int) -> int:
        done = 0
        with interruptible() as check, self._progress(total) as bar:

            def after_batch(count: int) -> None:
                nonlocal done
                done += count
                bar.update(count)
                check()

            try:
                return purge_recordings(
                    older_than=options["older_than"],
                    workspace=options["workspace"],
                    batch_size=options["batch_size"],
                    after_batch=after_batch,
                )
            except (KeyboardInterrupt, OperationalError, InterfaceError):
                bar.close()
                if done:
                    self.say(f"Stopped: {done} are deleted; the same command goes on.")
                raise

    def _progress(self, total: int) -> "tqdm[None]":
        return tqdm(
            total=total,
            desc="Deleting",
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
            leave=False,
        )
