"""Asking the documents through the API, and hearing the answer while it is written."""

import json
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from jobs.choices import JobStatus
from jobs.models import Job
from processing.api import questions
from processing.choices import ResultStatus
from processing.knowledge.asking import streaming
from processing.knowledge.asking.answers import MAX_QUESTION_CHARACTERS, ask
from processing.knowledge.asking.streaming import AnswerStream
from processing.models import Question, Workspace
from tests.api.test_recordings import assert_problem
from tests.commands.test_serve import answers, free_port
from tests.factories.knowledge import QuestionFactory
from tests.factories.processing import WorkspaceFactory
from tests.processes import environment
from tests.queries import queries_of
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db

QUESTIONS = "/api/v1/questions/"


def post(api: APIClient, **body: Any) -> Any:
    return api.post(QUESTIONS, body, format="json")


def heard(api: APIClient, question: Question, last_event_id: str = "") -> list[dict[str, str]]:
    """Listen as a browser does, to the end."""
    headers = {"Accept": "text/event-stream"}
    if last_event_id:
        headers["Last-Event-ID"] = last_event_id
    response: Any = api.get(f"{QUESTIONS}{question.pk}/stream/", headers=headers)
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode()
    return parsed(text)


def parsed(text: str) -> list[dict[str, str]]:
    """Return the fields of each event in a stream, as the HTML standard reads them."""
    blocks = [block.split("\n") for block in text.split("\n\n") if block]
    return [
        {name: value.removeprefix(" ") for name, _, value in (line.partition(":") for line in one)}
        for one in blocks
    ]


def names(events: list[dict[str, str]]) -> list[str]:
    return [event["event"] for event in events if "event" in event]


# Asking


def test_question_is_taken_and_says_where_its_answer_will_be(api: APIClient) -> None:
    response = post(api, text=" Where does the river rise? ")

    body = response.json()
    question = Question.objects.get()
    assert response.status_code == 202
    assert (body["id"], body["text"]) == (str(question.pk), "Where does the river rise?")
    assert (body["status"], body["answer"], body["citations"]) == ("PENDING", "", [])
    assert response["Location"] == body["links"]["self"]
    assert body["links"]["self"].endswith(f"{QUESTIONS}{question.pk}/")
    assert body["links"]["stream"].endswith(f"{QUESTIONS}{question.pk}/stream/")
    assert question.created_by is not None
    assert Job.objects.about(question.pk).get().status == JobStatus.QUEUED


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param({}, "invalid", id="nothing"),
        pytest.param({"text": 5.5, "filters": []}, "invalid", id="filters are a list"),
        pytest.param({"text": " ?! "}, "invalid_query", id="no word"),
        pytest.param({"text": "a" * 10_000}, "invalid_query", id="10,000 characters"),
        pytest.param({"text": "Why?", "filters": {"nonsense": 1}}, "invalid_query", id="filter"),
        pytest.param({"text": "a\0?", "filters": {}}, "invalid", id="null character"),
    ],
)
def test_what_is_no_question_is_refused(api: APIClient, body: dict[str, Any], code: str) -> None:
    assert_problem(post(api, **body), 400, code)

    assert not Question.objects.exists()


def test_limit_is_named(api: APIClient) -> None:
    problem = assert_problem(post(api, text="a" * 10_000), 400, "invalid_query")

    assert f"{MAX_QUESTION_CHARACTERS:,}" in problem["detail"]


# Reading


def test_answer_comes_with_what_it_rests_on(api: APIClient) -> None:
    question = QuestionFactory.create(completed=True)

    body = api.get(f"{QUESTIONS}{question.pk}/").json()

    assert (body["status"], body["answer"]) == ("COMPLETED", question.answer)
    assert body["citations"] == question.citations
    assert (body["is_extractive"], body["error"]) == (False, None)


def test_failure_says_why(api: APIClient) -> None:
    question = QuestionFactory.create(failed=True)

    error = api.get(f"{QUESTIONS}{question.pk}/").json()["error"]

    assert error == {"code": "provider_refused", "message": "the provider refused with 400"}


def test_list_is_filtered_and_leaves_answers_out(api: APIClient) -> None:
    QuestionFactory.create(failed=True)
    found = QuestionFactory.create(completed=True, text="What of the Bridge?")
    QuestionFactory.create(text="What of the bridge?")

    items = api.get(QUESTIONS, {"status": "COMPLETED", "search": "bridge"}).json()["items"]

    assert [item["id"] for item in items] == [str(found.pk)]
    assert "answer" not in items[0]


def test_list_costs_the_same_however_long_it_is(api: APIClient) -> None:
    QuestionFactory.create_batch(2, completed=True)
    few = queries_of(lambda: api.get(QUESTIONS))
    QuestionFactory.create_batch(5, completed=True)

    assert len(queries_of(lambda: api.get(QUESTIONS))) == len(few)


@pytest.mark.parametrize("path", ["", "stream/"])
def test_question_of_another_workspace_is_not_there(api: APIClient, path: str) -> None:
    question = QuestionFactory.create(completed=True, workspace=WorkspaceFactory.create())

    assert_problem(api.get(f"{QUESTIONS}{question.pk}/{path}"), 404, "not_found")
    assert api.get(QUESTIONS).json()["items"] == []


# Changing


def test_question_is_cancelled_once(api: APIClient) -> None:
    question = QuestionFactory.create(begun=True)

    first = api.post(f"{QUESTIONS}{question.pk}/cancel/")
    second = api.post(f"{QUESTIONS}{question.pk}/cancel/")

    assert (first.status_code, first.json()["status"]) == (200, "CANCELLED")
    assert "CANCELLED" in assert_problem(second, 409, "already_over")["detail"]


def test_question_is_deleted_with_its_work(api: APIClient) -> None:
    question = ask(workspace=Workspace.objects.default(), text="Why?")

    response = api.delete(f"{QUESTIONS}{question.pk}/")

    assert response.status_code == 204
    assert not Question.objects.exists()
    assert Job.objects.about(question.pk).get().status == JobStatus.CANCELLED


def test_viewers_ask_and_change_nothing(viewer: APIClient) -> None:
    question = QuestionFactory.create(completed=True)

    assert viewer.get(f"{QUESTIONS}{question.pk}/").status_code == 200
    assert post(viewer, text="Why?").status_code == 403
    assert viewer.post(f"{QUESTIONS}{question.pk}/cancel/").status_code == 403
    assert viewer.delete(f"{QUESTIONS}{question.pk}/").status_code == 403
    assert names(heard(viewer, question)) == ["done"]


def test_who_is_in_no_workspace_hears_nothing() -> None:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("staff", is_staff=True))
    question = QuestionFactory.create(completed=True)

    assert client.get(f"{QUESTIONS}{question.pk}/stream/").status_code == 403


# Listening


def test_stream_is_one_that_browsers_and_proxies_understand(api: APIClient) -> None:
    question = QuestionFactory.create(completed=True)

    response: Any = api.get(
        f"{QUESTIONS}{question.pk}/stream/", headers={"Accept": "text/event-stream"}
    )
    text = b"".join(response.streaming_content).decode()

    assert response["Content-Type"] == "text/event-stream"
    assert (response["Cache-Control"], response["X-Accel-Buffering"]) == ("no-cache", "no")
    assert text.startswith("retry: 2000\n\n")
    assert text.endswith("\n\n")


def test_late_listener_hears_the_whole_answer(api: APIClient) -> None:
    question = QuestionFactory.create(completed=True)

    events = heard(api, question)

    assert names(events) == ["done"]
    assert json.loads(events[-1]["data"]) == {
        "status": "COMPLETED",
        "answer": question.answer,
        "is_extractive": False,
        "citations": question.citations,
    }


def test_lines_and_letters_arrive_as_they_were(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "_places", BoundedSemaphore(1))
    question = QuestionFactory.create(begun=True)
    stream = AnswerStream(question.pk)
    stream.begin()
    stream.write("桥梁\n\ndata: x\r\n")
    Question.objects.complete(question.pk, answer="a\n\nevent: failed\n\n桥")

    [done] = [event for event in heard(api, question) if event.get("event") == "done"]

    assert json.loads(done["data"])["answer"] == "a\n\nevent: failed\n\n桥"


def test_listener_without_a_place_hears_what_there_is_and_comes_again(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = BoundedSemaphore(1)
    places.acquire()
    monkeypatch.setattr(questions, "_places", places)
    monkeypatch.setattr(streaming, "PUBLISH_SECONDS", 0.0)
    question = QuestionFactory.create(begun=True)
    stream = AnswerStream(question.pk)
    stream.begin()
    stream.write("The ")
    first = heard(api, question)
    stream.write("bridge")

    second = heard(api, question, first[-1]["id"])

    assert [json.loads(event["data"])["text"] for event in (first[1], second[1])] == [
        "The ",
        "bridge",
    ]
    assert len(first) == len(second) == 2  # the pause before the next try, and a piece


def test_listener_that_goes_leaves_its_place(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = BoundedSemaphore(1)
    monkeypatch.setattr(questions, "_places", places)
    question = QuestionFactory.create(begun=True)
    stream = AnswerStream(question.pk)
    stream.begin()
    stream.write("The ")
    stream.end()
    response: Any = api.get(f"{QUESTIONS}{question.pk}/stream/")
    listener = iter(response.streaming_content)
    next(listener)
    next(listener)
    was_free = places.acquire(blocking=False)

    response.close()

    assert not was_free
    assert places.acquire(blocking=False)


# Through a real web server


@contextmanager
def web_server() -> Iterator[str]:
    """Run gunicorn as ``manage.py serve`` does; yield its address."""
    address = f"127.0.0.1:{free_port()}"
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", address),
            *("--worker-class", "gthread", "--threads", "4", "--log-level", "warning"),
        ],
        cwd=settings.BASE_DIR,
        env=environment(),
        stdin=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(lambda: answers(f"http://{address}/admin/login/"))
            yield f"http://{address}"
        finally:
            process.terminate()


@pytest.mark.django_db(transaction=True)
def test_pieces_come_through_a_web_server_as_they_are_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "PUBLISH_SECONDS", 0.0)
    User.objects.create_superuser("admin", password="secret")  # noqa: S106
    question = QuestionFactory.create(begun=True)
    stream = AnswerStream(question.pk)
    stream.begin()
    with web_server() as address:
        request = urllib.request.Request(  # noqa: S310  our own address
            f"{address}{QUESTIONS}{question.pk}/stream/",
            headers={
                "Accept": "text/event-stream",
                "Authorization": f"Basic {b64encode(b'admin:secret').decode()}",
            },
        )
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            response.readline()
            stream.write("The ")
            early = b"".join(response.readline() for _ in range(4)).decode()
            is_active = Question.objects.get().status == ResultStatus.PROCESSING
            stream.write("bridge.")
            Question.objects.complete(question.pk, answer="The bridge.")
            stream.end()
            rest = response.read().decode()

    assert "event: delta" in early
    assert is_active
    assert '"answer": "The bridge."' in rest
