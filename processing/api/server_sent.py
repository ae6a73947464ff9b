"""Server-sent events, as the HTML standard has them (section 9.2), for views that answer live."""

from __future__ import annotations

import json
import select
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from django.http import HttpResponse, StreamingHttpResponse
from rest_framework import status
from rest_framework.exceptions import APIException

from processing.live.events import HEARTBEAT

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from threading import BoundedSemaphore

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

    from processing.live.events import Event

CONTENT_TYPE = "text/event-stream"

#: Nobody keeps it, and no proxy waits for more of it before it is sent.
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

#: How soon browsers come again when a stream has ended.
RETRY_MS = 2_000

#: A client that takes nothing of what it is sent for so long is given up.
SEND_SECONDS = 30.0


class TooManyStreams(APIException):
    """All threads that may be at streams are."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "too_many_streams"
    default_detail = "As many streams as are allowed are open here; come again soon."
    wait = 5


class EventStream:
    """The text of events for one client; closed, it gives its place back, if it has one."""

    def __init__(
        self,
        events: Iterator[Event],
        *,
        request: HttpRequest | Request,
        places: BoundedSemaphore | None = None,
    ) -> None:
        self._text = self._written(events)
        self._connection: socket.socket | None = request.META.get("gunicorn.socket")
        self._places = places

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._text)

    def close(self) -> None:
        self._text.close()
        places, self._places = self._places, None
        if places is not None:
            places.release()

    def _written(self, events: Iterator[Event]) -> Generator[str, None, None]:
        if self._connection is not None:
            self._connection.settimeout(SEND_SECONDS)
        yield f"retry: {RETRY_MS}\n\n"
        for event in events:
            if event.name == HEARTBEAT and is_left(self._connection):
                return
            yield as_text(event)


def is_left(connection: socket.socket | None) -> bool:
    """Whether a client has gone, which a first write after that would not tell."""
    if connection is None:
        return False
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    with suppress(OSError):
        if not poll.poll(0):
            return False
        # the method of plain sockets, for those with TLS have no such look
        return not socket.socket.recv(connection, 1, socket.MSG_PEEK)
    return True


def as_text(event: Event) -> str:
    if event.name == HEARTBEAT:
        return ":\n\n"
    identifier = f"id: {event.id}\n" if event.id else ""
    return f"{identifier}event: {event.name}\ndata: {json.dumps(dict(event.data))}\n\n"


def answer(stream: EventStream, request: HttpRequest | Request) -> HttpResponseBase:
    """Answer a request with a stream; a HEAD request with what is said about it."""
    if request.method == "HEAD":
        stream.close()
        return HttpResponse(content_type=CONTENT_TYPE, headers=HEADERS)
    return StreamingHttpResponse(stream, content_type=CONTENT_TYPE, headers=HEADERS)
