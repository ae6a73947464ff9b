"""``manage.py transcribe SOURCE...``: the product's main job from a terminal."""

import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.management.arguments import positive
from processing.exceptions import ProcessingError
from processing.management.asking import add_request_arguments, request_of
from processing.management.delivery import (
    DONE,
    FAILED,
    INTERRUPTED,
    PARTIAL,
    USAGE,
    Delivery,
    Order,
)
from processing.management.follow import POLL_SECONDS, Board
from processing.management.migrating import ensure_migrated
from processing.management.names import one_line
from processing.management.results import ResultExists, Results, Targets, formats
from processing.management.sources import Source, UnusableSource, sources_of
from processing.management.workers import OwnWorkers
from processing.models import Workspace
from processing.services import local_workers
from processing.services.exports import FORMATS
from processing.services.inputs.addresses import AllowedHosts
from processing.services.inputs.fetching import DEFAULT_RULES, FetchRules, fetch_recording
from processing.services.inputs.submission import submit_recording
from processing.services.orchestrator import cancel_processing
from processing.services.requesting import TranscriptRequest

#: Formats of which two in one file are no longer that format.
ONE_RECORDING_FORMATS = ("srt", "vtt")


class Command(BaseCommand):
    help = (
        "Transcribe recordings: files, all that directories hold, and what http and https URLs "
        "lead to. The transcript goes to standard output, everything else to standard error; of "
        "several, JSON comes as one line each with the name of its file. With --output-dir or "
        "--beside, each goes to files of its own. Ctrl-C cancels what this command started. "
        "Exit status: 0 done, 1 failed, 2 wrong usage, 3 done with gaps, 130 interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "sources", nargs="+", metavar="SOURCE", help="audio or video file, directory or URL"
        )
        parser.add_argument(
            "--format",
            type=formats,
            action="extend",
            metavar="FORMAT[,FORMAT]",
            help=f"of: {', '.join(FORMATS)} (default: text)",
        )
        add_request_arguments(parser)
        places = parser.add_mutually_exclusive_group()
        places.add_argument(
            "--output-dir", type=Path, metavar="DIRECTORY", help="write files there, named alike"
        )
        places.add_argument(
            "--beside", action="store_true", help="write files beside the recordings"
        )
        parser.add_argument("--force", action="store_true", help="replace files that are there")
        parser.add_argument(
            "--no-wait",
            action="store_true",
            help="queue the work and print the transcripts' ids instead of the transcripts",
        )
        parser.add_argument(
            "--on-interrupt",
            choices=["cancel", "leave"],
            default="cancel",
            help="what Ctrl-C does with what this command started (default: %(default)s)",
        )
        parser.add_argument(
            "--allow-host",
            action="append",
            default=[],
            metavar="NAME_OR_NETWORK",
            help="fetch from there too though it is not on the public internet, such as "
            "intranet.example or 10.0.0.0/8",
        )
        parser.add_argument(
            "--allow-port",
            action="append",
            default=[],
            type=positive,
            metavar="PORT",
            help="fetch from that port too, besides 80 and 443",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stderr.style_func = None  # most of what goes there is news, not errors
        ensure_migrated()
        self._options = options
        self._formats: list[str] = options["format"] or ["text"]
        self._is_writing_files = options["beside"] or options["output_dir"] is not None
        self._rules = self._fetch_rules()
        sources = self._sources()
        self._results = Results(self._formats, is_replacing=options["force"])
        self._delivery = Delivery(
            self.stdout,
            self.stderr,
            results=self._results,
            format_name=self._formats[0],
            is_one_of_many=len(sources) > 1,
        )
        self._workspace = Workspace.objects.default()
        self._asked = request_of(options, self._workspace)
        codes = self._queue(sources) if options["no_wait"] else self._deliver(sources)
        if len(sources) > 1 and not options["no_wait"]:
            words = {DONE: "done", PARTIAL: "with gaps", FAILED: "failed"}
            counts = (f"{codes[code]} {word}" for code, word in words.items() if codes[code])
            self.stderr.write(f"{', '.join(counts)}.")
        for code in (FAILED, PARTIAL):
            if codes[code]:
                sys.exit(code)

    def _fetch_rules(self) -> FetchRules:
        try:
            return FetchRules(
                allowed=AllowedHosts.parse(self._options["allow_host"]),
                ports=DEFAULT_RULES.ports | set(self._options["allow_port"]),
            )
        except ValueError as error:
            raise CommandError(f"--allow-host: {error}", returncode=USAGE) from error

    def _sources(self) -> list[Source]:
        try:
            sources = sources_of(self._options["sources"])
        except UnusableSource as error:
            raise CommandError(str(error), returncode=USAGE) from error
        wrong = ""
        if self._is_writing_files:
            if self._options["no_wait"]:
                wrong = "--no-wait writes no transcripts"
            elif self._options["beside"] and not all(source.path for source in sources):
                wrong = "nothing lies beside a URL; say where to with --output-dir"
        elif len(self._formats) > 1:
            wrong = "several formats need --output-dir or --beside"
        elif len(sources) > 1 and self._formats[0] in ONE_RECORDING_FORMATS:
            wrong = f"{self._formats[0]} holds one recording; several need --output-dir or --beside"
        if wrong:
            raise CommandError(wrong, returncode=USAGE)
        return sources

    def _queue(self, sources: list[Source]) -> Counter[int]:
        codes: Counter[int] = Counter()
        with Board(sys.stderr) as board:
            for source in sources:
                order = self._hand_in(source, board)
                codes[FAILED if order is None else DONE] += 1
                if order is not None:
                    self.stdout.write(str(order.request.transcript.pk))
        if codes[DONE] and not local_workers.are_running():
            self.stderr.write("No worker is running yet; start one with: manage.py work")
        return codes

    def _deliver(self, sources: list[Source]) -> Counter[int]:
        """Hand all in and write each transcript once it is there; count the exit codes."""
        codes: Counter[int] = Counter()
        orders: list[Order] = []
        with ExitStack() as stack, Board(sys.stderr) as board:

            def say(news: str) -> None:
                with board.cleared():
                    self.stderr.write(news)

            workers = OwnWorkers(stack, say=say)
            try:
                for source in sources:
                    order = self._hand_in(source, board)
                    if order is None:
                        codes[FAILED] += 1
                        continue
                    orders.append(order)
                    board.add(order.request.processing, description=order.shown)
                    if board.look():
                        workers.check()
                    codes += self._write_finished(orders, board)
                while orders:
                    if board.look():
                        workers.check()
                        time.sleep(POLL_SECONDS)
                    codes += self._write_finished(orders, board)
            except local_workers.WorkersDied as error:
                raise CommandError(str(error), returncode=FAILED) from error
            except KeyboardInterrupt:
                with board.cleared():
                    self._interrupted(orders)
                sys.exit(INTERRUPTED)
        return codes

    def _hand_in(self, source: Source, board: Board) -> Order | None:
        try:
            if source.path is None:
                return self._fetch(source, board)
            targets = self._claim(source.path.parent, source.place)
            with source.path.open("rb") as file:
                return Order(source, self._request(source.path.name, file), targets)
        except (ProcessingError, ResultExists, OSError) as error:
            with board.cleared():
                self._delivery.complain(source.shown, str(error))
            return None

    def _fetch(self, source: Source, board: Board) -> Order:
        show_at = 0.0

        def show(done_bytes: int, size_bytes: int | None) -> None:
            nonlocal show_at
            if time.monotonic() >= show_at:
                show_at = time.monotonic() + POLL_SECONDS
                whole = "" if size_bytes is None else f" of {size_bytes / 1e6:.1f}"
                board.status = f"{one_line(source.shown)}: {done_bytes / 1e6:.1f}{whole} MB"
                board.show()

        try:
            with fetch_recording(source.url, rules=self._rules, on_progress=show) as file:
                name = file.name or ""
                targets = self._claim(Path(), PurePath(name))
                return Order(source, self._request(name, file, file.sha256), targets)
        finally:
            board.status = ""

    def _claim(self, beside: Path, place: PurePath) -> Targets:
        if not self._is_writing_files:
            return {}
        if self._options["beside"]:
            return self._results.claim(beside, PurePath(place.name))
        return self._results.claim(self._options["output_dir"], place)

    def _request(self, name: str, file: Any, sha256: str | None = None) -> TranscriptRequest:
        return submit_recording(
            source=file,
            name=name,
            workspace=self._workspace,
            sha256=sha256,
            **self._asked,
        ).request

    def _interrupted(self, orders: list[Order]) -> None:
        """Stop what this command started, or leave it; say what goes on."""
        running = [order for order in orders if order.request.processing.is_active]
        is_cancelling = self._options["on_interrupt"] == "cancel"
        if is_cancelling:
            self.stderr.write("\nCancelling.")
        for order in running:
            if is_cancelling and order.request.is_started:
                cancel_processing(order.request.processing)
            else:
                self.stderr.write(f"{order.shown}: goes on, wherever a worker runs")

    def _write_finished(self, orders: list[Order], board: Board) -> Counter[int]:
        """Write and remove what is over; on standard output in the order given."""
        finished = []
        for order in orders:
            if not order.request.processing.is_active:
                finished.append(order)
            elif not self._is_writing_files:
                break
        codes: Counter[int] = Counter()
        for order in finished:
            orders.remove(order)
            with board.cleared():
                codes[self._delivery.deliver(order)] += 1
        return codes
