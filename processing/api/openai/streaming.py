"""A transcript as it is heard, in the events of OpenAI's streams."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import InterfaceError, OperationalError

from processing.api.openai.errors import OpenAIError, run_failed
from processing.api.openai.requests import DIARIZED
from processing.api.openai.responses import (
    SpeakerLabels,
    check_diarized,
    diarized_segment,
    languages_of,
    transcribed,
    unheard,
)
from processing.api.openai.waiting import readable_transcript, still_running
from processing.api.server_sent import SEND_SECONDS, EventStream, is_left
from processing.engines.spacing import spaced
from processing.live import events as live

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from threading import BoundedSemaphore
    from uuid import UUID

    from rest_framework.request import Request

    from processing.api.openai.requests import AudioRequest
    from processing.live.events import Event

#: A comment, which clients pass over.
PING = ": ping\n\n"

AWAY = "What is needed for this is not available at the moment; try again soon."


class TranscriptStream(EventStream):
    """The frames of a stream, the last of which is the whole text, or an error.

    Deltas one after the other are that text as far as they go. What was told cannot be taken back
    here: when it turns out to be void nothing more is told before the end.
    """

    def __init__(
        self,
        followed: Iterator[Event],
        transcript_id: UUID,
        asked: AudioRequest,
        *,
        request: Request,
        places: BoundedSemaphore | None = None,
    ) -> None:
        self._transcript_id = transcript_id
        self._asked = asked
        super().__init__(followed, request=request, places=places)

    def _written(self, events: Iterator[Event]) -> Generator[str, None, None]:
        if self._connection is not None:
            self._connection.settimeout(SEND_SECONDS)
        yield PING
        try:
            for told in self._told(events):
                if told is None and is_left(self._connection):
                    return
                yield PING if told is None else _frame(told)
        except OpenAIError as error:
            yield _frame(error.body)
        except (OperationalError, InterfaceError):
            yield _frame(OpenAIError(AWAY, status=503, code="unavailable").body)

    def _told(self, events: Iterator[Event]) -> Iterator[dict[str, Any] | None]:
        """Yield what is to be told, None while there is nothing."""
        telling = _Telling(self._asked)
        for event in events:
            match event.name:
                case live.SEGMENTS:
                    yield from telling.go_on(event.data.get("segments", ()))
                case live.RESTART:
                    telling.is_void = True
                case live.HEARTBEAT:
                    yield None
                case live.FAILED:
                    raise run_failed(event.data)
                case live.DONE:
                    yield from self._end(telling)
                    return
        raise still_running()

    def _end(self, telling: _Telling) -> Iterator[dict[str, Any]]:
        spoken = transcribed(readable_transcript(self._transcript_id))
        if self._asked.response_format == DIARIZED:
            check_diarized(spoken)
        yield from telling.rest(spoken.segments)
        yield {
            "type": "transcript.text.done",
            "text": spoken.text,
            "languages": languages_of(spoken),
        } | unheard(spoken)


def _frame(told: dict[str, Any]) -> str:
    return f"data: {json.dumps(told, ensure_ascii=False)}\n\n"


class _Telling:
    """What a client was told so far: the texts of segments."""

    def __init__(self, asked: AudioRequest) -> None:
        self.is_void = False
        self._is_diarized = asked.response_format == DIARIZED
        self._labels = SpeakerLabels(asked.known_speakers)
        self._told: list[str] = []

    def go_on(self, segments: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield the events of further segments, unless what was told is void."""
        for segment in segments:
            if not self.is_void:
                yield from self._tell(segment)

    def rest(self, segments: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield the events of what is missing of all segments, if what was told is true."""
        count = len(self._told)
        if [segment["text"] for segment in segments[:count]] == self._told:
            self.is_void = False
            yield from self.go_on(segments[count:])

    def _tell(self, segment: dict[str, Any]) -> Iterator[dict[str, Any]]:
        before = self._told[-1] if self._told else ""
        delta = {
            "type": "transcript.text.delta",
            "delta": spaced([before, segment["text"]])[len(before) :],
        }
        self._told.append(segment["text"])
        if self._is_diarized:
            told = diarized_segment(len(self._told), segment, self._labels)
            yield delta | {"segment_id": told["id"]}
            yield told
        else:
            yield delta
