"""``manage.py ask`` as its users call it."""

import io
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from pytest_django import Settings

from jobs.models import Job
from jobs.services.runner import JobRunner
from processing.choices import QUESTION_QUEUE, ResultStatus
from processing.knowledge.asking import streaming
from processing.knowledge.asking.answers import NO_CITATION, NO_MODEL
from processing.models import Question
from tests.factories.jobs import WorkerFactory
from tests.factories.knowledge import DocumentFactory, PassageFactory
from tests.fakes.text import FakeChat
from tests.processes import environment, manage, processes_of_this_test
from tests.providers.text_server import text_serving
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = "The budget for the bridge was approved [1][9]."
QUESTION = "What was decided about the bridge?"
PRINTED = (
    "The budget for the bridge was approved [1].\n\n"
    "[1] Council\N{REPLACEMENT CHARACTER}, 0:00-0:08\n"
    "    The budget for the bridge was approved.\n"
)

Ask = Callable[..., tuple[str, str]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _passage() -> None:
    PassageFactory.create(
        text="We met. The budget for the bridge was approved.",
        spoken=True,
        document=DocumentFactory.create(title="Council\x1b"),
    )


@pytest.fixture
def ask(settings: Settings) -> Ask:
    """Ask while a worker runs in a thread; return what the command said and what else it told."""
    settings.CHAT = FakeChat(lambda messages: GOOD)
    settings.EMBEDDINGS = None
    worker = WorkerFactory.create(queues=[QUESTION_QUEUE])

    def work() -> None:
        wait_for(lambda: Job.objects.ready().on_queue(QUESTION_QUEUE).exists())
        JobRunner(worker=worker).drain(QUESTION_QUEUE)
        connection.close()

    def call(*arguments: str, stdout: io.StringIO | None = None) -> tuple[str, str]:
        output, errors = stdout or io.StringIO(), io.StringIO()
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            call_command("ask", *arguments, stdout=output, stderr=errors)
        finally:
            thread.join(timeout=20)
        return output.getvalue(), errors.getvalue()

    return call


def test_answer_comes_from_workers_of_its_own_where_there_are_no_others() -> None:
    with text_serving() as server:
        server.script = lambda messages: GOOD

        done = manage(
            "ask", QUESTION, env={"CHAT_BASE_URL": server.url, "CHAT_MODEL": "chat-model"}
        )

    assert (done.returncode, done.stdout) == (0, PRINTED)
    assert "No worker is running; starting some" in done.stderr
    assert Question.objects.get().engine == "chat-model"
    assert processes_of_this_test() == []


def test_ctrl_c_cancels() -> None:
    WorkerFactory.create(queues=[QUESTION_QUEUE])  # it is said to live, and does nothing
    with subprocess.Popen(
        [sys.executable, "manage.py", "ask", QUESTION],
        cwd=django_settings.BASE_DIR,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(Question.objects.exists)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)

    assert (process.returncode, output) == (130, ""), errors
    assert "Cancelled." in errors
    assert Question.objects.get().status == ResultStatus.CANCELLED


def test_json_has_what_programs_need(ask: Ask) -> None:
    output, _ = ask(QUESTION, "--json", "--language", "en")

    body = json.loads(output)
    assert (body["question"], body["engine"]) == (QUESTION, "fake-chat")
    assert (body["status"], body["filters"]) == ("COMPLETED", {"language": "en"})
    assert body["answer"] == "The budget for the bridge was approved [1]."
    assert body["citations"][0]["quote"] == "The budget for the bridge was approved."


def test_without_a_model_the_passages_are_the_answer(ask: Ask, settings: Settings) -> None:
    settings.CHAT = None

    output, _ = ask(QUESTION)

    assert output.startswith(NO_MODEL)
    assert output.count("[1] Council") == 1


def test_terminal_shows_the_answer_once(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "PUBLISH_SECONDS", 0.0)

    output, errors = ask(QUESTION, stdout=Terminal())

    assert output == PRINTED
    assert errors == ""


def test_terminal_shows_that_an_answer_was_taken_back(
    ask: Ask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "PUBLISH_SECONDS", 0.0)
    terminal = Terminal()

    class Slow(FakeChat):
        def stream(self, messages: Any, *, max_tokens: int) -> Generator[str, None, None]:
            yield "All is"
            yield " well."
            wait_for(lambda: "All is" in terminal.getvalue(), seconds=10)

    settings.CHAT = Slow()

    output, errors = ask(QUESTION, stdout=terminal)

    assert output.startswith("All is")
    assert f"\n{NO_CITATION}" in output
    assert "The answer begins anew" in errors


def test_failure_says_why(ask: Ask, settings: Settings) -> None:
    settings.CHAT = FakeChat(context_tokens=100)

    with pytest.raises(CommandError, match="do not fit into 100 tokens") as failed:
        ask(QUESTION)

    assert failed.value.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(["?!"], "no word", id="no word"),
        pytest.param(["why " * 600], "at most 2,000", id="too long"),
        pytest.param(["why", "--document", "x"], "documents has an id", id="no id"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason) as refused:
        call_command("ask", *arguments)

    assert refused.value.returncode == 2
    assert not Question.objects.exists()


def test_what_waits_to_be_indexed_is_told(ask: Ask) -> None:
    DocumentFactory.create(pending=True)

    _, errors = ask(QUESTION)

    assert "does not know of 1 documents that wait to be indexed" in errors
