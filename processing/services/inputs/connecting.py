"""Connecting to checked addresses only, for as long as the whole may take."""

import ssl
import time
from typing import Any

import httpcore2

from processing.exceptions import ProcessingError
from processing.services.inputs.addresses import AllowedHosts, Resolver


class Unreachable(ProcessingError):
    """The host has no address, nothing answers there, or it cannot prove to be that host."""

    code = "unreachable"


class FetchTimeout(ProcessingError):
    """The server was silent for too long, or too slow; the message names the limit."""

    code = "fetch_timeout"


class Timer:
    """When an exchange must be over, and before that the head that is waited for.

    ``idle_seconds`` bounds connecting and waiting for an answer's head, and each silence after
    it; ``total_seconds`` bounds everything.
    """

    def __init__(self, *, idle_seconds: float, total_seconds: float) -> None:
        self.idle_seconds = idle_seconds
        self.total_seconds = total_seconds
        self._ends_at = self._due_at = time.monotonic() + total_seconds

    def expect_head(self) -> None:
        self._due_at = min(self._ends_at, time.monotonic() + self.idle_seconds)

    def expect_body(self) -> None:
        self._due_at = self._ends_at

    def clipped(self, timeout: float | None) -> float:
        """Return how long to wait now; raise what httpcore2 does when the time is over."""
        left = self._due_at - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the time is over")
        return left if timeout is None else min(left, timeout)

    def expired(self, host: str) -> FetchTimeout:
        """Return the error that says which of the limits was reached."""
        if time.monotonic() >= self._ends_at:
            return FetchTimeout(f"{host} took more than {self.total_seconds:g} s")
        return FetchTimeout(f"nothing from {host} for {self.idle_seconds:g} s")


class CheckingBackend(httpcore2.NetworkBackend):
    """Connects to checked addresses only: resolves a name once, and connects to what it saw."""

    def __init__(self, allowed: AllowedHosts, resolver: Resolver, timer: Timer) -> None:
        self._allowed = allowed
        self._resolver = resolver
        self._timer = timer
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.NetworkStream:
        try:
            addresses = self._allowed.checked(host, self._resolver(host, port))
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"{host} is not known") from error
        failure: Exception = Unreachable(f"{host} has no address")
        for address in addresses:
            try:
                stream = self._sockets.connect_tcp(
                    address, port, self._timer.clipped(timeout), socket_options=socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self._timer)
        raise failure


class _TimedStream(httpcore2.NetworkStream):
    """A connection on which no wait is longer than the whole fetch may still take."""

    def __init__(self, stream: httpcore2.NetworkStream, timer: Timer) -> None:
        self._stream = stream
        self._timer = timer

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._timer.clipped(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._timer.clipped(timeout))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        clipped = self._timer.clipped(timeout)
        return _TimedStream(
            self._stream.start_tls(ssl_context, server_hostname, clipped), self._timer
        )
