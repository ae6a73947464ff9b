"""Real PostgreSQL and real Redis from Python wheels, for whoever has installed neither.

No process owns the servers. All that use them do, and the kernel keeps the account:

- A user holds a shared lock on ``users.lock`` until its process ends, however it ends.
- A detached guardian holds ``guardian.lock``, starts the servers, starts them again should
  one die, and tries for an exclusive ``users.lock``: with that in hand nobody is left, so it
  stops them and ends.
- ``start.lock`` lets one starter at a time look for a guardian and launch one. The guardian
  inherits this lock until the servers answer, so a starter that dies half-way leaves no
  room for a second guardian.

A guardian that was killed leaves the servers running; the next one adopts them.
"""

import os
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache

from config import env
from config.embedded import locks
from config.embedded.servers import (
    ROOT,
    SERVERS,
    START_SECONDS,
    EmbeddedServerError,
    database_url,
    redis_url,
)

__all__ = ["EmbeddedServerError", "database_url", "hold", "redis_url"]

LOG = ROOT / "servers.log"
LOG_LIMIT_BYTES = 1024**2


@cache
def hold() -> None:
    """Keep the embedded servers up, started if need be, until this process ends.

    They answer when this returns; EmbeddedServerError when they cannot be started. Forked
    children hold them too; a child that executes another program has to call this itself.
    A server whose URL is in the environment is somebody else's and left alone.
    """
    urls = {"postgres": env.DATABASE_URL, "redis": env.REDIS_URL}
    needed = [name for name, url in urls.items() if not url]
    if not needed:
        return
    try:
        ROOT.mkdir(parents=True, exist_ok=True)
        start = locks.exclusive(ROOT / "start.lock")
        users = locks.shared(ROOT / "users.lock")
        try:
            _ensure_answering(needed, start)
        except BaseException:
            os.close(users)  # else never: the end of the process closes it
            raise
        finally:
            os.close(start)
    except OSError as error:
        raise EmbeddedServerError(f"The embedded servers cannot be started: {error}") from error


def _ensure_answering(needed: list[str], start: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with suppress(BlockingIOError):
            os.close(locks.exclusive(ROOT / "guardian.lock", wait=False))
            _launch_guardian(needed, start)
        if all(SERVERS[name].answering_pid() for name in needed):
            return
        if time.monotonic() > deadline:
            raise EmbeddedServerError(f"The embedded servers do not answer.\n{_last_log_lines()}")
        time.sleep(0.05)


def _launch_guardian(needed: list[str], start: int) -> None:
    """Return when a new guardian says that its servers answer; raise its last words otherwise."""
    if LOG.exists() and LOG.stat().st_size > LOG_LIMIT_BYTES:
        LOG.unlink()
    reader, ready = os.pipe()
    with LOG.open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "config.embedded.guardian", str(start), str(ready), *needed],
            check=False,  # the pipe says whether all went well
            cwd=env.BASE_DIR,
            env={**os.environ, "LONGHAND_VAR": str(env.VAR)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a terminal is for the user process alone
            pass_fds=(start, ready),
        )
    os.close(ready)
    with os.fdopen(reader, "rb") as answer:
        if not answer.read():
            raise EmbeddedServerError(f"The embedded servers do not start.\n{_last_log_lines()}")


def _last_log_lines(count: int = 12) -> str:
    return "\n".join(LOG.read_text(errors="replace").splitlines()[-count:])
