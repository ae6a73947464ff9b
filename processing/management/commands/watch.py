"""``manage.py watch DIRECTORY``: whatever is put into a folder is transcribed."""

import argparse
import math
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from jobs.management.terminal import FAILED, USAGE, OperatorCommand
from processing.management.asking import add_request_arguments, request_of
from processing.management.migrating import ensure_migrated
from processing.management.names import one_line
from processing.models import Workspace
from processing.services import local_workers
from processing.services.inputs.watching import (
    DONE,
    REJECTED,
    FolderWatcher,
    HandedIn,
    HandIn,
    Outcome,
    Refused,
)

#: How many times longer to rest than it takes to see what is in the folder, if that is long.
REST_SHARE = 10


class Command(OperatorCommand):
    help = (
        "Hand in the recordings that appear in a folder and its subfolders, and move them to "
        f"{DONE}/ in it. A file is taken once its size and mtime have been the same for a while; "
        f"what is no recording goes to {REJECTED}/ with a .txt that says why. Hidden files, "
        "unfinished downloads and symbolic links are left alone. What is handed in twice is "
        "recognised by its content. From a folder that cannot be written to, everything is handed "
        "in again at each start. Ctrl-C ends it. "
        "Exit status: 0 done, 1 failed (with --once also: something was refused or left), "
        "2 wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", metavar="DIRECTORY", type=Path)
        parser.add_argument(
            "--workspace", default="", metavar="SLUG", help="whose they are (default: default)"
        )
        add_request_arguments(parser)
        parser.add_argument(
            "--stable-seconds",
            type=seconds,
            default=5.0,
            metavar="S",
            help="how long a file must not have changed (default: %(default)g); more than the "
            "longest pause of whoever writes there, and than the time for which a network share "
            "keeps attributes",
        )
        parser.add_argument(
            "--poll-seconds",
            type=seconds,
            default=1.0,
            metavar="S",
            help="how long to rest between two looks (default: %(default)g)",
        )
        parser.add_argument(
            "--once",
            action="store_true",
            help="take what is there and has stopped changing, and end",
        )
        afterwards = parser.add_mutually_exclusive_group()
        afterwards.add_argument(
            "--delete", action="store_true", help="delete what was handed in instead of moving it"
        )
        afterwards.add_argument(
            "--move-to",
            type=Path,
            metavar="DIRECTORY",
            help=f"where to move what was handed in (default: {DONE}/ in the folder)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = self._folder(options["folder"])
        ensure_migrated()
        workspace = self._workspace(options["workspace"])
        watcher = FolderWatcher(
            folder,
            hand_in=HandIn(workspace, **request_of(options, workspace)),
            done_folder=None if options["delete"] else self._done(folder, options["move_to"]),
            stable_seconds=options["stable_seconds"],
        )
        self._folder_shown = folder
        self._counts: Counter[str] = Counter()
        self._asked_for_workers = False
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            if options["once"]:
                self._once(watcher, options["stable_seconds"])
            else:
                self._for_ever(watcher, options["poll_seconds"])
        except KeyboardInterrupt:
            self._summarize()
        else:
            self._summarize()
            if set(self._counts) - {"handed in", "known before"}:
                sys.exit(FAILED)

    def _for_ever(self, watcher: FolderWatcher, poll_seconds: float) -> None:
        self.say(f"Watching {one_line(str(self._folder_shown))}; stop with Ctrl-C.")
        while True:
            self._look(watcher)
            time.sleep(max(poll_seconds, REST_SHARE * watcher.scan_seconds))

    def _once(self, watcher: FolderWatcher, stable_seconds: float) -> None:
        self._look(watcher)
        if watcher.unsettled():
            time.sleep(stable_seconds)
            self._look(watcher)
        for path in watcher.unsettled():
            self._counts["left"] += 1
            self.say(f"{self._shown(path)}: left for the next time")

    def _look(self, watcher: FolderWatcher) -> None:
        for outcome in watcher.look():
            self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        if isinstance(outcome, HandedIn):
            submission = outcome.submission
            is_new = submission.is_new
            self._counts["handed in" if is_new else "known before"] += 1
            self.stdout.write(
                f"{self._shown(outcome.path)}: transcript {submission.request.transcript.pk}"
                + ("" if is_new else " (known before)")
            )
            self.stdout.flush()
            self._ask_for_workers()
        elif isinstance(outcome, Refused):
            self._counts["refused"] += 1
            self.say(f"{self._shown(outcome.path)}: {outcome.reason}")
        else:
            self._counts["interruptions"] += 1
            self.say(f"Waiting: {outcome.reason}")
            return
        if outcome.left:
            self.say(f"{self._shown(outcome.path)}: still there: {outcome.left}")

    def _ask_for_workers(self) -> None:
        if not self._asked_for_workers and not local_workers.are_running():
            self.say("No worker is running yet; start one with: manage.py work")
        self._asked_for_workers = True

    def _summarize(self) -> None:
        counts = (f"{count} {what}" for what, count in sorted(self._counts.items()))
        self.say(f"Ended: {', '.join(counts) or 'nothing appeared'}.")

    def _shown(self, path: Path) -> str:
        return one_line(str(path.relative_to(self._folder_shown)))

    def _folder(self, given: Path) -> Path:
        folder = given.resolve()
        if not folder.is_dir():
            raise CommandError(f"{one_line(str(given))}: no such directory", returncode=USAGE)
        media = Path(settings.MEDIA_ROOT).resolve()
        if folder.is_relative_to(media) or media.is_relative_to(folder):
            raise CommandError(
                f"{one_line(str(given))}: holds, or is within, the stored recordings themselves",
                returncode=USAGE,
            )
        if not os.access(folder, os.W_OK):
            self.say("The folder cannot be written to: what is in it is handed in at each start.")
        return folder

    def _done(self, folder: Path, move_to: Path | None) -> Path:
        done = folder / DONE if move_to is None else move_to.resolve()
        if folder.is_relative_to(done):
            raise CommandError("--move-to would leave the files in the folder", returncode=USAGE)
        return done

    def _workspace(self, slug: str) -> Workspace:
        if not slug:
            return Workspace.objects.default()
        try:
            return Workspace.objects.get(slug=slug)
        except Workspace.DoesNotExist as error:
            raise CommandError(f"no workspace {slug!r}", returncode=USAGE) from error


def seconds(text: str) -> float:
    """Parse a number of seconds from 0 to a day."""
    number = float(text)
    if not 0 <= number <= 86_400 or math.isnan(number):
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 86400")
    return number
