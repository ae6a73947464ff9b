"""Waiting inside one request for what workers do, with no connection to the database meanwhile.

A client that goes away stops nothing: the run goes on, and the same request again finds it, or
its result, without hearing anything twice. How long a request waits is therefore only a matter of
how long somebody listens.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection

from processing.api.openai.errors import OpenAIError, run_failed
from processing.api.server_sent import TooManyStreams, is_left
from processing.choices import ResultStatus
from processing.live.events import DONE, FAILED
from processing.live.following import follow
from processing.models import Transcript, Translation

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from uuid import UUID

    from rest_framework.request import Request

#: OpenAI's clients say how many seconds they wait for an answer.
PATIENCE_HEADER = "x-stainless-read-timeout"

#: Whether somebody still listens is looked at so often, and a translation for its end.
LOOK_SECONDS = 5.0
TRANSLATION_LOOK_SECONDS = 0.2

#: Places for those who wait, in this process: the other threads are for other requests.
_places = BoundedSemaphore(settings.OPENAI_REQUESTS)


class Patience:
    """How long an answer is waited for: as long as its client does, and no longer than we do."""

    def __init__(self, request: Request) -> None:
        seconds = float(settings.OPENAI_WAIT_SECONDS)
        with suppress(ValueError):
            patience = float(request.headers.get(PATIENCE_HEADER, ""))
            seconds = min(seconds, patience) if patience > 0 else seconds
        self._ends_at = time.monotonic() + seconds
        self._connection: socket.socket | None = request.META.get("gunicorn.socket")

    @property
    def look_seconds(self) -> float:
        return max(min(LOOK_SECONDS, self._ends_at - time.monotonic()), 0.1)

    def check(self) -> None:
        """Raise ``OpenAIError`` when time is up or nobody listens any more."""
        if time.monotonic() >= self._ends_at or is_left(self._connection):
            raise still_running()


def take_place() -> BoundedSemaphore:
    """Take a place, to be given back; raise ``TooManyStreams`` where none is free."""
    if not _places.acquire(blocking=False):
        raise TooManyStreams
    return _places


@contextmanager
def place() -> Iterator[None]:
    """Have a place for the length of the block."""
    taken = take_place()
    try:
        yield
    finally:
        taken.release()


def finished_transcript(transcript_id: UUID, *, patience: Patience) -> Transcript:
    """Return a transcript once it can be read; raise ``OpenAIError`` when it cannot be."""
    for event in follow(transcript_id, heartbeat_seconds=patience.look_seconds):
        if event.name == DONE:
            return readable_transcript(transcript_id)
        if event.name == FAILED:
            raise run_failed(event.data)
        patience.check()
    raise still_running()


def readable_transcript(transcript_id: UUID) -> Transcript:
    """Return a transcript with all that was heard; raise ``OpenAIError`` when it was deleted."""
    transcript = Transcript.objects.filter(pk=transcript_id).defer("seams").first()
    if transcript is None:
        raise run_failed({"code": "deleted", "message": "the transcript was deleted"})
    return transcript


def finished_translation(translation: Translation, *, patience: Patience) -> Translation:
    """Return a translation once it is there; raise ``OpenAIError`` when it never will be."""
    while True:
        row = Translation.objects.filter(pk=translation.pk).first()
        if row is None:
            raise run_failed({"code": "deleted", "message": "the translation was deleted"})
        if row.status == ResultStatus.COMPLETED:
            return row
        if not row.is_active:
            raise run_failed({"code": row.error_code or "cancelled", "message": row.error_message})
        patience.check()
        if not connection.in_atomic_block:
            connection.close()
        time.sleep(TRANSLATION_LOOK_SECONDS)


def still_running() -> OpenAIError:
    return OpenAIError(
        "The recording is still being transcribed. Send the same request again: it goes on "
        "waiting, and nothing is heard twice.",
        status=HTTPStatus.GATEWAY_TIMEOUT,
        code="still_running",
        retry_after_seconds=1,
    )
