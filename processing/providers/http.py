"""The HTTP client of a provider: one in each process, for all its threads."""

import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakSet

import httpcore2
import httpx2

from processing.exceptions import BadAnswer, ProviderError, ProviderTooLarge, RateLimited
from processing.providers import failures
from processing.providers.answers import Answer
from processing.providers.base import ProviderSettings
from processing.providers.events import data_of_events
from processing.providers.statistics import ClientStatistics
from processing.providers.transport import Exchange, PooledTransport, deadline

T = TypeVar("T")

#: Of an answer that is a refusal so much is read.
MAX_REFUSAL_BYTES = 16_384

#: Fields of a form as they are sent; a list is sent as a field for each of its items.
FormFields = Mapping[str, str | list[str]]
#: Files of a form: name of the field -> (name of the file, content, content type).
FormFiles = Mapping[str, tuple[str, bytes, str]]


class ProviderClient:
    """Sends requests to one provider; safe for threads and forks.

    Its connections are made at the first request of a process: what is forked later starts
    with none and with all figures at 0. Every error is one of ``processing.exceptions``.
    """

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        #: By whether they may speak HTTP/2; made when they are needed.
        self._transports: dict[bool, PooledTransport]
        self._errors: Counter[str]
        self._http2_fallbacks: int
        self._forget()
        _clients_of_process.add(self)

    def post(
        self,
        path: str,
        *,
        read: Callable[[Answer], T],
        payload: Mapping[str, Any] | None = None,
        fields: FormFields | None = None,
        files: FormFiles | None = None,
        learn: Callable[[Mapping[str, str]], None] | None = None,
    ) -> T:
        """Send one request, a form or a ``payload`` in JSON, and return what is ``read`` of it.

        It is sent once, and a second time only when HTTP/2 failed as a protocol. Headers of
        every answer, also of a refusal, go to ``learn`` first. Raise ``ProviderError`` for
        anything but an answer of status 2xx that ``read`` can read, ``RateLimited`` when no
        connection is to be had.
        """
        request = self._request(path, payload, fields, files)
        http2 = self.settings.http2 and files is None and not self._has_fallen_back
        try:
            with deadline(self.settings.timeouts.total):
                try:
                    answer = self._exchanged(request, http2=http2, learn=learn)
                except _Http2Failed:
                    self._fall_back()
                    answer = self._exchanged(request, http2=False, learn=learn)
            return read(answer)
        except (ProviderError, RateLimited) as error:
            self._count(error)
            raise

    def stream(
        self,
        path: str,
        *,
        payload: Mapping[str, Any],
        learn: Callable[[Mapping[str, str]], None] | None = None,
    ) -> Generator[str, None, None]:
        """Send one request, and yield the data of each event of its answer as it comes in.

        To stop before the end closes the connection. Errors are those of ``post``, also half-way;
        the deadline is that of the whole. How a stream ends when it is complete is for the caller
        to know: one that ends early in good form raises nothing here.
        """
        ends_at = time.monotonic() + self.settings.timeouts.total
        request = self._request(path, payload, None, None)
        try:
            with ExitStack() as stack:
                with _until(ends_at):
                    response = stack.enter_context(self._answering(request, http2=False))
                    events = self._events(response, learn)
                while True:
                    with _until(ends_at):  # not while the caller is at work with an event
                        data = next(events, None)
                    if data is None:
                        return
                    yield data
        except (ProviderError, RateLimited) as error:
            self._count(error)
            raise

    def statistics(self) -> ClientStatistics:
        with self._lock:
            transports = list(self._transports.values())
            return ClientStatistics(
                active=sum(transport.active for transport in transports),
                idle=sum(transport.idle for transport in transports),
                queued=sum(transport.queued for transport in transports),
                opened=sum(transport.opened for transport in transports),
                requests=self._requests,
                http2_fallbacks=self._http2_fallbacks,
                errors=dict(self._errors),
            )

    def close(self) -> None:
        """Close its connections; the next request opens new ones."""
        with self._lock:
            transports = list(self._transports.values())
        for transport in transports:
            transport.close()

    def _request(
        self,
        path: str,
        payload: Mapping[str, Any] | None,
        fields: FormFields | None,
        files: FormFiles | None,
    ) -> httpx2.Request:
        waits, key = self.settings.timeouts, self.settings.api_key
        # Answers are small: nothing is won by packing them, and a packed one may be a bomb.
        headers = {"User-Agent": "longhand", "Accept-Encoding": "identity"}
        if key:
            headers["Authorization"] = f"Bearer {key.reveal()}"
        return httpx2.Request(
            "POST",
            f"{self.settings.base_url.rstrip('/')}/{path.lstrip('/')}",
            headers=headers,
            json=payload,
            data=fields,
            files=files,
            extensions={
                "timeout": {
                    "connect": waits.connect,
                    "read": waits.read,
                    "write": waits.write,
                    "pool": min(waits.pool, waits.total),
                }
            },
        )

    def _exchanged(
        self,
        request: httpx2.Request,
        *,
        http2: bool,
        learn: Callable[[Mapping[str, str]], None] | None,
    ) -> Answer:
        with self._answering(request, http2=http2) as response:
            return self._answer(response, learn)

    def _events(
        self, response: httpx2.Response, learn: Callable[[Mapping[str, str]], None] | None
    ) -> Iterator[str]:
        """Return the data of the events that an answer is; raise for an answer of another kind."""
        is_stream = response.headers.get("content-type", "").startswith("text/event-stream")
        if not response.is_success or not is_stream:
            raise self._answer(response, learn).bad("what came is no stream of events")
        if learn is not None:
            learn(_lower(response.headers))
        return data_of_events(self._pieces(response))

    def _answer(
        self, response: httpx2.Response, learn: Callable[[Mapping[str, str]], None] | None
    ) -> Answer:
        """Return the whole of an answer; raise what a refusal stands for."""
        headers = _lower(response.headers)
        if learn is not None:
            learn(headers)
        answer = Answer(self.settings.name, response.status_code, headers, self._body(response))
        if response.is_success:
            return answer
        raise failures.failure_of(answer, api_key=self.settings.api_key)

    @contextmanager
    def _answering(self, request: httpx2.Request, *, http2: bool) -> Iterator[httpx2.Response]:
        """Send the request and yield its answer, of which only the headers have come in."""
        limit, size = self.settings.max_request_bytes, int(request.headers["content-length"])
        if limit is not None and size > limit:
            raise ProviderTooLarge(
                f"{self.settings.name} takes requests of {limit} bytes, not of {size}"
            )
        exchange = Exchange(self._transport(http2=http2))
        with self._lock:
            self._requests += 1
        response: httpx2.Response | None = None
        try:
            response = exchange.send(request)
            yield response
        except _ERRORS as error:
            if exchange.is_http2 and isinstance(error, httpcore2.ProtocolError):
                raise _Http2Failed from error
            if response is None:
                raise failures.failure_before_answer(error, **self._names) from error
            raise failures.failure_within_answer(error, **self._names) from error
        finally:
            if response is not None:
                response.close()

    def _body(self, response: httpx2.Response) -> bytes:
        """Return the body; of a refusal only so much as people could want to read."""
        if response.is_success:
            return b"".join(self._pieces(response))
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > MAX_REFUSAL_BYTES:
                break
        return bytes(body[:MAX_REFUSAL_BYTES])

    def _pieces(self, response: httpx2.Response) -> Iterator[bytes]:
        size, limit = 0, self.settings.max_answer_bytes
        for piece in response.iter_bytes():
            size += len(piece)
            if size > limit:
                raise BadAnswer(f"{self.settings.name} answers with more than {limit} bytes")
            yield piece

    def _count(self, error: Exception) -> None:
        with self._lock:
            self._errors[type(error).__name__] += 1

    @property
    def _names(self) -> dict[str, Any]:
        return {"provider": self.settings.name, "api_key": self.settings.api_key}

    def _transport(self, *, http2: bool) -> PooledTransport:
        with self._lock:
            if http2 not in self._transports:
                self._transports[http2] = PooledTransport(self.settings, http2=http2)
            return self._transports[http2]

    def _fall_back(self) -> None:
        with self._lock:
            self._has_fallen_back = True
            self._http2_fallbacks += 1

    def _forget(self) -> None:
        """Start anew: a forked process must use neither the sockets nor the locks it inherits."""
        self._lock = Lock()
        self._transports = {}
        self._has_fallen_back = False
        self._http2_fallbacks = 0
        self._requests = 0
        self._errors = Counter()


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _until(ends_at: float) -> AbstractContextManager[None]:
    return deadline(ends_at - time.monotonic())


class _Http2Failed(Exception):
    """HTTP/2 itself failed, whatever was asked for."""


_ERRORS = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpx2.DecodingError,
)

_clients: dict[ProviderSettings, ProviderClient] = {}
_clients_of_process: WeakSet[ProviderClient] = WeakSet()


def client_for(settings: ProviderSettings) -> ProviderClient:
    """Return this process's one client for a provider."""
    return _clients.setdefault(settings, ProviderClient(settings))


def _after_fork() -> None:
    for client in _clients_of_process:
        client._forget()


os.register_at_fork(after_in_child=_after_fork)
