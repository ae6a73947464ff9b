"""What happens to a transcript, told while it happens."""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.decorators import action

from processing.api.negotiation import EventStreamNegotiation
from processing.api.server_sent import EventStream, TooManyStreams, answer
from processing.live.following import follow

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

    from processing.models import Transcript


#: Places for streams in this process: the other threads are for other requests.
_places = BoundedSemaphore(settings.EVENT_STREAMS)


class EventsMixin:
    """For the view set of transcripts."""

    get_object: Any

    @action(detail=True, content_negotiation_class=EventStreamNegotiation)
    def events(self, request: Request, pk: str) -> HttpResponseBase:
        """Tell what happens to the latest run of a transcript, as server-sent events.

        ``progress`` says how far it is; ``segments`` goes on with ``segments`` and ``gaps``, in
        order and as they will stay; ``restart`` takes back all of them, to be told anew; ``done``
        has the counts of both, or ``failed`` says why there are none. ``Last-Event-ID`` goes on
        after that. 503 when as many listen as may.
        """
        transcript: Transcript = self.get_object()
        return stream(transcript.pk, request)


def stream(transcript_id: UUID, request: HttpRequest | Request) -> HttpResponseBase:
    """Answer a request with the events of a transcript.

    Raises ``TooManyStreams`` when as many listen as may, whoever they are.
    """
    events = follow(
        transcript_id,
        after=request.headers.get("Last-Event-ID", ""),
        heartbeat_seconds=settings.EVENT_HEARTBEAT_SECONDS,
    )
    if not _places.acquire(blocking=False):
        raise TooManyStreams
    return answer(EventStream(events, request=request, places=_places), request)
