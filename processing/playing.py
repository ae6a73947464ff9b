"""Sending a recording to who listens: by parts (RFC 9110, section 14), none of them held up.

Players ask for all that follows a place, and read it as slowly as they play it. They get a part
and ask for more, so that neither a thread nor a decoder waits for them.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import IO, TYPE_CHECKING

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header, http_date, parse_http_date_safe

from processing.services.playback import Playback, playback_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from processing.models import Recording

#: The most that is sent at once: half a minute of a rendition, which takes 0.1 s to make.
PART_BYTES = 1024**2

#: How many renditions a process decodes at once, and how long others wait for their turn.
DECODERS = 4
WAIT_SECONDS = 10.0
RETRY_SECONDS = 2

_places = BoundedSemaphore(DECODERS)
_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


class Unsatisfiable(Exception):
    """A range begins behind the end."""


class _Busy(Exception):
    """As many renditions are decoded as may be."""


def sound_answer(request: HttpRequest, recording: Recording) -> HttpResponseBase:
    """Answer a GET or HEAD request for the sound of a recording, or for a range of its bytes.

    304 and 412 as the conditions of the request ask for; 206 with at most ``PART_BYTES`` of one
    range; 416 behind the end; 503 when too many renditions are being made. Raises ``Http404``
    where the file is gone, or nobody knows yet how long it is and browsers do not play it.
    """
    try:
        file = recording.file.open("rb")
    except OSError as error:
        raise Http404("the file of this recording is gone") from error
    with file:
        playback = playback_of(recording, file)
    if playback is None:
        raise Http404("it is not known yet how long this recording is")
    modified = int(recording.created_at.timestamp())
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": content_disposition_header(False, recording.name) or "inline",
        "ETag": playback.etag,
        "Last-Modified": http_date(modified),
        "X-Content-Type-Options": "nosniff",
    }
    decided = get_conditional_response(request, playback.etag, modified)
    if decided is not None:
        return decided
    try:
        wanted = _wanted(request, playback, modified)
    except Unsatisfiable:
        headers["Content-Range"] = f"bytes */{playback.size_bytes}"
        status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        return HttpResponse(status=status, headers=headers, content_type="text/plain")
    try:
        return _sent(request, recording, playback, wanted, headers)
    except _Busy:
        return HttpResponse(
            "As many renditions as are allowed are being made; come again soon.",
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            headers={"Retry-After": str(RETRY_SECONDS)},
            content_type="text/plain",
        )


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """Return the bytes ``[start, end)`` that a Range header asks for, of ``size``.

    None where the whole is to be sent: for no range, several, and what is none. Raises
    ``Unsatisfiable`` where there is nothing to send.
    """
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or found.group(1) == found.group(2) == "":
        return None
    first, last = found.groups()
    if first == "":
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise Unsatisfiable
    return start, end


def _wanted(request: HttpRequest, playback: Playback, modified: int) -> tuple[int, int] | None:
    """Return the part to send, None for all: a range of what is another by now is void."""
    condition = request.headers.get("If-Range")
    if condition is not None and condition != playback.etag:
        date = None if '"' in condition else parse_http_date_safe(condition)
        if date != modified:
            return None
    part = byte_range(request.headers.get("Range", ""), playback.size_bytes)
    return None if part is None else (part[0], min(part[1], part[0] + PART_BYTES))


def _sent(
    request: HttpRequest,
    recording: Recording,
    playback: Playback,
    part: tuple[int, int] | None,
    headers: dict[str, str],
) -> HttpResponseBase:
    start, end = part or (0, playback.size_bytes)
    headers["Content-Length"] = str(end - start)
    status = HTTPStatus.OK
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{playback.size_bytes}"
        status = HTTPStatus.PARTIAL_CONTENT
    if request.method == "HEAD":
        answer: HttpResponseBase = HttpResponse(status=status, headers=headers)
    elif part is not None:
        with _opened(recording, playback, WAIT_SECONDS) as file:
            content = playback.read(file, start, end)
        answer = HttpResponse(content, status=status, headers=headers)
    else:
        answer = StreamingHttpResponse(_parts(recording, playback), headers=headers)
    answer.headers["Content-Type"] = playback.content_type
    return answer


def _parts(recording: Recording, playback: Playback) -> Iterator[bytes]:
    """Yield the whole; between two parts neither a file nor a place is held."""
    for start in range(0, playback.size_bytes, PART_BYTES):
        with _opened(recording, playback, None) as file:
            content = playback.read(file, start, min(start + PART_BYTES, playback.size_bytes))
        yield content


@contextmanager
def _opened(
    recording: Recording, playback: Playback, wait_seconds: float | None
) -> Iterator[IO[bytes]]:
    """Open the file, for a rendition once there is a place; raise ``_Busy`` when none comes."""
    is_rendered = playback.rendition is not None
    if is_rendered and not _places.acquire(timeout=wait_seconds):
        raise _Busy
    try:
        with recording.file.storage.open(str(recording.file.name), "rb") as file:
            yield file
    finally:
        if is_rendered:
            _places.release()
