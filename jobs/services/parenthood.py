"""Processes that must not outlive the one that started them."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(number: signal.Signals) -> None:
    """Have the kernel send this process ``number`` when its parent ends, however it ends.

    Called in the child. Linux only; elsewhere a child of a killed parent lives on until it is
    stopped by hand, and the leases of its work keep that harmless.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
