"""Following the latest run of a transcript: how far it is, and what is said, as it is heard.

Events, in this order and until one of the last two: ``progress`` whenever it is another;
``segments`` with segments, gaps or both that follow those before; ``restart`` when what was
heard is void, and all of it is told anew; ``done`` or ``failed``. ``heartbeat`` says that all is
well when there is nothing else to say. The ``id`` of an event is where to go on after it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.db import connection

from processing.live.account import START, Position
from processing.live.events import DONE, FAILED, HEARTBEAT, PROGRESS, RESTART, SEGMENTS, Event
from processing.live.followed_run import DELETED
from processing.live.hub import hub
from processing.models import ProcessingTask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from processing.live.account import Account
    from processing.live.followed_run import News

__all__ = ["Event", "follow"]

HEARTBEAT_SECONDS = 15.0


def follow(
    transcript_id: UUID, *, after: str = "", heartbeat_seconds: float = HEARTBEAT_SECONDS
) -> Iterator[Event]:
    """Yield what happens to the latest run of a transcript, from its beginning or after an event.

    Segments come as their chunks are settled, each once, in order and as they will stay. Where
    the transcript becomes another in the end, or has become another since the event ``after``,
    as by corrections, ``restart`` says so. The last event is ``done``, which says how many
    segments and gaps there are, or ``failed``; without either the process was stopped, and one
    may follow again elsewhere. No connection to the database is held meanwhile.
    """
    runs = ProcessingTask.objects.filter(transcript=transcript_id)
    return _events(runs.values_list("pk", flat=True).first(), after, heartbeat_seconds)


def _events(run_id: UUID | None, after: str, heartbeat_seconds: float) -> Iterator[Event]:
    if not connection.in_atomic_block:
        connection.close()
    if run_id is None:
        yield Event(FAILED, DELETED)
        return
    listener = _Listener(after)
    number, beat_at = 0, time.monotonic() + heartbeat_seconds
    with hub().following(run_id) as run:
        while True:
            news = run.after(number, seconds=beat_at - time.monotonic())
            for event in listener.told(news):
                beat_at = time.monotonic() + heartbeat_seconds
                yield event
            if news.end is not None or news.is_left:
                return
            if time.monotonic() >= beat_at:
                hub().ensure_watching()
                beat_at = time.monotonic() + heartbeat_seconds
                yield Event(HEARTBEAT)
            number = news.number


class _Listener:
    """What one listener has heard."""

    def __init__(self, after: str) -> None:
        self._position = Position.parse(after) or START
        self._account: Account | None = None
        #: Whether it has heard something that it cannot be told the rest of.
        self._is_lost = bool(after) and Position.parse(after) is None
        self._progress: object = None

    def told(self, news: News) -> Iterator[Event]:
        """Yield what is new to it."""
        if news.progress is not None and news.progress != self._progress:
            self._progress = news.progress
            yield Event(PROGRESS, news.progress)
        if news.end is not None and news.end.name == FAILED:
            yield news.end
            return
        if not news.account.reaches(self._position) and news.end is None:
            return  # what it has heard elsewhere is read again first
        if self._account is not news.account:
            self._account = news.account
            if self._is_lost or not news.account.goes_on(self._position):
                self._is_lost, self._position = False, START
                yield Event(RESTART, id=str(START))
        for data, position in news.account.after(self._position):
            self._position = position
            yield Event(SEGMENTS, data, str(position))
        if news.end is not None:
            yield Event(DONE, news.end.data, str(self._position))
