"""``python -m tests.bench.queue [PART ...]``: run parts of the benchmark and clean up after them.

The benchmark itself is a child of this process (``suite``), in a session of its own. However it
ends, this one ends whatever it started and deletes whatever it wrote.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

import psutil

from tests.bench.queue import environment
from tests.bench.queue.scoreboard import VARIABLE, Scoreboard
from tests.bench.queue.tasks import SPIN_VARIABLE, calibrated_turns

#: Where memory is a file; elsewhere the scoreboard is a file on disk.
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  the name is mkdtemp's

#: How long the embedded servers may take to end.
STOP_SECONDS = 60.0


def main() -> None:
    environment.install()
    root = Path(tempfile.mkdtemp(prefix="longhand-bench-"))
    memory = root
    try:
        if SHARED_MEMORY.is_dir():
            memory = Path(tempfile.mkdtemp(prefix="longhand-bench-", dir=SHARED_MEMORY))
        code = _run(root, memory / "board")
    finally:
        _end_processes(str(memory / "board"))
        shutil.rmtree(root)
        shutil.rmtree(memory, ignore_errors=True)
    sys.exit(code)


def _run(root: Path, board: Path) -> int:
    """Run the benchmark, in a session of its own so that Ctrl-C is for us; return its exit code."""
    Scoreboard.create(board)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.queue.suite", *sys.argv[1:]],
        cwd=environment.PROJECT,
        env=_environment(root, board),
        start_new_session=True,
    )

    def stop(number: int, frame: FrameType | None) -> None:
        process.kill()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    code = process.wait()
    return 128 - code if code < 0 else code


def _environment(root: Path, board: Path) -> dict[str, str]:
    """Return an environment of the benchmark's own: nothing of ours reaches other servers."""
    servers = ("DATABASE_URL", "REDIS_URL")
    return {name: value for name, value in os.environ.items() if name not in servers} | {
        "LONGHAND_VAR": str(root / "var"),
        "DJANGO_SETTINGS_MODULE": "tests.bench.queue.settings",
        "LOG_LEVEL": "ERROR",
        "PYTHONPATH": str(environment.PROJECT),
        VARIABLE: str(board),
        SPIN_VARIABLE: str(calibrated_turns()),
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


if __name__ == "__main__":
    main()
