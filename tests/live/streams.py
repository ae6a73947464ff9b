"""A real web server, and clients that listen to it as programs do."""

import http.client
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID

from django.conf import settings

from tests.commands.test_serve import answers, free_port
from tests.processes import environment
from tests.waiting import wait_for

LOGIN = "admin:secret"
TRANSCRIPTS = "/api/v1/transcripts/"


class Server:
    """A running gunicorn; ``address`` is host and port."""

    def __init__(self, process: "subprocess.Popen[bytes]", address: str) -> None:
        self.process = process
        self.address = address

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """Ask as staff; the answer's body is not read."""
        connection = http.client.HTTPConnection(self.address, timeout=20)
        token = b64encode(LOGIN.encode()).decode()
        connection.request("GET", path, headers={"Authorization": f"Basic {token}"} | headers)
        return connection.getresponse()

    def events(self, transcript_id: UUID, **headers: str) -> http.client.HTTPResponse:
        return self.get(f"{TRANSCRIPTS}{transcript_id}/events/", **headers)

    @contextmanager
    def listeners(self, transcript_id: UUID, count: int) -> Iterator[list[Any]]:
        """Open streams, each of which has told its first event."""
        with ExitStack() as stack:
            streams = [stack.enter_context(self.stream(transcript_id)) for _ in range(count)]
            for stream in streams:
                read_until(stream, b"event: progress")
            yield streams

    def stream(self, transcript_id: UUID, **headers: str) -> http.client.HTTPResponse:
        """Open a stream, once those that were left before have noticed."""

        def opened() -> http.client.HTTPResponse | None:
            stream = self.events(transcript_id, **headers)
            if stream.status == 200:
                return stream
            stream.close()
            return None

        stream = wait_for(opened, seconds=10)
        assert stream is not None
        return stream


@contextmanager
def serving(*arguments: str, **env: str) -> Iterator[Server]:
    """Run gunicorn as ``manage.py serve`` does, on the test database."""
    address = f"127.0.0.1:{free_port()}"
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", address),
            *("--worker-class", "gthread", "--threads", "60", "--log-level", "warning"),
            *arguments,
        ],
        cwd=settings.BASE_DIR,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(lambda: answers(f"http://{address}/admin/login/"))
            yield Server(process, address)
        finally:
            process.terminate()


def read_until(stream: http.client.HTTPResponse, line: bytes) -> list[bytes]:
    """Read lines until one begins with ``line``; return them all."""
    lines = [stream.readline()]
    while lines[-1] and not lines[-1].startswith(line):
        lines.append(stream.readline())
    return lines
