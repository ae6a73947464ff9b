"""Many clients that listen to one web server, and nobody else who minds."""

import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connection
from rest_framework.test import APIClient

from tests.factories.processing import TranscriptFactory, WorkspaceFactory
from tests.live.runs import finish, land, run_of
from tests.live.streams import TRANSCRIPTS, Server, read_until, serving
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

STREAMS = 40
#: Connections of the server, and requests that come at once.
POOL, BURST = 3, 30


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[Server]:
    with serving(
        EVENT_STREAMS=str(STREAMS),
        EVENT_HEARTBEAT_SECONDS="0.5",
        DATABASE_POOL_MAX_CONNECTIONS=str(POOL),
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def _staff(django_db_setup: None, transactional_db: None) -> None:
    User.objects.create_superuser("admin", password="secret")  # noqa: S106


def connection_count() -> int:
    """Count the connections of others to this test's database, of which none may be busy."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid != pg_backend_pid()"
        )
        [[count]] = cursor.fetchall()
    return int(count)


def test_events_come_through_a_web_server_as_chunks_land(server: Server) -> None:
    run = run_of(2)
    with server.stream(run.transcript_id) as stream:
        first = read_until(stream, b"event: progress")
        land(run, 0)
        early = read_until(stream, b"event: segments")
        land(run, 1)
        finish(run)
        rest = stream.read().decode()

    assert first[0] == b"retry: 2000\n"
    assert early[-1] == b"event: segments\n"
    assert '"segment_count": 8' in rest
    assert stream.headers["Content-Type"] == "text/event-stream"
    assert stream.headers["Cache-Control"] == "no-cache"
    assert stream.headers["X-Accel-Buffering"] == "no"


def test_a_client_that_accepts_gzip_hears_at_once(server: Server) -> None:
    run = run_of(1)

    with server.stream(run.transcript_id, **{"Accept-Encoding": "gzip"}) as stream:
        lines = read_until(stream, b"event: progress")

    assert lines[-1] == b"event: progress\n"


def test_many_streams_hold_no_connection_and_leave_room_for_others(server: Server) -> None:
    run = run_of(1)
    others = connection_count()

    with server.listeners(run.transcript_id, STREAMS):
        answers = [server.get(TRANSCRIPTS).status for _ in range(5)]
        count = connection_count()

    assert answers == [200] * 5
    assert count <= max(others, POOL)


def test_a_burst_of_requests_waits_for_connections(server: Server) -> None:
    with ThreadPoolExecutor(BURST) as clients:
        answers = [answer.status for answer in clients.map(server.get, [TRANSCRIPTS] * BURST)]

    assert answers == [200] * BURST


def test_one_more_is_asked_to_come_again(server: Server) -> None:
    run = run_of(1)

    with (
        server.listeners(run.transcript_id, STREAMS),
        server.events(run.transcript_id) as refused,
    ):
        problem = json.load(refused)

    assert (refused.status, problem["code"]) == (503, "too_many_streams")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Retry-After"] == "5"


def test_a_client_that_goes_leaves_its_place_at_the_next_heartbeat(server: Server) -> None:
    run = run_of(1)
    with server.listeners(run.transcript_id, STREAMS):
        began = time.monotonic()

    def is_taken() -> bool:
        with server.events(run.transcript_id) as stream:
            return stream.status == 200

    wait_for(is_taken, seconds=5)

    assert time.monotonic() - began < 3.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_server_with_open_streams_stops_soon(number: signal.Signals) -> None:
    run = run_of(1)
    with (
        serving() as server,
        server.listeners(run.transcript_id, 5) as streams,
    ):
        server.process.send_signal(number)
        began = time.monotonic()
        rest = [stream.read() for stream in streams]
        server.process.wait(timeout=20)

    assert time.monotonic() - began < 5.0
    assert all(b"event: done" not in each for each in rest)


# Who may listen


def test_strangers_hear_nothing() -> None:
    transcript = TranscriptFactory.create(completed=True)

    assert APIClient().get(f"{TRANSCRIPTS}{transcript.pk}/events/").status_code == 401


def test_a_transcript_of_another_workspace_is_not_there() -> None:
    other = WorkspaceFactory.create()
    transcript = TranscriptFactory.create(completed=True, recording__workspace=other)
    client = APIClient()
    client.force_authenticate(User.objects.get())

    assert client.get(f"{TRANSCRIPTS}{transcript.pk}/events/").status_code == 404


def test_head_answers_without_a_stream() -> None:
    transcript = TranscriptFactory.create(processing=True)
    client = APIClient()
    client.force_authenticate(User.objects.get())

    response = client.head(f"{TRANSCRIPTS}{transcript.pk}/events/")

    assert (response.status_code, response["Content-Type"]) == (200, "text/event-stream")
    assert not response.streaming
