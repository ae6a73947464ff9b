"""``manage.py ask "QUESTION"``: an answer from the documents, with what it rests on."""

import json
import sys
from contextlib import ExitStack
from typing import Any

from django.core.management.base import CommandError, CommandParser

from jobs.management.terminal import (
    FAILED,
    INTERRUPTED,
    USAGE,
    OperatorCommand,
    interruptible,
)
from processing.choices import QUESTION_QUEUE
from processing.exceptions import InvalidQuery
from processing.knowledge.asking.answers import ask, cancel_question, checked_question
from processing.knowledge.asking.filters import checked_filters
from processing.knowledge.asking.prompts import place_of
from processing.knowledge.asking.streaming import DELTA, listen
from processing.live.events import DONE, RESTART, Event
from processing.management.migrating import ensure_migrated
from processing.management.names import one_line
from processing.management.workers import OwnWorkers
from processing.models import Document, Question, Workspace
from processing.services.local_workers import WorkersDied

#: How often to see whether somebody works, and still wants to know, while nothing is heard.
CHECK_SECONDS = 0.5


class Command(OperatorCommand):
    help = (
        "Answer a question from the documents of the default workspace, with the places that the "
        "answer rests on; on a terminal, while it is written. Without a language model (CHAT_*) "
        "the answer is the passages nearest to the question. Ctrl-C cancels. "
        "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("question", metavar="QUESTION")
        parser.add_argument(
            "--document",
            action="append",
            default=[],
            metavar="ID",
            help="answer from this document; may be given several times",
        )
        parser.add_argument(
            "--language", default="", help="answer from documents in it: ISO 639-1, such as en"
        )
        parser.add_argument(
            "--topic", default="", metavar="SLUG", help="answer from documents about it"
        )
        parser.add_argument(
            "--json", action="store_true", help="print question, answer and citations as JSON"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_migrated()
        self._is_live = self.stdout.isatty() and not options["json"]
        self._printed = ""
        filters = {
            "documents": options["document"],
            "language": options["language"],
            "topic": options["topic"],
        }
        try:
            asked = checked_question(options["question"])
            wanted = checked_filters({name: value for name, value in filters.items() if value})
        except InvalidQuery as error:
            raise CommandError(str(error), returncode=USAGE) from error
        question, last = self._answered(asked, wanted)
        if last.name != DONE:
            raise CommandError(last.data["message"], returncode=FAILED)
        if options["json"]:
            question.refresh_from_db()
            self.stdout.write(json.dumps(_as_dict(question, last), ensure_ascii=False, indent=2))
        else:
            self._print_answer(last)

    def _answered(self, text: str, filters: dict[str, Any]) -> tuple[Question, Event]:
        """Ask, and return how it ended; meanwhile print what is written, and have somebody work."""
        workspace = Workspace.objects.default()
        if waiting := Document.objects.in_workspace(workspace).pending().count():
            self.say(f"The answer does not know of {waiting} documents that wait to be indexed.")
        with ExitStack() as stack, interruptible() as check_interrupt:
            question = ask(workspace=workspace, text=text, filters=filters)
            workers = OwnWorkers(stack, say=self.say, queue_names=[QUESTION_QUEUE])
            try:
                workers.check()
                for event in listen(question.pk, heartbeat_seconds=CHECK_SECONDS):
                    check_interrupt()
                    self._show(event)
                    workers.check()
            except WorkersDied as error:
                cancel_question(question)
                raise CommandError(str(error), returncode=FAILED) from error
            except KeyboardInterrupt:
                cancel_question(question)
                self.say("\nCancelled.")
                sys.exit(INTERRUPTED)
        return question, event

    def _show(self, event: Event) -> None:
        if not self._is_live:
            return
        if event.name == DELTA:
            self._printed += event.data["text"]
            self.stdout.write(event.data["text"], ending="")
            self.stdout.flush()
        elif event.name == RESTART and self._printed:
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._printed = ""
        self.stdout.write("")
        self.say("The answer begins anew:")

    def _print_answer(self, done: Event) -> None:
        """Print what is not printed yet: all of it where the answer is another in the end."""
        answer: str = done.data["answer"]
        if self._printed and not answer.startswith(self._printed.rstrip()):
            self._begin_anew()
        self.stdout.write(answer[len(self._printed) :])
        if done.data["is_extractive"]:
            return  # it says itself where it is from
        for one in done.data["citations"]:
            place = place_of(one["start"], one["end"])
            heading = f"{one['title']}, {place}" if place else one["title"]
            quote = " ".join(one["quote"].split())
            self.stdout.write(f"\n[{one['number']}] {one_line(heading)}\n    {one_line(quote)}")


def _as_dict(question: Question, done: Event) -> dict[str, Any]:
    return {
        "id": str(question.pk),
        "question": question.text,
        "filters": question.filters,
        "engine": question.engine,
        **done.data,
    }
