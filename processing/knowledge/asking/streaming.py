"""Pieces of an answer, from the worker that writes it to whoever listens.

The row is the truth: what an answer says in the end, and that it is over, is read there. Redis
only carries what is written meanwhile, in a stream for each question; when it is away nobody
hears that, and nothing else is different.
"""

import re
import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, cast
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from processing.choices import ResultStatus
from processing.live.events import DONE, FAILED, HEARTBEAT, RESTART, Event
from processing.models import Question
from processing.providers.shared_redis import RedisIsAway, SharedRedis

#: The event that goes on with the text.
DELTA = "delta"

#: Pieces are collected for so long before they are sent.
PUBLISH_SECONDS = 0.1
#: How often a listener looks for pieces, and at the row.
LISTEN_SECONDS = 0.1
ROW_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0

#: No call waits longer for Redis.
REDIS_TIMEOUT_SECONDS = 0.5
#: How many entries a stream has, and how long it is there after the last.
MAX_ENTRIES = 10_000
KEPT_SECONDS = 3_600

#: Fields of an entry. ``RUN`` is the id of the entry with which a run of the answer began.
BEGIN, OVER, RUN, OFFSET, TEXT = b"begin", b"over", b"run", b"offset", b"text"

#: The id of an event: a run, and how much of it was heard, in characters.
_EVENT_ID = re.compile(r"([0-9]{1,20}-[0-9]{1,20}):([0-9]{1,9})")


class AnswerStream:
    """Tells listeners what an answer says while it is written."""

    def __init__(self, question_id: UUID) -> None:
        self._name = stream_name(question_id)
        self._redis = _redis_of(settings.REDIS_URL)
        self._run = b""
        self._text = ""
        self._told = 0
        self._due_at = 0.0

    def begin(self) -> None:
        """Begin the answer, or begin it anew: what was told of it before is void."""
        self._run, self._text, self._told = b"", "", 0
        self._tell()

    def write(self, piece: str) -> None:
        """Go on with the answer."""
        self._text += piece
        if time.monotonic() >= self._due_at:
            self._tell()

    def end(self) -> None:
        """Tell that the row has the whole answer now."""
        if self._text:
            self._tell()
        self._add({OVER: 1})

    def _tell(self) -> None:
        """Tell what is new; after Redis was away all of it, as another run."""
        self._due_at = time.monotonic() + PUBLISH_SECONDS
        if not self._run:
            self._run, self._told = self._add({BEGIN: 1}), 0
        if self._run and len(self._text) > self._told:
            new = self._text[self._told :]
            if self._add({RUN: self._run, OFFSET: self._told, TEXT: new}):
                self._told = len(self._text)
            else:
                self._run = b""

    def _add(self, entry: dict[Any, Any]) -> bytes:
        """Add an entry and return its id; empty while Redis is away."""
        pipeline = self._redis.client.pipeline(transaction=False)
        pipeline.xadd(self._name, entry, maxlen=MAX_ENTRIES)
        pipeline.expire(self._name, KEPT_SECONDS)
        try:
            return bytes(self._redis.call(pipeline.execute)[0])
        except RedisIsAway:
            return b""


def listen(
    question_id: UUID,
    *,
    last_event_id: str = "",
    is_following: bool = True,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> Iterator[Event]:
    """Yield what there is to tell of an answer, from its beginning or from after an event.

    ``DELTA`` goes on with the text; ``RESTART`` says that all text so far is void. The last event
    is ``DONE`` with the whole answer, which may be other than the pieces were, or ``FAILED``;
    unless ``is_following`` it also ends after what there is to tell now. No connection to the
    database is held between two looks at the row.
    """
    hearing = _Hearing(question_id, last_event_id)
    look_at, beat_at = 0.0, time.monotonic() + heartbeat_seconds
    while True:
        is_due = time.monotonic() >= look_at
        last = _last_event(question_id) if is_due or hearing.is_over else None
        if is_due:
            look_at = time.monotonic() + ROW_SECONDS
        if last is not None:
            yield last
            return
        hearing.is_over = False
        for event in hearing.events():
            beat_at = time.monotonic() + heartbeat_seconds
            yield event
        if not is_following:
            return
        if time.monotonic() >= beat_at:
            beat_at = time.monotonic() + heartbeat_seconds
            yield Event(HEARTBEAT)
        if not hearing.is_over:
            time.sleep(LISTEN_SECONDS)


class _Hearing:
    """What one listener has heard: ``position`` characters of ``run``.

    The run that began last is the one that counts: what a worker says that was presumed dead is
    left out. A listener never hears a text with a hole in it; it waits for the end instead.
    """

    def __init__(self, question_id: UUID, last_event_id: str) -> None:
        self.is_over = False
        self._name = stream_name(question_id)
        self._redis = _redis_of(settings.REDIS_URL)
        self._read = b""
        known = _EVENT_ID.fullmatch(last_event_id)
        self._has_heard = bool(last_event_id)
        self._run = known[1].encode() if known else b""
        self._position = int(known[2]) if known else 0

    def events(self) -> Iterator[Event]:
        """Yield what is new."""
        after = b"(" + self._read if self._read else "-"
        try:
            entries = self._redis.call(self._redis.client.xrange, self._name, after)
        except RedisIsAway:
            return
        for entry_id, entry in cast("list[tuple[bytes, dict[bytes, bytes]]]", entries):
            self._read = entry_id
            self.is_over |= OVER in entry
            if BEGIN in entry and _order(entry_id) > _order(self._run):
                is_void, self._has_heard = self._has_heard, False
                self._run, self._position = entry_id, 0
                if is_void:
                    yield Event(RESTART, id=self._id())
            elif entry.get(RUN) == self._run:
                yield from self._piece(entry)

    def _piece(self, entry: Mapping[bytes, bytes]) -> Iterator[Event]:
        try:
            offset, text = int(entry[OFFSET]), entry[TEXT].decode()
        except (KeyError, ValueError):
            return
        new = text[self._position - offset :] if offset <= self._position else ""
        if new:
            self._position += len(new)
            self._has_heard = True
            yield Event(DELTA, {"text": new}, self._id())

    def _id(self) -> str:
        return f"{self._run.decode()}:{self._position}"


def _order(entry_id: bytes) -> tuple[int, ...]:
    """Return what entries of a stream are in the order of."""
    return tuple(int(part) for part in entry_id.split(b"-")) if entry_id else ()


def stream_name(question_id: UUID) -> str:
    return f"longhand:answer:{question_id}"


def answer_of(question: Question) -> dict[str, Any]:
    """Return what there is to tell of an answer that is over."""
    return {
        "status": question.status,
        "answer": question.answer,
        "is_extractive": question.is_extractive,
        "citations": question.citations,
    }


#: What a listener is told of a question that nobody has any more.
DELETED: Final = {"code": "deleted", "message": "the question was deleted"}
CANCELLED: Final = {"code": "cancelled", "message": "the question was cancelled"}


def _last_event(question_id: UUID) -> Event | None:
    """Return the end of an answer as its row has it; None while there is none, or no database."""
    try:
        question = Question.objects.filter(pk=question_id).first()
    except (OperationalError, InterfaceError):
        return None
    finally:
        if not connection.in_atomic_block:
            connection.close()
    if question is None:
        return Event(FAILED, DELETED)
    if question.status == ResultStatus.COMPLETED:
        return Event(DONE, answer_of(question))
    if question.status == ResultStatus.FAILED:
        return Event(FAILED, {"code": question.error_code, "message": question.error_message})
    return Event(FAILED, CANCELLED) if question.status == ResultStatus.CANCELLED else None


@cache
def _redis_of(url: str) -> SharedRedis:
    return SharedRedis(
        url, timeout_seconds=REDIS_TIMEOUT_SECONDS, shared="answers while they are written"
    )
