"""A web server as it is deployed, and a client that costs next to nothing."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.environment import PROJECT
from tests.waiting import wait_for

HOST = "127.0.0.1"
READ_BYTES = 1 << 16


class Client:
    """A program that asks one thing after the other over one connection, as long as it is open."""

    def __init__(self, port: int, token: str) -> None:
        self._address, self._token = (HOST, port), token
        self._socket: socket.socket | None = None

    def get(self, path: str) -> bytes:
        """Return what is answered; raise ``ConnectionError`` for anything but a 200."""
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {HOST}:{self._address[1]}\r\n"
            f"Authorization: Bearer {self._token}\r\nAccept: application/json\r\n\r\n"
        )
        is_old = self._socket is not None
        try:
            return self._asked(request.encode())
        except ConnectionError:
            if not is_old:
                raise
            self.close()  # the server had closed it meanwhile
            return self._asked(request.encode())

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _asked(self, request: bytes) -> bytes:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=60)
        self._socket.sendall(request)
        answer = b""
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._received()
        head, body = answer[:end].decode("latin-1"), answer[end + 4 :]
        status, *lines = head.split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        length = int(headers["content-length"])
        while len(body) < length:
            body += self._received()
        if headers.get("connection") == "close":
            self.close()
        if " 200 " not in status:
            raise ConnectionRefusedError(f"{status}: {body[:500]!r}")
        return body

    def _received(self) -> bytes:
        assert self._socket is not None
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise ConnectionResetError
        return data


@contextmanager
def web_server(database_url: str, **environment: str) -> Iterator[int]:
    """Run gunicorn with one process of four threads; yield its port once it answers."""
    port = _free_port()
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"{HOST}:{port}"),
            *("--worker-class", "gthread", "--threads", "4", "--keep-alive", "75"),
            *("--timeout", "600", "--log-level", "warning"),
        ],
        cwd=PROJECT,
        env=os.environ | {"DATABASE_URL": database_url} | environment,
        stdin=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(lambda: _answers(port))
            yield port
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=10) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            return bool(connection.recv(1))
    except OSError:
        return False
