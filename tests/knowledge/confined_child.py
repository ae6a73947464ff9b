"""What a process that is confined may try; run as ``python -m``."""

import os
import signal
import socket
import sys
import time
from pathlib import Path


def flood() -> None:
    while True:
        print("x" * 1000)  # noqa: T201  it is its answer


def sleep_in_another_process() -> None:
    print(os.getpid(), flush=True)  # noqa: T201
    time.sleep(60)


def spin() -> None:
    while True:
        pass


TRIES = {
    "echo": lambda: print(sys.stdin.read(), end=""),  # noqa: T201
    "environment": lambda: print(sorted(os.environ)),  # noqa: T201
    "descriptors": lambda: print(len(os.listdir("/proc/self/fd"))),  # noqa: T201, PTH208
    "fail": lambda: sys.exit(3),
    "raise": lambda: 1 / 0,
    "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "be killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "allocate": lambda: bytearray(1 << 30),
    "write": lambda: Path(sys.argv[1]).write_bytes(b"x"),
    "open many": lambda: [socket.socket() for _ in range(100)],
    "flood": flood,
    "sleep": sleep_in_another_process,
    "spin": spin,
}

if __name__ == "__main__":
    name, _, sys.argv[1] = sys.argv[1].partition(":")
    TRIES[name]()
