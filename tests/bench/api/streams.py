"""What hundreds of clients that listen to a run cost a web server, and those who ask it else."""

import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psutil
from django.db import connection

from processing.management.commands.serve import GUNICORN
from processing.models import ProcessingTask, Workspace
from tests.bench.api.rows import Corpus, address
from tests.bench.api.web import HOST, Client
from tests.bench.environment import PROJECT
from tests.bench.percentiles import percentile
from tests.bench.table import Row, Table
from tests.commands.test_serve import answers, free_port
from tests.live.runs import finish, land, run_of
from tests.waiting import wait_for

STREAMS = 300

#: Chunks of the run, one of which lands every so often.
CHUNKS, LANDING_SECONDS = 20, 1.0

LIST = "/api/v1/transcripts/"
ASKED, WARMING_UP = 200, 40
PAUSE_SECONDS = 0.02  # between two requests of one who reads pages

IDLE_SECONDS = 10.0

#: What a request may take beside the same without streams, a stream of memory, and all streams
#: of a processor while nothing happens.
LATENCY_LIMIT, MEMORY_LIMIT_KB, IDLE_LIMIT = 1.5, 256.0, 5.0
#: No more than the two pools may have, whatever the number of streams.
CONNECTIONS_LIMIT = 0.1


class Listeners:
    """Clients that read what they are told and keep count of it, all in one thread."""

    def __init__(self) -> None:
        self.told: dict[socket.socket, bytes] = {}
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def open(self, count: int, port: int, path: str, token: str) -> None:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Accept: text/event-stream\r\n\r\n"
        )
        for _ in range(count):
            stream = socket.create_connection((HOST, port), timeout=60)
            stream.sendall(request.encode())
            self.told[stream] = b""
            self._selector.register(stream, selectors.EVENT_READ)
        self._thread.start()

    def count(self, text: bytes) -> int:
        """Count the streams in which ``text`` was told."""
        return sum(text in told for told in list(self.told.values()))

    def _read(self) -> None:
        while self._selector.get_map():
            for key, _ in self._selector.select():
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(1 << 16)
                self.told[key.fileobj] += data
                if not data or b"event: done" in self.told[key.fileobj]:
                    self._selector.unregister(key.fileobj)


def bench_streams(table: Table, corpus: Corpus) -> None:
    """Open the streams on two processes, and measure before, while they wait and while told."""
    workspace = Workspace.objects.get(pk=corpus.workspace_id)
    run = run_of(CHUNKS, transcript__recording__workspace=workspace)
    path = f"{LIST}{run.transcript_id}/events/"
    with web_server() as (master, port):
        client, listeners = Client(port, corpus.token), Listeners()
        alone = milliseconds(client)
        workers = master.children()
        memory = sum(worker.memory_full_info().uss for worker in workers)
        listeners.open(STREAMS, port, path, corpus.token)
        wait_for(lambda: listeners.count(b"event: progress") == STREAMS)
        before = seconds_of(workers)
        time.sleep(IDLE_SECONDS)
        share = 100 * (seconds_of(workers) - before) / IDLE_SECONDS
        taken = (sum(worker.memory_full_info().uss for worker in workers) - memory) / 1024 / STREAMS
        idle = milliseconds(client)
        held = connections_of_others()
        landing = threading.Thread(target=land_all, args=(run.pk,), daemon=True)
        landing.start()
        busy = milliseconds(client)
        landing.join()
        finish(run)
        wait_for(lambda: listeners.count(b"event: done") == STREAMS)
        client.close()
    figure = f"a list, with {STREAMS} streams beside none"
    for kind, times in (("that wait", idle), ("of a run that goes on", busy)):
        for name, share_of in (("p50", 0.5), ("p95", 0.95)):
            ours, theirs = percentile(times, share_of), percentile(alone, share_of)
            limit = LATENCY_LIMIT if name == "p95" else None
            table.add(Row(f"{figure} {kind}, {name}", ours, theirs, "ms", limit))
    table.add(Row("memory of a stream", taken, MEMORY_LIMIT_KB, "KB", 1.0))
    table.add(Row(f"processor for {STREAMS} streams that wait", share, IDLE_LIMIT, "%", 1.0))
    figure = "connections to the database meanwhile, beside streams"
    table.add(Row(figure, held, STREAMS, "", CONNECTIONS_LIMIT))


def land_all(run_id: UUID) -> None:
    """Have the chunks of a run heard, one after the other."""
    run = ProcessingTask.objects.get(pk=run_id)
    for index in range(CHUNKS):
        land(run, index)
        time.sleep(LANDING_SECONDS)
    connection.close()


def milliseconds(client: Client) -> list[float]:
    times = []
    for _ in range(WARMING_UP + ASKED):
        started = time.perf_counter()
        client.get(LIST)
        times.append(1000 * (time.perf_counter() - started))
        time.sleep(PAUSE_SECONDS)
    return times[WARMING_UP:]


def seconds_of(workers: list[psutil.Process]) -> float:
    return sum(sum(worker.cpu_times()[:2]) for worker in workers)


def connections_of_others() -> int:
    """Count the connections to our database besides our own, those that only wait included."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid != pg_backend_pid()"
        )
        [[count]] = cursor.fetchall()
    return int(count)


@contextmanager
def web_server() -> Iterator[tuple[psutil.Process, int]]:
    """Run the web server of ``manage.py serve``; yield it and its port once it answers."""
    port = free_port()
    with subprocess.Popen(
        [*(sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"{HOST}:{port}"), *GUNICORN],
        cwd=PROJECT,
        env=os.environ | {"DATABASE_URL": address()},
        stdin=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(lambda: answers(f"http://{HOST}:{port}/admin/login/"))
            yield psutil.Process(process.pid), port
        finally:
            process.terminate()
