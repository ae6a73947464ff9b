"""What a provider is to us: where it answers, how long we wait, what guards our calls to it."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from processing.exceptions import ProviderBusy


class Secret:
    """A string that shows itself to nobody who does not ask for it by ``reveal()``."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not value.isascii() or any(letter.isspace() for letter in value):
            raise ValueError("a secret is ASCII without spaces and line ends")
        self._value = value

    def reveal(self) -> str:
        return self._value

    def hidden_in(self, text: str) -> str:
        """Return ``text`` with the secret, wherever it stands, replaced by stars."""
        return text.replace(self._value, "***") if self._value else text

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(***)"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds: for a connection, for each read and write of it, for a
    place in the pool, and for all of a request and its answer together."""

    connect: float = 5.0
    read: float = 300.0
    write: float = 60.0
    pool: float = 30.0
    total: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """One provider, as one key sees it. ``ca_file`` (PEM) replaces the system's authorities.

    HTTP/2 is for small calls in JSON and only where ``http2`` allows it; uploads never use it.
    """

    base_url: str
    api_key: Secret = field(default_factory=lambda: Secret(""), repr=False)
    timeouts: Timeouts = field(default_factory=Timeouts)
    max_connections: int = 8
    keepalive_seconds: float = 30.0
    max_request_bytes: int | None = None
    max_answer_bytes: int = 16 * 2**20
    http2: bool = False
    ca_file: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("a provider's base_url starts with http:// or https:// and a host")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("a provider's base_url has no user, query or fragment")
        parts.hostname.encode("idna")  # UnicodeError is a ValueError

    @property
    def name(self) -> str:
        """Its host, and the port where that is not the usual one."""
        return urlsplit(self.base_url).netloc


class Limiter(Protocol):
    """Our share of a provider's limits, over all workers."""

    def admitted(
        self, *, requests: int = 1, audio_seconds: float = 0.0, tokens: int = 0
    ) -> AbstractContextManager[object]:
        """Hold a place for one call; raise ``RateLimited`` where there is none."""
        ...

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over what an answer says of limits; names of headers are in lower case."""
        ...

    def pause(self, seconds: float) -> None:
        """Let nobody call for so long: the provider has asked for it."""
        ...


class Breaker(Protocol):
    """What keeps everybody from a provider that is away."""

    def guarding(self) -> AbstractContextManager[object]:
        """Count what is raised inside; raise ``BreakerIsOpen`` instead of letting anybody in.

        ``Postponed`` raised inside is no news of the provider: nobody has asked it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Guards:
    """What stands before every call to a provider; each may be missing."""

    limiter: Limiter | None = None
    breaker: Breaker | None = None

    @contextmanager
    def admitting(self, *, audio_seconds: float = 0.0, tokens: int = 0) -> Iterator[None]:
        """Guard one call, with the reading of its answer.

        The breaker comes first: what it turns away uses up nothing of our share. When the
        provider says how long it is busy, every worker pauses for it.
        """
        with self.breaker.guarding() if self.breaker else nullcontext():
            if self.limiter is None:
                yield
                return
            with self.limiter.admitted(requests=1, audio_seconds=audio_seconds, tokens=tokens):
                try:
                    yield
                except ProviderBusy as busy:
                    if busy.retry_after_seconds is not None:
                        self.limiter.pause(busy.retry_after_seconds)
                    raise

    def learn(self, headers: Mapping[str, str]) -> None:
        if self.limiter is not None:
            self.limiter.learn(headers)
