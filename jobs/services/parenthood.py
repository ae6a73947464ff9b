"""Processes that must not outlive the one that started them."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(number: signal.Signals, parent_pid: int) -> None:
    """Have the kernel send this process ``number`` when its parent ends, however it ends.

    Called in the child, which ends at once when ``parent_pid`` has ended before the call.
    Linux only: elsewhere a child of a killed parent lives on until it is stopped by hand; its
    leases are no longer renewed, so its work is done again by others and its results refused.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent_pid:
            os._exit(1)
