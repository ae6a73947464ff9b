"""``manage.py summarize ID...``: documents in short, from a terminal."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from jobs.management.terminal import (
    FAILED,
    INTERRUPTED,
    USAGE,
    OperatorCommand,
    interruptible,
)
from processing.choices import SUMMARIZATION_QUEUE, ResultStatus
from processing.exceptions import ProcessingError
from processing.knowledge.summarizing.summaries import (
    cancel_summary,
    documents_without_summary,
    request_summary,
    uncovered,
)
from processing.management.migrating import ensure_migrated
from processing.management.names import one_line
from processing.management.result_follow import finished
from processing.management.workers import OwnWorkers
from processing.models import Document, Summary, Workspace
from processing.services.local_workers import WorkersDied

DONE, PARTIAL = 0, 3


class Command(OperatorCommand):
    help = (
        "Summarise documents and transcripts of the default workspace: with the language model "
        "that is configured (CHAT_*), else in sentences of their own. Prints the ids of the "
        "summaries, or with --wait the summaries. Ctrl-C cancels what this command started. "
        "Exit status: 0 done, 1 failed, 2 wrong usage, 3 done with parts missing, 130 interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "ids", nargs="*", type=UUID, metavar="ID", help="of a document or a transcript"
        )
        parser.add_argument(
            "--all-missing",
            action="store_true",
            help="all documents that have no summary of what they say now",
        )
        parser.add_argument(
            "--anew", action="store_true", help="also those that have been summarised"
        )
        parser.add_argument("--wait", action="store_true", help="wait, and print the summaries")
        parser.add_argument(
            "--dry-run", action="store_true", help="print what would be summarised, and do nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["ids"]) == options["all_missing"]:
            raise CommandError("name documents, or say --all-missing", returncode=USAGE)
        ensure_migrated()
        self._codes: Counter[int] = Counter()
        self._started: list[Summary] = []
        self._is_searching = options["all_missing"]
        workspace = Workspace.objects.default()
        documents = (
            documents_without_summary(workspace).iterator()
            if options["all_missing"]
            else self._named(workspace, options["ids"])
        )
        if options["dry_run"]:
            for document in documents:
                self.stdout.write(f"{document.pk}  {one_line(document.title)}")
            return
        try:
            with interruptible() as self._check_interrupt:
                summaries = list(self._asked(documents, anew=options["anew"]))
                if options["wait"]:
                    self._print(summaries, is_one_of_many=len(options["ids"]) != 1)
        except KeyboardInterrupt:
            self.say("\nCancelling.")
            for summary in self._started:
                cancel_summary(summary)
            sys.exit(INTERRUPTED)
        if not options["wait"]:
            for summary in summaries:
                self.stdout.write(str(summary.pk))
        for code in (FAILED, PARTIAL):
            if self._codes[code]:
                sys.exit(code)

    def _named(self, workspace: Workspace, ids: list[UUID]) -> list[Document]:
        documents = Document.objects.in_workspace(workspace).without_content()
        named = {
            key: document
            for document in documents.filter(pk__in=ids) | documents.filter(transcript__in=ids)
            for key in (document.pk, document.transcript_id)
        }
        if missing := [str(pk) for pk in ids if pk not in named]:
            raise CommandError(
                f"there is no document or finished transcript {', '.join(missing)}",
                returncode=USAGE,
            )
        return list(dict.fromkeys(named[pk] for pk in ids))

    def _asked(self, documents: Any, *, anew: bool) -> Iterator[Summary]:
        for document in documents:
            self._check_interrupt()
            active = set(Summary.objects.of_document(document).active())
            try:
                summary = request_summary(document=document, anew=anew)
            except ProcessingError as error:
                self._say_of(document, str(error))
                if not self._is_searching:  # who names a document wants it, and is told
                    self._codes[FAILED] += 1
                continue
            if summary.is_active and summary not in active:
                self._started.append(summary)
            yield summary

    def _print(self, summaries: list[Summary], *, is_one_of_many: bool) -> None:
        with ExitStack() as stack:
            workers = OwnWorkers(stack, say=self.say, queue_names=[SUMMARIZATION_QUEUE])

            def check() -> None:
                self._check_interrupt()
                workers.check()

            try:
                for summary in finished(
                    summaries,
                    description="Summarising",
                    stream=sys.stderr,
                    check=check,
                ):
                    self._show(summary, is_one_of_many=is_one_of_many)
            except WorkersDied as error:
                raise CommandError(str(error), returncode=FAILED) from error

    def _show(self, summary: Summary, *, is_one_of_many: bool) -> None:
        if summary.status != ResultStatus.COMPLETED:
            self._say_of(summary.document, summary.error_message or summary.status.lower())
            self._codes[FAILED] += 1
            return
        summary.refresh_from_db()
        if is_one_of_many:
            self.stdout.write(f"# {one_line(summary.document.title)}", ending="\n\n")
        self.stdout.write(summary.text, ending="\n\n" if is_one_of_many else "\n")
        self.stdout.flush()
        gaps = uncovered(summary)
        for start, end in gaps:
            unit = "characters" if summary.document.transcript_id is None else "s"
            self._say_of(summary.document, f"nothing of {start:.0f} to {end:.0f} {unit}")
        self._codes[PARTIAL if gaps else DONE] += 1

    def _say_of(self, document: Document, news: str) -> None:
        self.say(f"{one_line(document.title)}: {one_line(news)}")
