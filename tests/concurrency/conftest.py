"""Jobs that do nothing, for races between those that record them and those that end them."""

import pytest

from jobs import handlers
from jobs.handlers import JobHandler
from tests.jobs.conftest import QUEUE


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register jobs of type ``PROBE`` on ``QUEUE`` for the length of one test."""
    monkeypatch.setattr(handlers, "_handlers", dict(handlers._handlers))
    monkeypatch.setattr(handlers, "_sources", dict(handlers._sources))
    handlers.register_job(JobHandler("PROBE", QUEUE, lambda job: None))
