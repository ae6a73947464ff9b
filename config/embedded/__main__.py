"""``python -m config.embedded``: wait until servers that nobody uses any more have ended."""

import os
import time

from config import env
from config.embedded import locks
from config.embedded.guardian import STOP_SECONDS, WATCH_SECONDS
from config.embedded.servers import ROOT


def wait_for_the_end() -> None:
    """Return once no guardian runs, or one that serves others; at most ``STOP_SECONDS`` later."""
    deadline = time.monotonic() + STOP_SECONDS
    serves_others_at = time.monotonic() + 5 * WATCH_SECONDS
    while time.monotonic() < deadline:
        try:
            os.close(locks.exclusive(ROOT / "guardian.lock", wait=False))
        except BlockingIOError:
            time.sleep(WATCH_SECONDS / 4)
        else:
            return
        if time.monotonic() > serves_others_at and not _is_stopping():
            return


def _is_stopping() -> bool:
    """Whether a guardian has found that nobody is left: it keeps the users' lock to itself."""
    try:
        os.close(locks.shared(ROOT / "users.lock", wait=False))
    except BlockingIOError:
        return True
    return False


if __name__ == "__main__" and ROOT.exists() and not (env.DATABASE_URL and env.REDIS_URL):
    wait_for_the_end()
