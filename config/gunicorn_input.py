"""Bodies of requests, straight from gunicorn's socket instead of through its two buffers."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from gunicorn.http.body import Body, LengthReader  # type: ignore[import-untyped]
from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

#: The most that is asked of the socket at once: it takes as much memory, however little comes.
RECEIVED_BYTES = 1024 * 1024


def reading_sockets(application: WSGIApplication) -> WSGIApplication:
    """Return ``application``, which reads bodies of known length as ``SocketInput``.

    Those in chunks, those of TLS, and those of another server than gunicorn stay as they are.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ.get("wsgi.input")
        if isinstance(body, Body) and _is_plain(body.reader):
            environ["wsgi.input"] = SocketInput(body)
        return application(environ, start_response)

    return answer


def _is_plain(reader: Any) -> bool:
    return (
        isinstance(reader, LengthReader)
        and isinstance(reader.unreader, SocketUnreader)
        and type(reader.unreader.sock) is socket.socket  # that of TLS takes no flags
    )


class SocketInput:
    """The file that a body is, for an application: a read ends with what it asks for, or the body.

    ``body`` stays right about what is left, for it ends what the application does not read.
    """

    def __init__(self, body: Any) -> None:
        self._body, self._reader, self._unreader = body, body.reader, body.reader.unreader
        self.readline, self.readlines = body.readline, body.readlines

    def __iter__(self) -> Any:
        return iter(self._body)

    def read(self, size: int | None = None) -> bytes:
        if size is None or size < 0 or self._body.buf.tell():  # lines were read: some is there
            return bytes(self._body.read(size))
        wanted = min(size, self._reader.length)
        early = self._unreader.take_buffered()  # came with the head, as may another request
        self._unreader.unread(early[wanted:])
        pieces = [early[:wanted]] if early else []
        wanted -= len(early[:wanted])
        while wanted and (piece := self._received(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
        data = b"".join(pieces)  # no copy of one
        self._reader.length -= len(data)
        return data

    def _received(self, size: int) -> bytes:
        try:
            received: bytes = self._unreader.sock.recv(
                min(size, RECEIVED_BYTES), socket.MSG_WAITALL
            )
        except OSError:
            self._body.failed = True
            raise
        return received
