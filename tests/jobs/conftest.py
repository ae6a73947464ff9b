"""A registry of handlers that a test may add to, and the doorbells as Redis has them."""

from collections.abc import Callable

import pytest
import redis

from jobs import handlers
from jobs.handlers import JobHandler
from jobs.models import Job

#: A queue that Redis knows, and on which nothing waits that a test has not put there.
QUEUE = "maintenance"

Register = Callable[..., None]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Register jobs of type ``PROBE`` on ``QUEUE`` for the length of one test."""
    monkeypatch.setattr(handlers, "_handlers", dict(handlers._handlers))
    monkeypatch.setattr(handlers, "_sources", dict(handlers._sources))

    def register_probe(run: Callable[[Job], None], **hooks: Callable[[Job], None]) -> None:
        handlers.register_job(JobHandler("PROBE", QUEUE, run, **hooks))  # type: ignore[arg-type]

    return register_probe


@pytest.fixture
def waiting_rings(redis_connection: redis.Redis) -> Callable[[str], int]:
    """Count the rings that wait on a queue."""

    def count(queue_name: str) -> int:
        return int(redis_connection.llen(f"rq:queue:{queue_name}"))

    return count
