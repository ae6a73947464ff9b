"""Who listens in tests: in a thread of its own, as the threads of a web server do."""

import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from processing.live.events import Event
from processing.live.following import follow
from processing.live.hub import hub, renew_hub
from tests.waiting import wait_for


class Listener:
    """Follows a transcript to its end, or until it has heard so many events of a name."""

    def __init__(self, transcript_id: UUID, *, until: tuple[str, int] = ("", 0), **options: Any):
        self.events: list[Event] = []
        self._until = until
        self._thread = threading.Thread(
            target=self._listen, args=(transcript_id,), kwargs=options, daemon=True
        )
        self._thread.start()

    def heard(self, name: str, *, count: int = 1) -> list[Event]:
        """Return what was heard once there are so many events of a name in it."""
        wait_for(lambda: self._count(name) >= count, seconds=20)
        return self.events

    def to_its_end(self) -> list[Event]:
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()
        return self.events

    def _count(self, name: str) -> int:
        return sum(event.name == name for event in self.events)

    def _listen(self, transcript_id: UUID, **options: Any) -> None:
        name, count = self._until
        try:
            for event in follow(transcript_id, **options):
                self.events.append(event)
                if name and self._count(name) >= count:
                    return
        finally:
            connection.close()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    """Follow a transcript; whoever still follows at the end of the test is let go."""
    yield Listener
    hub().close()
    wait_for(lambda: not hub()._runs)
    renew_hub()
