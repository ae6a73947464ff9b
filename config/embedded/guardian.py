"""The detached process that runs the servers until the last of their users has ended."""

import os
import signal
import sys
import time
from contextlib import suppress

import psutil

from config.embedded import locks
from config.embedded.servers import (
    ROOT,
    SERVERS,
    START_SECONDS,
    EmbeddedServerError,
    Server,
    prepare_directories,
    remove_sockets,
)

#: How often to look whether the users have ended.
WATCH_SECONDS = 0.2
STOP_SECONDS = 30
#: A server that gave up so often will not start.
MAX_EXITS = 3


def guard(start: int, ready: int, needed: list[str]) -> None:
    """Run the ``needed`` servers while there are users.

    ``start`` is the starter's lock, kept until the servers answer; ``ready`` is written then.
    """
    if os.fork():
        os._exit(0)  # the starter is to be nobody's parent for long
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    guardian = locks.exclusive(ROOT / "guardian.lock")
    running: dict[str, psutil.Process] = {}
    try:
        prepare_directories()
        running |= {name: _run(SERVERS[name]) for name in needed}
        with suppress(BrokenPipeError):
            os.write(ready, b"ready")
        os.close(ready)
        os.close(start)
        while not _all_users_have_ended():
            gone, _ = psutil.wait_procs(list(running.values()), timeout=WATCH_SECONDS)
            for name in [name for name, process in running.items() if process in gone]:
                running[name] = _run(SERVERS[name])
    finally:
        _stop(list(running.values()))
        remove_sockets()
        os.close(guardian)  # before users.lock, so that the next starter sees no guardian


def _run(server: Server) -> psutil.Process:
    """Return the process that answers for ``server``: one that is there already or a new one."""
    deadline = time.monotonic() + START_SECONDS
    child = None
    exits = 0
    try:
        while (pid := server.answering_pid()) is None:
            if child is None:
                child = server.spawn()
            elif child.poll() is not None:
                child = None
                exits += 1
            if exits == MAX_EXITS or time.monotonic() > deadline:
                raise EmbeddedServerError(f"{type(server).__name__} does not start.")
            time.sleep(0.02)
    except BaseException:
        if child is not None:
            _stop([psutil.Process(child.pid)])
        raise
    return psutil.Process(pid)


def _all_users_have_ended() -> bool:
    """When True, the lock stays with this process, and new users wait for its end."""
    try:
        locks.exclusive(ROOT / "users.lock", wait=False)
    except BlockingIOError:
        return False
    return True


def _stop(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown
    for process in psutil.wait_procs(processes, timeout=STOP_SECONDS)[1]:
        process.kill()


if __name__ == "__main__":
    try:
        guard(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    except EmbeddedServerError as error:
        sys.exit(str(error))
