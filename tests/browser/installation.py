"""A whole running installation, with a database and a Redis of its own."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from django.conf import settings
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config import env
from tests.browser.engine import rehearsal_of
from tests.commands.test_serve import answers, call, free_port, multipart
from tests.processes import environment
from tests.waiting import wait_for

#: Redis' databases from here on are for installations, one for each process of the suite.
FIRST_REDIS_DATABASE = 10

USER = "admin"


@dataclass(frozen=True)
class Installation:
    """Where it is, how to log in, and what its engine does."""

    address: str
    password: str
    media_root: Path
    process: "subprocess.Popen[bytes]"

    def submit(self, path: Path) -> str:
        """Send a recording as a program does; returns the id of its transcript."""
        head = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = self.ask("recordings/", multipart(path), **head)
        return str(answer["transcript"]["id"])

    def transcribe(self, path: Path) -> str:
        """As ``submit``, and wait until it was heard."""
        transcript = self.submit(path)
        wait_for(lambda: self.status_of(transcript) in ("COMPLETED", "PARTIAL"))
        return transcript

    def status_of(self, transcript: str) -> str:
        return str(self.ask(f"transcripts/{transcript}/")["status"])

    def ask(self, path: str, data: bytes | None = None, **headers: str) -> Any:
        """Ask the API."""
        url = f"{self.address}/api/v1/{path}"
        return call(url, f"{USER}:{self.password}", data, **headers)

    def rehearse(self, **told: Any) -> None:
        """Tell the engine what to do from now on: see ``RehearsedEngine``."""
        rehearsal = rehearsal_of(self.media_root)
        draft = rehearsal.with_suffix(".draft")
        draft.write_text(json.dumps(told))
        draft.replace(rehearsal)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have the web server answer nobody, as a host that hangs."""
        web = [
            process
            for process in psutil.Process(self.process.pid).children(recursive=True)
            if any("gunicorn" in word for word in process.cmdline())
        ]
        for process in web:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in web:
                process.send_signal(signal.SIGCONT)


@contextmanager
def running_installation(log: Path) -> Iterator[Installation]:
    """Run ``manage.py serve`` on an empty database; what it says is in ``log``."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    redis_database = FIRST_REDIS_DATABASE + number
    media_root = env.VAR / "tests" / str(redis_database) / "media"
    address = f"http://127.0.0.1:{(port := free_port())}"
    media_root.mkdir(parents=True, exist_ok=True)
    with (
        _database() as url,
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(port), "--concurrency", "2"],
            cwd=settings.BASE_DIR,
            env=environment(
                DJANGO_SETTINGS_MODULE="tests.browser.settings",
                DATABASE_URL=url,
                PYTEST_XDIST_WORKER=f"gw{redis_database - 2}",  # see ``config.settings.test``
                CHAT_BASE_URL="",
            ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            wait_for(lambda: answers(f"{address}/admin/login/") or process.poll() is not None)
            found = re.search(r"Password: (\S+)", log.read_text())
            assert found is not None, log.read_text()
            installation = Installation(address, found[1], media_root, process)
            installation.rehearse()
            yield installation
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=30)
            shutil.rmtree(media_root.parent, ignore_errors=True)


@contextmanager
def _database() -> Iterator[str]:
    """Make an empty database beside that of the suite; yields how to connect to it."""
    url = environment()["DATABASE_URL"]
    name = f"{conninfo_to_dict(url)['dbname']}_browser"
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(create)
        try:
            yield make_conninfo(url, dbname=name)
        finally:
            connection.execute(drop)
