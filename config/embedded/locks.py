"""Locks that the kernel releases when the last process holding them has ended, however it ended."""

import fcntl
import os
from pathlib import Path


def shared(path: Path, *, wait: bool = True) -> int:
    """Take a lock that others may share; return the descriptor whose closing releases it.

    BlockingIOError if one alone has it and we do not wait.
    """
    return _lock(path, fcntl.LOCK_SH if wait else fcntl.LOCK_SH | fcntl.LOCK_NB)


def exclusive(path: Path, *, wait: bool = True) -> int:
    """Like ``shared``, but for one alone; BlockingIOError if it is taken and we do not wait."""
    return _lock(path, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock(path: Path, how: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode=0o600)
    try:
        fcntl.flock(descriptor, how)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
