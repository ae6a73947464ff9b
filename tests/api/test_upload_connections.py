"""Uploads through a real web server: lines that break, two at once, and memory."""

import re
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from django.contrib.auth.models import User

from processing.models import Recording, ResumableUpload
from processing.services.inputs.resumable import path_of
from tests.factories.audio import wav_bytes
from tests.live.streams import LOGIN, Server, serving
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

UPLOADS = "/api/v1/uploads/"
RECORDINGS = "/api/v1/recordings/"
PIECE = "application/offset+octet-stream"
TUS = {"Tus-Resumable": "1.0.0"}
TOKEN = b64encode(LOGIN.encode()).decode()

MB = 1_000_000
#: What a web process may grow by, however large the body is.
ALLOWANCE = 20 * MB


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def tus(server: Server) -> Iterator[httpx2.Client]:
    name, password = LOGIN.split(":")
    User.objects.create_superuser(name, password=password)
    with httpx2.Client(
        base_url=f"http://{server.address}", auth=(name, password), headers=TUS, timeout=60
    ) as client:
        yield client


def announce(tus: httpx2.Client, length: int) -> str:
    response = tus.post(UPLOADS, headers={"Upload-Length": str(length)})
    return httpx2.URL(response.headers["Location"]).path


def send(tus: httpx2.Client, path: str, content: Any, offset: int, **headers: str) -> Any:
    said = {"Upload-Offset": str(offset), "Content-Type": PIECE} | headers
    return tus.patch(path, content=content, headers=said)


def offset_of(tus: httpx2.Client, path: str) -> int:
    return int(tus.head(path).headers["Upload-Offset"])


@contextmanager
def open_line(server: Server, path: str, sent: bytes, *, of_bytes: int) -> Iterator[socket.socket]:
    """Begin to send a piece; yield the socket once the server has what was sent of it."""
    host, port = server.address.split(":")
    head = [
        f"PATCH {path} HTTP/1.1",
        f"Host: {server.address}",
        f"Authorization: Basic {TOKEN}",
        "Tus-Resumable: 1.0.0",
        "Upload-Offset: 0",
        f"Content-Type: {PIECE}",
        f"Content-Length: {of_bytes}",
    ]
    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall("\r\n".join([*head, "", ""]).encode() + sent)
        upload = ResumableUpload.objects.get()
        wait_for(lambda: path_of(upload).stat().st_size > 0, seconds=20)
        yield line


def zeros(count_bytes: int) -> Iterator[bytes]:
    for _ in range(count_bytes // MB):
        yield bytes(MB)


def peak_bytes(server: Server) -> int:
    """Return the most memory that a web process of ``server`` has ever had."""
    [worker] = psutil.Process(server.process.pid).children()
    status = Path(f"/proc/{worker.pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    return int(peak[1]) * 1024


def test_line_that_breaks_leaves_what_had_arrived_and_another_goes_on(
    server: Server, tus: httpx2.Client
) -> None:
    content = wav_bytes(20)
    path = announce(tus, len(content))

    with open_line(server, path, content[:400_000], of_bytes=len(content)):
        pass
    arrived = wait_for(lambda: offset_of(tus, path), seconds=20)
    last = send(tus, path, content[arrived:], arrived)

    assert arrived == 400_000
    assert last.headers["Longhand-Recording"] == str(Recording.objects.get().pk)
    assert Path(Recording.objects.get().file.path).read_bytes() == content


def test_second_writer_is_refused_until_the_first_has_ended(
    server: Server, tus: httpx2.Client
) -> None:
    path = announce(tus, 2 * MB)
    with open_line(server, path, bytes(MB), of_bytes=2 * MB - 1) as first:
        second = send(tus, path, b"2", 0)
        first.sendall(bytes(MB - 1))
        answer = first.recv(100)

    assert (second.status_code, second.json()["code"]) == (423, "upload_busy")
    assert answer.startswith(b"HTTP/1.1 204")
    assert offset_of(tus, path) == 2 * MB - 1


def test_memory_does_not_grow_with_a_piece(server: Server, tus: httpx2.Client) -> None:
    path = announce(tus, 101 * MB)
    send(tus, path, bytes(MB), 0)
    before = peak_bytes(server)

    response = send(tus, path, zeros(99 * MB), MB, **{"Content-Length": str(99 * MB)})

    assert response.headers["Upload-Offset"] == str(100 * MB)
    assert peak_bytes(server) - before < ALLOWANCE


def test_memory_does_not_grow_with_an_upload_in_one_request(
    server: Server, tus: httpx2.Client, tmp_path: Path
) -> None:
    header = wav_bytes(0.1)
    (tmp_path / "small.wav").write_bytes(header)
    (tmp_path / "large.wav").write_bytes(header + bytes(100 * MB))
    with (tmp_path / "small.wav").open("rb") as small:
        tus.post(RECORDINGS, files={"file": small})
    before = peak_bytes(server)

    with (tmp_path / "large.wav").open("rb") as large:
        response = tus.post(RECORDINGS, files={"file": large})

    assert response.json()["size_bytes"] > 100 * MB
    assert peak_bytes(server) - before < ALLOWANCE


@pytest.mark.parametrize("headers", [{}, {"Expect": "100-continue"}], ids=["at once", "asking"])
def test_too_large_a_body_is_refused_before_it_is_sent(
    server: Server, tus: httpx2.Client, headers: dict[str, str]
) -> None:
    host, port = server.address.split(":")
    head = [
        f"POST {RECORDINGS} HTTP/1.1",
        f"Host: {server.address}",
        f"Authorization: Basic {TOKEN}",
        "Content-Type: multipart/form-data; boundary=b",
        f"Content-Length: {10**13}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]

    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall("\r\n".join([*head, "", ""]).encode())
        answer = b""
        while b"too_large" not in answer and (block := line.recv(4096)):
            answer += block

    assert b"HTTP/1.1 413 " in answer
