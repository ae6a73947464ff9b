"""Answers as workers make them with a chat server, and what is heard of them meanwhile."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django import Settings

from jobs.choices import JobStatus
from jobs.models import Job
from jobs.services.retry import RetryHandler
from jobs.services.runner import JobRunner
from processing.choices import QUESTION_QUEUE, ResultStatus
from processing.knowledge.asking.answers import NO_CITATION, ask
from processing.knowledge.asking.prompts import NOT_FOUND
from processing.knowledge.asking.streaming import DELTA, listen
from processing.live.events import DONE, FAILED, RESTART, Event
from processing.models import Question, Workspace
from tests.caching.servers import OwnRedis
from tests.factories.jobs import WorkerFactory
from tests.factories.knowledge import PassageFactory
from tests.providers.server import answering, refusing
from tests.providers.text_server import (
    TextServer,
    breaking_off,
    chunks_of,
    never,
    saying,
    streaming,
    text_serving,
)
from tests.waiting import wait_for

#: A runner looks after its connection between jobs, which it can only outside of a transaction.
pytestmark = pytest.mark.django_db(transaction=True)

GOOD = "The budget for the bridge was approved [1]. Nobody objected [7]."


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TextServer]:
    """A chat server, and one passage about a bridge; every piece is sent by itself."""
    monkeypatch.setattr("processing.knowledge.asking.streaming.PUBLISH_SECONDS", 0.0)
    PassageFactory.create(text="The budget for the bridge was approved.")
    with text_serving() as server:
        settings.CHAT = server.chat_settings(TIMEOUT_SECONDS=0.5)
        settings.EMBEDDINGS = None
        server.script = lambda messages: GOOD
        yield server


@pytest.fixture
def question(server: TextServer) -> Question:
    return ask(workspace=Workspace.objects.default(), text="What of the bridge?")


@pytest.fixture
def heard(question: Question) -> Iterator[Callable[[], list[Event]]]:
    """Listen from the beginning on; what is returned has all that was heard by now."""
    events: list[Event] = []

    def follow() -> None:
        events.extend(listen(question.pk))
        connection.close()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    yield lambda: list(events)
    Question.objects.filter(pk=question.pk).delete()
    thread.join(timeout=20)
    assert not thread.is_alive()


def work() -> None:
    """Do what is ready, as a worker that tries again at once."""
    Job.objects.filter(status=JobStatus.SCHEDULED).update(available_at=Now())
    Job.objects.promote()
    retry = RetryHandler(base_seconds=0.0)
    JobRunner(worker=WorkerFactory.create(), retry_handler=retry).drain(QUESTION_QUEUE)


def texts(events: list[Event]) -> list[str]:
    return [event.data["text"] if event.name == DELTA else event.name for event in events]


def test_numbers_right_and_wrong_from_a_server(question: Question) -> None:
    work()

    question.refresh_from_db()
    assert question.answer == "The budget for the bridge was approved [1]. Nobody objected."
    assert [one["number"] for one in question.citations] == [1]
    assert question.engine == "chat-model"


def test_answer_is_heard_while_it_is_written(
    server: TextServer, question: Question, heard: Callable[[], list[Event]]
) -> None:
    chunks = chunks_of({"content": GOOD})

    def wait_until_the_first_was_heard(number: int) -> None:
        if number == len(chunks) - 4:
            wait_for(heard, seconds=10)

    server.will(streaming(*chunks, before_each=wait_until_the_first_was_heard))

    work()

    events = wait_for(lambda: heard() if DONE in texts(heard()) else [])
    *pieces, last = texts(events)
    assert last == DONE
    assert events[-1].data["answer"].startswith("".join(pieces))
    assert pieces


def test_answer_that_breaks_off_is_begun_anew(
    server: TextServer, question: Question, heard: Callable[[], list[Event]]
) -> None:
    server.will(breaking_off("The tunnel was never", after=3))

    work()
    broken = wait_for(heard)
    question.refresh_from_db()
    status = question.status
    chunks = chunks_of({"content": GOOD})

    def wait_until_the_restart_was_heard(number: int) -> None:
        if number == len(chunks) - 4:
            wait_for(lambda: RESTART in texts(heard()), seconds=10)

    server.will(streaming(*chunks, before_each=wait_until_the_restart_was_heard))
    work()

    events = wait_for(lambda: heard() if DONE in texts(heard()) else [])
    question.refresh_from_db()
    assert "The tunnel was never".startswith("".join(texts(broken)))
    assert status == ResultStatus.PROCESSING
    assert RESTART in texts(events)
    assert question.answer.startswith("The budget for the bridge was approved [1].")


def test_server_that_never_answers_fails_the_question_in_the_end(
    server: TextServer, question: Question
) -> None:
    stopped = threading.Event()
    server.always(never(stopped))
    Job.objects.about(question.pk).update(max_attempts=1)

    work()
    stopped.set()

    question.refresh_from_db()
    assert (question.status, question.error_code) == (ResultStatus.FAILED, "provider_unavailable")
    assert [event.name for event in listen(question.pk)] == [FAILED]


@pytest.mark.parametrize(
    ("status", "job_status", "question_status"),
    [
        pytest.param(400, JobStatus.FAILED, ResultStatus.FAILED, id="will not pass"),
        pytest.param(503, JobStatus.SCHEDULED, ResultStatus.PROCESSING, id="may pass"),
    ],
)
def test_refusal_is_judged_by_what_it_is(
    server: TextServer,
    question: Question,
    status: int,
    job_status: JobStatus,
    question_status: ResultStatus,
) -> None:
    server.always(refusing(status))

    work()

    question.refresh_from_db()
    job = Job.objects.about(question.pk).get()
    assert (job.status, question.status) == (job_status, question_status)
    assert question.error_code == ("provider_refused" if status == 400 else "")


def test_nonsense_from_a_server_is_tried_again(server: TextServer, question: Question) -> None:
    server.will(answering("<html>Bad Gateway</html>"))

    work()
    job = Job.objects.about(question.pk).get()
    work()

    question.refresh_from_db()
    assert (job.status, job.error_code) == (JobStatus.SCHEDULED, "bad_answer")
    assert question.status == ResultStatus.COMPLETED


def test_sign_for_no_answer_is_not_heard(
    server: TextServer, question: Question, heard: Callable[[], list[Event]]
) -> None:
    server.will(saying(f"{NOT_FOUND}."))

    work()

    assert texts(wait_for(heard)) == [DONE]


def test_answer_without_citation_is_taken_back(
    server: TextServer, question: Question, heard: Callable[[], list[Event]]
) -> None:
    chunks = chunks_of({"content": "All of it is well and good [9]."})

    def wait_until_the_first_was_heard(number: int) -> None:
        if number == len(chunks) - 3:
            wait_for(heard, seconds=10)

    server.will(streaming(*chunks, before_each=wait_until_the_first_was_heard))

    work()

    events = wait_for(lambda: heard() if DONE in texts(heard()) else [])
    assert texts(events)[0].startswith("All")
    assert events[-1].data["answer"].startswith(NO_CITATION)
    assert events[-1].data["is_extractive"]


def test_redis_that_goes_while_an_answer_is_written_takes_nothing_with_it(
    server: TextServer, question: Question, settings: Settings
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        own = OwnRedis(Path(directory))
        settings.REDIS_URL = own.url

        def kill(number: int) -> None:
            if number == 4:
                own.kill()

        server.will(streaming(*chunks_of({"content": GOOD}), before_each=kill))

        work()
        own.stop()

    question.refresh_from_db()
    assert question.status == ResultStatus.COMPLETED
    assert [event.name for event in listen(question.pk)] == [DONE]
