"""``manage.py translate ID --to LANGUAGE``: a document in another language, from a terminal."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from django.db.models import Q

from jobs.management.terminal import (
    FAILED,
    INTERRUPTED,
    USAGE,
    OperatorCommand,
    interruptible,
)
from processing.choices import TRANSLATION_QUEUE, ResultStatus
from processing.exceptions import ProcessingError
from processing.knowledge.documents import follow_transcript
from processing.knowledge.translating.exports import check_format, exported_translation, file_name
from processing.knowledge.translating.translations import cancel_translation, request_translation
from processing.management.migrating import ensure_migrated
from processing.management.names import one_line
from processing.management.result_follow import finished
from processing.management.results import ResultExists, Results
from processing.management.workers import OwnWorkers
from processing.models import Document, Transcript, Translation, Workspace
from processing.services.exports import FORMATS
from processing.services.local_workers import WorkersDied


class Command(OperatorCommand):
    help = (
        "Translate a document or a finished transcript of the default workspace, by who is "
        "configured: a chat engine (CHAT_*) or Argos. Prints the id of the translation, or with "
        "--wait the translation; with --output-dir it goes to a file. Ctrl-C cancels what this "
        "command started. Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=UUID, metavar="ID", help="of a document or a transcript")
        parser.add_argument(
            "--to", required=True, metavar="LANGUAGE", help="ISO 639-1 code, such as de, or a name"
        )
        parser.add_argument(
            "--format", choices=list(FORMATS), default="text", help="(default: %(default)s)"
        )
        parser.add_argument("--wait", action="store_true", help="wait, and print the translation")
        parser.add_argument(
            "--output-dir",
            type=Path,
            metavar="DIRECTORY",
            help="wait, and write a file there, named after the document",
        )
        parser.add_argument("--force", action="store_true", help="replace a file that is there")

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_migrated()
        document = self._document(options["id"])
        active = Translation.objects.of_document(document).active()
        under_way = set(active)
        try:
            with interruptible() as check_interrupt:
                translation = self._request(document, options)
                if not options["wait"] and options["output_dir"] is None:
                    self.stdout.write(str(translation.pk))
                    return
                self._wait(translation, check_interrupt)
        except KeyboardInterrupt:
            for started in set(active.all()) - under_way:
                self.say("\nCancelling.")
                cancel_translation(started)
            sys.exit(INTERRUPTED)
        if translation.status != ResultStatus.COMPLETED:
            reason = translation.error_message or translation.status.lower()
            raise CommandError(one_line(reason), returncode=FAILED)
        translation.refresh_from_db()
        self._deliver(translation, options)

    def _document(self, pk: UUID) -> Document:
        workspace = Workspace.objects.default()
        documents = Document.objects.in_workspace(workspace).without_content()
        document = documents.filter(Q(pk=pk) | Q(transcript=pk)).first()
        if document is not None:
            return document
        transcript = Transcript.objects.in_workspace(workspace).filter(pk=pk).first()
        if transcript is None or not transcript.is_readable:
            raise CommandError(
                f"there is no document or finished transcript {pk}", returncode=USAGE
            )
        return follow_transcript(transcript)

    def _request(self, document: Document, options: dict[str, Any]) -> Translation:
        try:
            check_format(document, options["format"])
            return request_translation(document=document, language=options["to"])
        except ProcessingError as error:
            raise CommandError(str(error), returncode=USAGE) from error

    def _wait(self, translation: Translation, check_interrupt: Callable[[], None]) -> None:
        with ExitStack() as stack:
            workers = OwnWorkers(stack, say=self.say, queue_names=[TRANSLATION_QUEUE])

            def check() -> None:
                check_interrupt()
                workers.check()

            try:
                for _ in finished(
                    [translation],
                    description=f"Translating into {translation.language}",
                    stream=sys.stderr,
                    check=check,
                ):
                    pass
            except WorkersDied as error:
                raise CommandError(str(error), returncode=FAILED) from error

    def _deliver(self, translation: Translation, options: dict[str, Any]) -> None:
        format_name, directory = options["format"], options["output_dir"]
        text = exported_translation(translation, format_name)
        if directory is None:
            self.stdout.write(text, ending="")
            return
        results = Results([format_name], is_replacing=options["force"])
        try:
            name = PurePath(file_name(translation, format_name))
            targets = results.claim(directory, name)
            results.write(targets[format_name], text)
        except (ResultExists, OSError) as error:
            raise CommandError(str(error), returncode=FAILED) from error
        self.say(f"{targets[format_name]}")
