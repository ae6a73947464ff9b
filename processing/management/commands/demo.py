"""``manage.py demo``: see it work, from nothing, in a minute."""

import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jiwer
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from processing.choices import ProcessingStatus
from processing.management.follow import follow
from processing.management.migrating import ensure_migrated
from processing.models import Transcript, Workspace
from processing.services.inputs.submission import submit_recording
from processing.services.local_workers import WorkersDied, local_workers
from processing.services.progress import clock

RECORDING = Path(settings.BASE_DIR) / "processing" / "demo" / "longhand.flac"
WORKER_COUNT = 2


class Command(BaseCommand):
    help = "Transcribe the bundled recording with two workers and compare it with its text."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--engine", default="", help=f"engine to use (default: {settings.ENGINE})"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stderr.style_func = None  # most of what goes there is news, not errors
        ensure_migrated()
        started = time.monotonic()
        with RECORDING.open("rb") as file:
            submission = submit_recording(
                source=file,
                name=RECORDING.name,
                workspace=Workspace.objects.default(),
                engine=options["engine"],
            )
        recording, request = submission.recording, submission.request
        self.stderr.write(
            f"{RECORDING.relative_to(settings.BASE_DIR)}: "
            f"{clock(recording.duration_seconds or 0)} of speech"
        )
        if not request.is_cached:
            self.stderr.write(f"Starting {WORKER_COUNT} workers and a sweeper.")
        try:
            with nullcontext() if request.is_cached else local_workers(WORKER_COUNT) as workers:
                processing = follow(
                    request.processing,
                    description=RECORDING.name,
                    stream=sys.stderr,
                    check=workers.check if workers else lambda: None,
                )
                elapsed = time.monotonic() - started
        except WorkersDied as error:
            raise CommandError(str(error)) from error
        if processing.status != ProcessingStatus.COMPLETED:
            raise CommandError(f"{processing.status}: {processing.error_message}")
        transcript = Transcript.objects.get(pk=request.transcript.pk)
        self._print_transcript(transcript)
        self._print_summary(transcript, elapsed, is_cached=request.is_cached)

    def _print_transcript(self, transcript: Transcript) -> None:
        for segment in transcript.segments:
            self.stdout.write(f"{segment['start']:7.2f} {segment['end']:7.2f}  {segment['text']}")

    def _print_summary(self, transcript: Transcript, elapsed: float, *, is_cached: bool) -> None:
        reference = normalized(RECORDING.with_suffix(".txt").read_text())
        errors = jiwer.process_words(reference, normalized(transcript.text))
        count = errors.substitutions + errors.deletions + errors.insertions
        duration = transcript.duration_seconds or 0.0
        speed = (
            f"{elapsed:.1f} s, from the cache: nothing was transcribed again"
            if is_cached
            else f"{elapsed:.1f} s, {duration / elapsed:.1f}x real time"
        )
        self.stdout.write(
            f"\n{duration:.1f} s of speech in {speed}\n"
            f"{count} word errors in {len(reference.split())} words, engine {transcript.engine}\n"
            "\nGo on with:\n"
            "  make serve                                     the admin and the API\n"
            "  .venv/bin/python manage.py transcribe FILE...  a recording of your own\n"
        )


def normalized(text: str) -> str:
    """Return the words of ``text`` as engines write them: lower case, no punctuation."""
    kept = "".join(c if c.isalnum() or c == "'" else " " for c in text.casefold())
    return " ".join(kept.split())
