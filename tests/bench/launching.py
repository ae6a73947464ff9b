"""Runs the parts of a benchmark on servers of their own, and cleans up after them.

The benchmark itself is a child of this process, in a session of its own. However it ends, this
one ends whatever it started and deletes whatever it wrote.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import psutil

from tests.bench import environment

#: Where memory is a file; elsewhere what processes share is a file on disk.
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  the name is mkdtemp's

#: How long the embedded servers may take to end.
STOP_SECONDS = 60.0

#: Where everything is written; also the mark by which the processes of a run are known.
VARIABLE = "LONGHAND_VAR"


def launch(
    suite: str,
    *,
    settings: str,
    prepare: Callable[[Path], dict[str, str]] = lambda _: {},
    install: Callable[[], None] = environment.install,
) -> None:
    """Run the module ``suite`` with our arguments, once the peers are installed; exit as it did.

    ``prepare`` makes what its processes share, in the directory it is given, and returns what
    else is in their environment.
    """
    install()
    root = Path(tempfile.mkdtemp(prefix="longhand-bench-"))
    memory = root
    try:
        if SHARED_MEMORY.is_dir():
            memory = Path(tempfile.mkdtemp(prefix="longhand-bench-", dir=SHARED_MEMORY))
        code = _run(suite, _environment(root, settings) | prepare(memory))
    finally:
        _end_processes(str(root / "var"))
        shutil.rmtree(root)
        shutil.rmtree(memory, ignore_errors=True)
    sys.exit(code)


def _run(suite: str, variables: dict[str, str]) -> int:
    """Run the benchmark, in a session of its own so that Ctrl-C is for us; return its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", suite, *sys.argv[1:]],
        cwd=environment.PROJECT,
        env=variables,
        start_new_session=True,
    )

    def stop(number: int, frame: FrameType | None) -> None:
        process.kill()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    code = process.wait()
    return 128 - code if code < 0 else code


def _environment(root: Path, settings: str) -> dict[str, str]:
    """Return an environment of the benchmark's own: nothing of ours reaches other servers."""
    servers = ("DATABASE_URL", "REDIS_URL")
    return {name: value for name, value in os.environ.items() if name not in servers} | {
        VARIABLE: str(root / "var"),
        "DJANGO_SETTINGS_MODULE": settings,
        "LOG_LEVEL": "ERROR",
        "PYTHONPATH": str(environment.PROJECT),
    }


def _end_processes(mark: str) -> None:
    """Kill what the benchmark left running; its servers end by themselves after that."""
    while running := [process for process in _marked(mark) if not _is_guardian(process)]:
        for process in running:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(running, timeout=5)
    deadline = time.monotonic() + STOP_SECONDS
    while _marked(mark) and time.monotonic() < deadline:
        time.sleep(0.05)


def _marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(VARIABLE) == mark:
                found.append(process)
    return found


def _is_guardian(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return "config.embedded.guardian" in process.cmdline()
    return False
