"""The figures of a client of a provider."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ClientStatistics:
    """The figures of one client in this process.

    ``active`` and ``idle`` are its connections now, ``queued`` its requests that wait for one.
    The others count since the process began: ``opened`` connections, ``requests`` sent,
    ``errors`` by class, and answers that had to be asked for again over HTTP/1.1.
    """

    active: int = 0
    idle: int = 0
    queued: int = 0
    opened: int = 0
    requests: int = 0
    http2_fallbacks: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
