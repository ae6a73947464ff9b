"""Posting to an address that anybody may have named, through the guard of downloads.

As in ``inputs.fetching``: the address that was checked is the one that is connected to, no
redirect is followed, and no proxy, cookie or compression is anybody's way around that.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import httpcore2
import httpx2
from django.conf import settings

from processing.exceptions import ProcessingError
from processing.services.inputs.addresses import AllowedHosts, ForbiddenAddress, Resolver, resolve
from processing.services.inputs.connecting import (
    CheckingBackend,
    FetchTimeout,
    Timer,
    Unreachable,
)
from processing.services.inputs.fetching import DEFAULT_PORTS, InvalidUrl

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

#: The most that is read of an answer, and that is kept of it.
MAX_ANSWER_BYTES = 4096
EXCERPT_CHARACTERS = 500


class NoAnswer(ProcessingError):
    """The receiver took the connection, and broke off or sent what is not HTTP."""

    code = "no_answer"


@dataclass(frozen=True)
class Answer:
    """What a receiver said, and how long it took; names of ``headers`` are in lower case."""

    status: int
    headers: Mapping[str, str]
    excerpt: str
    seconds: float

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


def check_url(url: str, *, resolver: Resolver = resolve) -> None:
    """Raise ``InvalidUrl``, ``ForbiddenAddress`` or ``Unreachable`` for what nothing is sent to."""
    target = _parsed(url)
    host = target.raw_host.decode("ascii")
    try:
        addresses = _allowed().checked(host, resolver(host, _port(target)))
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"{host} is not known") from error
    if not addresses:
        raise Unreachable(f"{host} has no address")


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    resolver: Resolver = resolve,
    ssl_context: ssl.SSLContext | None = None,
) -> Answer:
    """Post JSON and return the answer, whatever its status; what it says counts, not how fast
    the rest of it comes.

    Messages name the host only: paths and queries carry people's tokens. Raises what
    ``check_url`` does, ``FetchTimeout`` or ``NoAnswer``.
    """
    target = _parsed(url)
    total, connect = settings.WEBHOOK_TIMEOUT_SECONDS, settings.WEBHOOK_CONNECT_SECONDS
    timer = Timer(idle_seconds=total, total_seconds=total)
    backend = CheckingBackend(_allowed(), resolver, timer)
    sent: dict[str, str] = {
        "Host": target.netloc.decode("ascii"),
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "User-Agent": "Longhand",
        **headers,
    }
    timeouts = {"connect": min(connect, total), "read": total, "write": total, "pool": total}
    started = time.monotonic()
    try:
        with (
            httpcore2.ConnectionPool(
                ssl_context=ssl_context or _ssl_context(), network_backend=backend
            ) as pool,
            pool.stream(
                "POST",
                httpcore2.URL(
                    scheme=target.raw_scheme,
                    host=target.raw_host,
                    port=target.port,
                    target=target.raw_path,
                ),
                headers=list(sent.items()),
                content=body,
                extensions={"timeout": timeouts},
            ) as answer,
        ):
            return Answer(
                answer.status,
                {name.decode("latin-1").lower(): _text(value) for name, value in answer.headers},
                _excerpt(answer),
                round(time.monotonic() - started, 3),
            )
    except httpcore2.ConnectTimeout as error:
        raise FetchTimeout(f"{target.host} took no connection in {connect:g} s") from error
    except httpcore2.TimeoutException as error:
        raise FetchTimeout(f"no answer from {target.host} in {total:g} s") from error
    except httpcore2.ConnectError as error:
        raise Unreachable(f"{target.host}: {error}") from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        raise NoAnswer(f"{target.host} broke off or sent what is not HTTP: {error}") from error


def _parsed(text: str) -> httpx2.URL:
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise InvalidUrl("this is no URL") from error
    schemes = ("https", "http") if settings.WEBHOOK_ALLOW_HTTP else ("https",)
    if url.scheme not in schemes:
        raise InvalidUrl(f"only {' and '.join(schemes)} URLs are posted to")
    if not url.host or "%" in url.host:
        raise InvalidUrl("the URL names no host")
    if url.userinfo:
        raise InvalidUrl("a URL with a user name or password is not posted to")
    if _port(url) not in settings.WEBHOOK_PORTS:
        known = ", ".join(map(str, sorted(settings.WEBHOOK_PORTS)))
        raise ForbiddenAddress(f"port {_port(url)} is not posted to; these are: {known}")
    return url


def _port(url: httpx2.URL) -> int:
    return DEFAULT_PORTS[url.scheme] if url.port is None else url.port


def _excerpt(answer: httpcore2.Response) -> str:
    """Return the beginning of an answer, as far as it came in time, in characters to be shown."""
    content = b""
    try:
        for block in answer.iter_stream():
            content += block
            if len(content) >= MAX_ANSWER_BYTES:
                break
    except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError):
        pass  # what it is was said by its status
    text = content[:MAX_ANSWER_BYTES].decode(errors="replace")[:EXCERPT_CHARACTERS]
    shown = (c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "".join(shown)


def _text(header: bytes) -> str:
    return header.decode("latin-1")


def _allowed() -> AllowedHosts:
    return AllowedHosts.parse(settings.WEBHOOK_ALLOWED_HOSTS)


@cache
def _ssl_context() -> ssl.SSLContext:
    """Read the authorities once: that takes longer than a delivery."""
    return httpcore2.default_ssl_context()
