"""``manage.py serve``: everything on one machine, used as its first user does."""

import base64
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model

from tests.processes import environment, manage, processes_of_this_test
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

RIVER = Path(settings.BASE_DIR) / "processing" / "demo" / "river.opus"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the server and yield its address once the web process answers."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(port), "--concurrency", "1"],
            cwd=settings.BASE_DIR,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            wait_for(lambda: answers(f"{address}/admin/login/") or process.poll() is not None)
            yield address, process
        finally:
            if process.poll() is None:
                process.terminate()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url) as answer:  # noqa: S310  our own address
            return bool(answer.status == 200)
    except OSError:
        return False


def call(url: str, login: str, data: bytes | None = None, **headers: str) -> Any:
    token = base64.b64encode(login.encode()).decode()
    request = urllib.request.Request(url, data, {"Authorization": f"Basic {token}"} | headers)  # noqa: S310  our own address
    with urllib.request.urlopen(request) as answer:  # noqa: S310  our own address
        return json.load(answer)


def multipart(path: Path) -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'
    return head.encode() + path.read_bytes() + b"\r\n--x--\r\n"


def test_the_printed_login_uploads_a_recording_and_reads_its_transcript(tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    with serving(log) as (address, process):
        password = re.findall(r"Password: (\S+)", log.read_text())[0]
        login = f"admin:{password}"

        recording = call(
            f"{address}/api/v1/recordings/",
            login,
            multipart(RIVER),
            **{"Content-Type": "multipart/form-data; boundary=x"},
        )
        url = f"{address}/api/v1/transcripts/{recording['transcript']['id']}/"
        wait_for(lambda: call(url, login)["status"] == "COMPLETED")
        transcript = call(url, login)

        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)

    assert f"Admin: {address}/admin/" in log.read_text()
    assert transcript["text"].startswith("every morning the old man walks down to the river")
    assert transcript["progress"] == 1.0
    assert processes_of_this_test() == []


def test_a_second_start_creates_no_second_login(tmp_path: Path) -> None:
    get_user_model().objects.create_superuser("somebody", password="else")  # noqa: S106

    with serving(tmp_path / "serve.log"):
        pass

    assert "Password" not in (tmp_path / "serve.log").read_text()
    assert get_user_model().objects.count() == 1


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = manage("serve", "--port", str(port))

    assert done.returncode == 1
    assert done.stderr == (
        f"CommandError: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    )
