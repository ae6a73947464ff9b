"""The connections of one process to one provider: bounded, kept alive, counted, in time."""

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ssl import SSLContext, create_default_context
from threading import Lock
from typing import Any, cast

import httpcore2
import httpx2

from processing.providers.base import ProviderSettings

#: A piece of a request that is larger is sent as it is, and not copied.
LARGE_BYTES = 65_536

_ends_at: ContextVar[float] = ContextVar("ends_at", default=math.inf)


class DeadlinePassed(httpcore2.TimeoutException):
    """The whole of a request and its answer took too long, however lively they were."""


class StaleAnswer(httpcore2.RemoteProtocolError):
    """An answer that had come before its request was sent: it belongs to an earlier one."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let all that this thread reads and writes inside end in so many seconds."""
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


@contextmanager
def _in_time(timeout: float | None) -> Iterator[float]:
    """Yield what is left of ``timeout``; raise ``DeadlinePassed`` where the deadline is."""
    left = _ends_at.get() - time.monotonic()
    if left <= 0:
        raise DeadlinePassed("the deadline has passed")
    try:
        yield left if timeout is None else min(timeout, left)
    except httpcore2.TimeoutException as error:
        if time.monotonic() >= _ends_at.get():
            raise DeadlinePassed("the deadline has passed") from error
        raise


class TimedStream(httpcore2.NetworkStream):
    """A connection on which no read or write outlasts the deadline of its thread."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream
        #: Whether anything has been read since the last write.
        self.has_heard = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _in_time(timeout) as seconds:
            data = self._stream.read(max_bytes, seconds)
        self.has_heard = True
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.has_heard = False
        with _in_time(timeout) as seconds:
            self._stream.write(buffer, seconds)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        with _in_time(timeout) as seconds:
            return TimedStream(self._stream.start_tls(ssl_context, server_hostname, seconds))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class TimedBackend(httpcore2.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        with _in_time(timeout) as seconds:
            stream = super().connect_tcp(host, port, seconds, local_address, socket_options)
        return TimedStream(stream)


class PooledTransport:
    """Sends requests of httpx2 over a pool of httpcore2 that is our own, for what httpx2's
    transport does not let us have: deadlines, and figures without looking into what is private.

    It raises the errors of httpcore2. Proxies from the environment are not obeyed, redirects
    not followed, cookies not kept.
    """

    def __init__(self, settings: ProviderSettings, *, http2: bool) -> None:
        context = create_default_context(cafile=settings.ca_file) if settings.ca_file else None
        self.opened = 0
        self.queued = 0
        self._lock = Lock()
        self._pool = httpcore2.ConnectionPool(
            # Not shared between pools: connecting sets the protocols to be negotiated on it.
            ssl_context=context or httpx2.create_ssl_context(),
            max_connections=settings.max_connections,
            max_keepalive_connections=settings.max_connections,
            keepalive_expiry=settings.keepalive_seconds,
            http2=http2,
            network_backend=TimedBackend(),
        )

    @property
    def idle(self) -> int:
        return sum(connection.is_idle() for connection in self._pool.connections)

    @property
    def active(self) -> int:
        return sum(not connection.is_idle() for connection in self._pool.connections)

    def count(self, *, opened: int = 0, queued: int = 0) -> None:
        with self._lock:
            self.opened += opened
            self.queued += queued

    def handle(self, request: httpcore2.Request) -> httpcore2.Response:
        return self._pool.handle_request(request)

    def close(self) -> None:
        self._pool.close()


class Exchange:
    """One request on its way through the pool, followed by the pool's trace events."""

    def __init__(self, transport: PooledTransport) -> None:
        self.is_http2 = False
        self._transport = transport
        self._is_queued = False

    def send(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer as soon as its headers have come in; close it when it is read."""
        self._is_queued = True
        self._transport.count(queued=1)
        try:
            response = self._transport.handle(self._encoded(request))
        finally:
            self._has_connection()
        stream = response.extensions["network_stream"]
        if not self.is_http2 and not stream.has_heard:
            response.close()
            raise StaleAnswer("the answer to an earlier request came again")
        return httpx2.Response(response.status, headers=response.headers, stream=_Body(response))

    def _encoded(self, request: httpx2.Request) -> httpcore2.Request:
        url = request.url
        return httpcore2.Request(
            request.method,
            httpcore2.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=_together(cast("Iterable[bytes]", request.stream)),
            extensions=request.extensions | {"trace": self._trace},
        )

    def _trace(self, event: str, _details: dict[str, Any]) -> None:
        self._has_connection()
        if event == "connection.connect_tcp.complete":
            self._transport.count(opened=1)
        elif event.startswith("http2."):
            self.is_http2 = True

    def _has_connection(self) -> None:
        """The request waits no longer: it was given a connection, or it gave up."""
        if self._is_queued:
            self._is_queued = False
            self._transport.count(queued=-1)


def _together(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield small pieces as one: each is sent by itself, and a form is made of dozens."""
    held = b""
    for piece in pieces:
        if len(held) + len(piece) > LARGE_BYTES:
            yield held
            held = b""
        if len(piece) > LARGE_BYTES:
            yield piece
        else:
            held += piece
    yield held


class _Body(httpx2.SyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()
