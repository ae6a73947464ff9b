"""The doorbells: few, empty, and never a reason to fail."""

import logging
import socket
from collections.abc import Callable, Iterator

import pytest
import redis
from pytest_django import Settings

from jobs import queues

pytestmark = pytest.mark.redis

Count = Callable[[str], int]


@pytest.fixture
def _redis_is_away(settings: Settings) -> Iterator[None]:
    """A port on which nobody listens, in place of Redis."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{bound.getsockname()[1]}/0"
        settings.RQ_QUEUES = {
            name: {**queue, "URL": url} for name, queue in settings.RQ_QUEUES.items()
        }
        queues.get_queue.cache_clear()
        yield
    queues.get_queue.cache_clear()


def test_a_ring_waits_on_its_queue_only(waiting_rings: Count) -> None:
    sent = queues.ring("transcription")

    assert sent == 1
    assert (waiting_rings("transcription"), waiting_rings("chunks")) == (1, 0)


def test_a_queue_is_rung_as_often_as_asked(waiting_rings: Count) -> None:
    sent = queues.ring("chunks", times=5)

    assert sent == 5
    assert waiting_rings("chunks") == 5


def test_no_more_rings_wait_than_the_limit(waiting_rings: Count) -> None:
    sent = queues.ring("chunks", times=10 * queues.MAX_WAITING_RINGS)

    assert sent == queues.MAX_WAITING_RINGS
    assert waiting_rings("chunks") == queues.MAX_WAITING_RINGS


def test_a_queue_with_enough_rings_is_not_rung_again(waiting_rings: Count) -> None:
    queues.ring("chunks", times=queues.MAX_WAITING_RINGS)

    sent = queues.ring("chunks", times=3)

    assert sent == 0
    assert waiting_rings("chunks") == queues.MAX_WAITING_RINGS


def test_a_ring_fills_up_to_the_limit_and_says_how_many_fitted() -> None:
    queues.ring("chunks", times=queues.MAX_WAITING_RINGS - 2)

    assert queues.ring("chunks", times=9) == 2


def test_a_ring_carries_nothing_and_has_no_job_behind_it(redis_connection: redis.Redis) -> None:
    queues.ring("chunks")

    assert redis_connection.lrange("rq:queue:chunks", 0, -1) == [queues.RING.encode()]
    assert redis_connection.keys("rq:job*") == []


@pytest.mark.usefixtures("_redis_is_away")
def test_a_redis_that_is_away_is_no_error_but_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent = queues.ring("chunks")

    assert sent == 0
    [record] = [record for record in caplog.records if record.name == "jobs.queues"]
    assert record.levelno == logging.WARNING
    assert "could not ring chunks" in record.getMessage()
