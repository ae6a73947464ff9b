"""``manage.py transcribe FILE...``: the product's main job from a terminal."""

import json
import stat
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper

from processing.choices import ProcessingStatus
from processing.engines.registry import engine_names
from processing.exceptions import ProcessingError
from processing.management.follow import follow
from processing.management.migrating import ensure_migrated
from processing.models import Workspace
from processing.services import local_workers
from processing.services.exports import FORMATS, as_dict
from processing.services.orchestrator import TranscriptRequest, cancel_processing, choose_engine
from processing.services.submission import submit_recording

DONE, FAILED, USAGE, PARTIAL = 0, 1, 2, 3
INTERRUPTED = 130

#: Formats of which two in one file are no longer that format.
ONE_RECORDING_FORMATS = ("srt", "vtt")


class Command(BaseCommand):
    help = (
        "Transcribe recordings. The transcript goes to standard output, everything else to "
        "standard error; of several, JSON comes as one line each with the name of its file. "
        "Exit status: 0 done, 1 failed, 2 wrong usage, 3 done with gaps, 130 interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="audio or video file")
        parser.add_argument("--format", choices=list(FORMATS), default="text")
        parser.add_argument(
            "--language", default="", help="ISO 639-1 code, such as en (default: the engine's)"
        )
        parser.add_argument(
            "--engine",
            default="",
            help=f"one of: {', '.join(engine_names())} (default: {settings.ENGINE})",
        )
        parser.add_argument(
            "--no-wait",
            action="store_true",
            help="queue the work and print the transcripts' ids instead of the transcripts",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stderr.style_func = None  # most of what goes there is news, not errors
        ensure_migrated()
        paths = [self._readable(name) for name in options["files"]]
        if len(paths) > 1 and options["format"] in ONE_RECORDING_FORMATS:
            raise CommandError(
                f"{options['format']} holds one recording; give one FILE at a time",
                returncode=USAGE,
            )
        self._check_engine(options["engine"], options["language"])
        failed: set[int] = set()
        requests: list[tuple[Path, TranscriptRequest]] = []
        for path in paths:
            try:
                requests.append((path, self._request(path, options)))
            except (ProcessingError, OSError) as error:
                failed.add(self._complain(path, str(error)))
        if options["no_wait"]:
            for _, request in requests:
                self.stdout.write(str(request.transcript.pk))
            if requests and not local_workers.are_running():
                self.stderr.write("No worker is running yet; start one with: manage.py work")
        else:
            failed |= self._deliver(requests, options["format"])
        for code in (FAILED, PARTIAL):
            if code in failed:
                sys.exit(code)

    def _readable(self, name: str) -> Path:
        path = Path(name)
        try:
            mode = path.stat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise ValueError("not a regular file")
            with path.open("rb"):
                return path
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise CommandError(f"{one_line(name)}: {reason}", returncode=USAGE) from error

    def _check_engine(self, name: str, language: str) -> None:
        try:
            choose_engine(name, language)
        except ProcessingError as error:
            raise CommandError(str(error), returncode=USAGE) from error

    def _request(self, path: Path, options: dict[str, Any]) -> TranscriptRequest:
        with path.open("rb") as file:
            submission = submit_recording(
                source=file,
                name=path.name,
                workspace=Workspace.objects.default(),
                engine=options["engine"],
                language=options["language"],
            )
        return submission.request

    def _deliver(self, requests: list[tuple[Path, TranscriptRequest]], fmt: str) -> set[int]:
        """Wait for each in turn and write it; return the exit codes of those that went wrong."""
        codes: set[int] = set()
        with ExitStack() as stack:
            workers = _Workers(stack, self.stderr)
            try:
                for path, request in requests:
                    follow(
                        request.processing,
                        description=one_line(path.name),
                        stream=sys.stderr,
                        check=workers.check,
                    )
                    codes.add(self._write(path, request, fmt, is_one_of_many=len(requests) > 1))
            except local_workers.WorkersDied as error:
                raise CommandError(str(error), returncode=FAILED) from error
            except KeyboardInterrupt:
                self.stderr.write("\nCancelling.")
                for _, request in requests:
                    if request.is_started:
                        cancel_processing(request.processing)
                sys.exit(INTERRUPTED)
        return codes - {DONE}

    def _write(
        self, path: Path, request: TranscriptRequest, fmt: str, *, is_one_of_many: bool
    ) -> int:
        processing, transcript = request.processing, request.transcript
        if processing.status in (ProcessingStatus.FAILED, ProcessingStatus.CANCELLED):
            return self._complain(path, processing.error_message or processing.status.lower())
        transcript.refresh_from_db()
        if is_one_of_many and fmt == "json":
            line = json.dumps({"file": str(path)} | as_dict(transcript), ensure_ascii=False)
            self.stdout.write(line)
        else:
            self.stdout.write(FORMATS[fmt][1](transcript), ending="\n" if is_one_of_many else "")
        self.stdout.flush()
        if not transcript.text:
            self.stderr.write(f"{one_line(path.name)}: no speech was heard")
        if request.is_cached:
            self.stderr.write(f"{one_line(path.name)}: from the cache")
        for gap in transcript.gaps:
            self.stderr.write(
                f"{one_line(path.name)}: nothing from {gap['start']:.1f} s to "
                f"{gap['end']:.1f} s ({gap['reason']})"
            )
        return PARTIAL if processing.status == ProcessingStatus.PARTIAL else DONE

    def _complain(self, path: Path, reason: str) -> int:
        self.stderr.write(f"{one_line(str(path))}: {reason}")
        return FAILED


class _Workers:
    """Sees to it that somebody works while we wait: workers of our own when nobody else does."""

    def __init__(self, stack: ExitStack, stderr: OutputWrapper) -> None:
        self._stack = stack
        self._stderr = stderr
        self._own: local_workers.LocalWorkers | None = None
        self._look_at = 0.0

    def check(self) -> None:
        """Start workers when none live; raise ``WorkersDied`` when ours have ended."""
        if self._own is not None:
            self._own.check()
        elif time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + 1.0
            if not local_workers.are_running():
                self._stderr.write("No worker is running; starting some for this call.")
                self._own = self._stack.enter_context(local_workers.local_workers())


def one_line(name: str) -> str:
    """Return a file's name as it may be shown: control characters would break the line."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
