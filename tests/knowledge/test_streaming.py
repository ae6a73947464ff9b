"""What is heard of an answer while it is written: all of it once, whatever becomes of Redis."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from processing.knowledge.asking import streaming
from processing.knowledge.asking.streaming import (
    DELTA,
    AnswerStream,
    listen,
    stream_name,
)
from processing.live.events import DONE, FAILED, HEARTBEAT, RESTART, Event
from processing.models import Question
from tests.caching.servers import OwnRedis
from tests.factories.knowledge import QuestionFactory
from tests.waiting import wait_for

if TYPE_CHECKING:
    import redis

pytestmark = pytest.mark.django_db


@pytest.fixture
def question() -> Question:
    row: Question = QuestionFactory.create(begun=True)
    return row


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every piece sent by itself."""
    monkeypatch.setattr(streaming, "PUBLISH_SECONDS", 0.0)


@pytest.fixture
def own_redis(settings: Settings) -> Iterator[OwnRedis]:
    """A Redis to take away; nothing is asked whether it is away longer than that."""
    with tempfile.TemporaryDirectory() as directory:
        own = OwnRedis(Path(directory))
        settings.REDIS_URL = own.url
        yield own
        own.stop()


def stream_of(question: Question, *pieces: str) -> AnswerStream:
    stream = AnswerStream(question.pk)
    stream.begin()
    for piece in pieces:
        stream.write(piece)
    return stream


def heard(question: Question, last_event_id: str = "") -> list[Event]:
    """Return what there is to tell now."""
    return list(listen(question.pk, last_event_id=last_event_id, is_following=False))


def told(events: list[Event]) -> list[Any]:
    """Return names of events, and the texts of pieces."""
    return [event.data["text"] if event.name == DELTA else event.name for event in events]


def test_pieces_are_heard_in_order(question: Question, at_once: None) -> None:
    stream_of(question, "The ", "bridge ", "was built.")

    assert told(heard(question)) == ["The ", "bridge ", "was built."]


def test_nothing_is_heard_before_anything_was_said(question: Question) -> None:
    assert heard(question) == []


def test_pieces_that_follow_each_other_quickly_are_sent_together(
    question: Question, redis_connection: "redis.Redis"
) -> None:
    stream = stream_of(question, *(f"{number} " for number in range(1_000)))
    stream.end()

    assert redis_connection.xlen(stream_name(question.pk)) < 20
    assert "".join(told(heard(question))) == "".join(f"{number} " for number in range(1_000))


def test_stream_is_kept_for_a_while_and_not_without_bounds(
    question: Question,
    at_once: None,
    redis_connection: "redis.Redis",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "MAX_ENTRIES", 100)

    stream_of(question, *("x" for _ in range(500)))

    assert redis_connection.xlen(stream_name(question.pk)) <= 200  # it is cut by the hundred
    assert 3_500 < redis_connection.ttl(stream_name(question.pk)) <= 3_600
    assert heard(question) == []  # its beginning is gone: the end will have all of it


@pytest.mark.parametrize("count", [1, 2, 3])
def test_listener_goes_on_after_what_it_has_heard(
    question: Question, at_once: None, count: int
) -> None:
    stream_of(question, "The ", "bridge ", "was built.")
    before = heard(question)[:count]

    after = heard(question, before[-1].id)

    assert told(before + after) == ["The ", "bridge ", "was built."]


@pytest.mark.parametrize("last_event_id", ["nonsense", "1-1", "9" * 400, "1-1:x", "x:1", "²-1:1"])
def test_listener_of_nobody_knows_what_begins_anew(
    question: Question, at_once: None, last_event_id: str
) -> None:
    stream_of(question, "The ", "bridge")

    assert told(heard(question, last_event_id)) == [RESTART, "The ", "bridge"]


def test_answer_that_begins_anew_takes_back_what_was_heard(
    question: Question, at_once: None
) -> None:
    stream_of(question, "The brid")
    before = heard(question)
    stream_of(question, "The ", "tunnel")

    assert told(heard(question)) == ["The brid", RESTART, "The ", "tunnel"]
    assert told(heard(question, before[-1].id)) == [RESTART, "The ", "tunnel"]


def test_worker_that_was_presumed_dead_is_not_heard_any_more(
    question: Question, at_once: None
) -> None:
    dead = stream_of(question, "The ")
    stream_of(question, "The tunnel")
    dead.write("bridge")

    assert told(heard(question)) == ["The ", RESTART, "The tunnel"]


def test_answer_that_is_over_is_told_from_its_row_alone() -> None:
    question = QuestionFactory.create(completed=True)
    stream_of(question, "something else")

    events = list(listen(question.pk))

    assert told(events) == [DONE]
    assert events[0].data == {
        "status": "COMPLETED",
        "answer": question.answer,
        "is_extractive": False,
        "citations": question.citations,
    }


@pytest.mark.parametrize(
    ("traits", "code"),
    [
        pytest.param({"failed": True}, "provider_refused", id="failed"),
        pytest.param({"cancelled": True}, "cancelled", id="cancelled"),
    ],
)
def test_listener_is_told_why_there_is_no_answer(traits: dict[str, bool], code: str) -> None:
    events = list(listen(QuestionFactory.create(**traits).pk))

    assert told(events) == [FAILED]
    assert events[0].data["code"] == code


def test_listener_is_told_that_the_question_was_deleted(question: Question) -> None:
    Question.objects.filter(pk=question.pk).delete()

    assert [event.data["code"] for event in listen(question.pk)] == ["deleted"]


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"run": "RUN", "offset": "x", "text": "no"}, id="no number"),
        pytest.param({"run": "RUN", "text": "no"}, id="no offset"),
        pytest.param({"run": "RUN", "offset": 3, "text": b"\xff"}, id="no text"),
        pytest.param({"run": "RUN", "offset": -9, "text": "no"}, id="before the beginning"),
        pytest.param({"unknown": "field"}, id="unknown"),
    ],
)
def test_what_somebody_else_wrote_to_redis_is_left_out(
    question: Question, at_once: None, redis_connection: "redis.Redis", entry: dict[str, Any]
) -> None:
    stream = stream_of(question, "The")
    run = stream._run
    redis_connection.xadd(
        stream_name(question.pk), {k: run if v == "RUN" else v for k, v in entry.items()}
    )
    stream.write(" end")

    assert "".join(told(heard(question))) == "The end"


def test_key_of_another_type_is_silence(question: Question, own_redis: OwnRedis) -> None:
    own_redis.client.set(stream_name(question.pk), "x")

    stream_of(question, "The ").end()

    assert heard(question) == []


# Redis goes


def test_without_redis_nothing_is_heard_and_nothing_fails(
    question: Question, own_redis: OwnRedis
) -> None:
    own_redis.kill()

    stream = stream_of(question, "The ", "bridge")
    stream.end()

    assert heard(question) == []


def test_answer_goes_on_as_a_whole_when_redis_is_back(
    question: Question,
    own_redis: OwnRedis,
    at_once: None,
) -> None:
    stream = stream_of(question, "The ")
    own_redis.kill()
    stream.write("old ")
    own_redis.start()

    def is_heard() -> list[Event]:
        stream.write("bridge ")
        return heard(question)

    events = wait_for(is_heard, seconds=10)

    assert told(events)[0].startswith("The old bridge ")


def test_listener_hears_no_text_with_a_hole_and_ends_with_the_row(
    question: Question, at_once: None, redis_connection: "redis.Redis"
) -> None:
    stream = stream_of(question, "The ")
    hearing = listen(question.pk)
    first = next(hearing)
    redis_connection.flushdb()
    stream.write("bridge ")
    late = heard(question)
    Question.objects.complete(question.pk, answer="The bridge was built.")

    assert told([first, *hearing]) == ["The ", "bridge ", DONE]
    assert late == []


@hypothesis_settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    acts=st.lists(
        st.sampled_from(["write", "begin", "flush", "leave", "hear"]), min_size=1, max_size=12
    )
)
def test_whatever_happens_what_was_heard_is_a_beginning_of_what_was_said(
    question: Question,
    at_once: None,
    redis_connection: "redis.Redis",
    acts: list[str],
) -> None:
    redis_connection.flushdb()
    stream = stream_of(question)
    said = {""}
    text = known = last_id = ""
    for number, act in enumerate([*acts, "hear"]):
        if act == "write":
            stream.write(f"{number} ")
            text += f"{number} "
            said.add(text)
        elif act == "begin":
            stream.begin()
            text = ""
        elif act == "flush":
            redis_connection.flushdb()
        elif act == "leave":
            known, last_id = "", ""
        for event in heard(question, last_id):
            known = known + event.data["text"] if event.name == DELTA else ""
            last_id = event.id

        assert known in said


# Waiting


@pytest.mark.django_db(transaction=True)
def test_waiting_listener_holds_no_connection_and_shows_that_it_lives() -> None:
    question = QuestionFactory.create(begun=True)

    event = next(listen(question.pk, heartbeat_seconds=0.05))

    assert event.name == HEARTBEAT
    assert connection.connection is None


@pytest.mark.django_db(transaction=True)
def test_listener_hears_the_end_soon_after_it_is_told(
    monkeypatch: pytest.MonkeyPatch, listening: Callable[..., Callable[[], list[Event]]]
) -> None:
    monkeypatch.setattr(streaming, "ROW_SECONDS", 60.0)
    question = QuestionFactory.create(begun=True)
    events = listening(question)
    stream = stream_of(question, "The bridge.")

    Question.objects.complete(question.pk, answer="The bridge.")
    stream.end()

    assert told(events())[-1] == DONE


@pytest.fixture
def listening() -> Callable[..., Callable[[], list[Event]]]:
    """Listen in a thread; what is returned waits for the end and returns all events."""

    def start(question: Question) -> Callable[[], list[Event]]:
        events: list[Event] = []
        thread = threading.Thread(target=lambda: events.extend(listen(question.pk)), daemon=True)
        thread.start()

        def all_of_them() -> list[Event]:
            thread.join(timeout=20)
            assert not thread.is_alive()
            return events

        return all_of_them

    return start
