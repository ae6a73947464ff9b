"""Taking a recording from a URL, which may be anybody's and lead anywhere.

httpcore2, on which httpx2 stands, because it connects through a backend of ours: the address
that was checked is the one that is used, while the Host header and the name that TLS verifies
stay the URL's. What httpx2 adds to it (cookies, proxies of the environment, decompression,
redirects of its own accord) has no place here.
"""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import httpcore2
import httpx2
from django.utils.http import parse_header_parameters

from processing.exceptions import ProcessingError
from processing.services.inputs.addresses import AllowedHosts, ForbiddenAddress, Resolver, resolve
from processing.services.inputs.connecting import CheckingBackend, Timer, Unreachable
from processing.services.inputs.spooling import refuse_over_limit, spooled
from processing.uploads import HashedUpload

DEFAULT_PORTS = {"http": 80, "https": 443}

REDIRECTS = (301, 302, 303, 307, 308)

#: Leaves room for another suffix within the 255 bytes that file systems allow.
NAME_BYTES = 200


class InvalidUrl(ProcessingError):
    """It is no URL of a recording: its scheme, host or form is not one we read from."""

    code = "invalid_url"


class BadDownload(ProcessingError):
    """The server answered, but not with a whole recording."""

    code = "bad_download"


@dataclass(frozen=True)
class FetchRules:
    """Where recordings may be fetched from and how long it may take.

    For the seconds see ``Timer``; looking up a name takes as long as the system lets it
    (resolv.conf).
    """

    allowed: AllowedHosts = field(default_factory=AllowedHosts)
    ports: frozenset[int] = frozenset({80, 443})
    max_redirects: int = 5
    idle_seconds: float = 30.0
    total_seconds: float = 3600.0


DEFAULT_RULES = FetchRules()


def is_url(text: str) -> bool:
    """Say whether ``text`` means a URL, not a file."""
    return text.lower().startswith(("http://", "https://"))


def fetch_recording(
    url: str,
    *,
    rules: FetchRules = DEFAULT_RULES,
    resolver: Resolver = resolve,
    ssl_context: ssl.SSLContext | None = None,
    on_progress: Callable[[int, int | None], None] = lambda done_bytes, size_bytes: None,
) -> HashedUpload:
    """Return what is at ``url`` as a temporary file, which the caller closes.

    ``on_progress`` is told the bytes received and, when the server said it, of how many.
    Messages name the host only: paths and queries carry people's tokens. Raises ``InvalidUrl``,
    ``ForbiddenAddress``, ``Unreachable``, ``FetchTimeout``, ``BadDownload``, ``AudioTooLarge``
    or ``StorageFull``, and keeps nothing then.
    """
    timer = Timer(idle_seconds=rules.idle_seconds, total_seconds=rules.total_seconds)
    backend = CheckingBackend(rules.allowed, resolver, timer)
    target = _checked(url, rules)
    with httpcore2.ConnectionPool(
        ssl_context=ssl_context, max_connections=1, network_backend=backend
    ) as pool:
        for _ in range(rules.max_redirects + 1):
            with _answer(pool, target, timer) as answer:
                headers = {name.lower(): value for name, value in answer.headers}
                if answer.status not in REDIRECTS or b"location" not in headers:
                    return _received(answer, headers, target, timer, on_progress)
                target = _checked(_text(headers[b"location"]), rules, base=target)
    raise BadDownload(f"more than {rules.max_redirects} redirects")


def _checked(text: str, rules: FetchRules, *, base: httpx2.URL | None = None) -> httpx2.URL:
    try:
        url = httpx2.URL(text) if base is None else base.join(text)
    except httpx2.InvalidURL as error:
        raise InvalidUrl("this is no URL") from error
    if url.scheme not in DEFAULT_PORTS:
        raise InvalidUrl("only http and https URLs are read")
    if not url.host or "%" in url.host:
        raise InvalidUrl("the URL names no host")
    if url.userinfo:
        raise InvalidUrl("a URL with a user name or password is not read")
    port = DEFAULT_PORTS[url.scheme] if url.port is None else url.port
    if port not in rules.ports:
        known = ", ".join(map(str, sorted(rules.ports)))
        raise ForbiddenAddress(f"port {port} is not read from; these are: {known}")
    return url


@contextmanager
def _answer(
    pool: httpcore2.ConnectionPool, url: httpx2.URL, timer: Timer
) -> Iterator[httpcore2.Response]:
    """Ask for ``url``; errors of the network become ours, also those of the block."""
    timer.expect_head()
    idle = timer.idle_seconds
    try:
        with pool.stream(
            "GET",
            httpcore2.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers={
                "Host": url.netloc,
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                "User-Agent": "Longhand",
            },
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), idle)},
        ) as answer:
            yield answer
    except httpcore2.TimeoutException as error:
        raise timer.expired(url.host) from error
    except httpcore2.ConnectError as error:
        raise Unreachable(f"{url.host}: {error}") from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        raise BadDownload(f"{url.host} broke off or sent what is not HTTP: {error}") from error


def _received(
    answer: httpcore2.Response,
    headers: dict[bytes, bytes],
    url: httpx2.URL,
    timer: Timer,
    on_progress: Callable[[int, int | None], None],
) -> HashedUpload:
    if answer.status != 200:
        raise BadDownload(f"{url.host} answered with status {answer.status}")
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise BadDownload(f"{url.host} sent it compressed, unasked")
    timer.expect_body()
    declared = int(headers[b"content-length"]) if b"content-length" in headers else None
    refuse_over_limit(declared or 0)

    def blocks() -> Iterator[bytes]:
        done_bytes = 0
        for block in answer.iter_stream():
            yield block
            done_bytes += len(block)
            on_progress(done_bytes, declared)

    return spooled(blocks(), name=_name(_text(headers.get(b"content-disposition", b"")), url))


def _name(disposition: str, url: httpx2.URL) -> str:
    """Return what the server or else the path calls the file: one plain name without a path."""
    try:
        _, parameters = parse_header_parameters(disposition)
    except (LookupError, ValueError):  # in a coding that Python does not know, or too long
        parameters = {}
    for proposal in (parameters.get("filename", ""), url.path):
        base = PurePosixPath(proposal.replace("\\", "/")).name
        plain = "".join(c for c in base if c.isprintable()).strip().lstrip(".")
        if plain:
            path = PurePosixPath(plain)
            suffix = path.suffix if len(path.suffix.encode()) <= 10 else ""
            stem = plain.removesuffix(suffix).encode()[: NAME_BYTES - len(suffix.encode())]
            return stem.decode(errors="ignore") + suffix
    return "recording"


def _text(header: bytes) -> str:
    """Decode a header: UTF-8, which many servers send, or what HTTP says."""
    try:
        return header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1")
