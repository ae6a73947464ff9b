"""Real processes on the test database: workers to kill, commands to run."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import psutil
import redis
from django.conf import settings
from django.core.management import ManagementUtility
from django.db import connection
from psycopg.conninfo import make_conninfo

from jobs.models import Worker
from tests.waiting import wait_for


def environment(**extra: str) -> dict[str, str]:
    """Return an environment in which a command works on this test's database and Redis."""
    database = connection.settings_dict
    url = make_conninfo(
        dbname=database["NAME"],
        user=database["USER"] or None,
        password=database["PASSWORD"] or None,
        host=database["HOST"] or None,
        port=database["PORT"] or None,
    )
    return (
        os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "DATABASE_URL": url,
            "LEASE_SECONDS": "2",
            "HEARTBEAT_SECONDS": "1",
            "SWEEP_SECONDS": "1",
            "JOB_RETENTION_DAYS": "0",  # no job of a schedule among those of the test
            "METRICS_RETENTION_DAYS": "0",  # likewise
        }
        | extra
    )


def manage(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run ``manage.py`` to its end and return what it said."""
    return subprocess.run(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
        env=environment(**options.pop("env", {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )


def manage_here(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run ``manage.py`` in this process: its parser, its output, its exit code, and no start.

    For what a command says of its arguments before it works; the test must commit.
    """
    given = ["manage.py", *arguments]
    output, errors, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(output), redirect_stderr(errors):
        try:
            ManagementUtility(given).fetch_command(arguments[0]).run_from_argv(given)
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(given, code, output.getvalue(), errors.getvalue())


def processes_of_this_test() -> list[psutil.Process]:
    """Return what still runs on this test's database besides the test itself."""
    url = environment()["DATABASE_URL"]
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("DATABASE_URL") == url and process.pid != os.getpid():
                found.append(process)
    return found


class WorkerPool:
    """A running ``manage.py work``."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process

    @property
    def worker_pids(self) -> list[int]:
        """The process ids of its live workers."""
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor and every worker, as a failing host would."""
        for pid in [self.process.pid, *self.worker_pids]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self) -> int:
        """Ask it to end and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextmanager
def worker_pool(*arguments: str, concurrency: int = 2, **env: str) -> Iterator[WorkerPool]:
    """Run ``manage.py work`` on the test database; yields once its workers are registered.

    They load no engine before they need it, unless ``ENGINE`` names one.
    """
    before = Worker.objects.count()
    with subprocess.Popen(
        [sys.executable, "manage.py", "work", "--concurrency", str(concurrency), *arguments],
        cwd=Path(settings.BASE_DIR),
        env=environment(**{"ENGINE": "scripted"} | env),
        stdin=subprocess.DEVNULL,
    ) as process:
        pool = WorkerPool(process)
        try:
            wait_for(lambda: Worker.objects.count() >= before + concurrency + 1)
            yield pool
        finally:
            if process.poll() is None:
                with suppress(psutil.NoSuchProcess):
                    pool.signal(signal.SIGKILL)
                process.kill()


def empty_redis() -> None:
    """Lose every doorbell, as a restarted Redis without persistence does."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
