"""Where what a thread does now was asked for: by which request, from which address."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Origin:
    """A request; ``event_count`` is how many audit events were written for it so far."""

    request_id: str
    address: str | None = None
    event_count: int = 0


_current: ContextVar[Origin | None] = ContextVar("origin", default=None)


def current_origin() -> Origin | None:
    """Return the request that is answered now; None in workers and commands."""
    return _current.get()


def request_id() -> str:
    """Return the id of the request that is answered now; empty where there is none."""
    origin = _current.get()
    return origin.request_id if origin else ""


def enter(origin: Origin) -> None:
    """Begin what ``origin`` asks for, until ``leave`` or what the thread does next."""
    _current.set(origin)


def leave(origin: Origin) -> None:
    """End what ``origin`` asked for; nothing when the thread is at something else by now."""
    if _current.get() is origin:
        _current.set(None)
