"""Running a module of ours on a file that may be hostile, in a process that cannot do much.

The process has no secrets in its environment and is given one file; it cannot start others, or
use more time, memory and disk than it may, and all of it is killed when that is over. It runs as
the same user, and on the same network.
"""

import json
import os
import resource
import runpy
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

#: Where ``python -m`` finds our modules.
ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": os.defpath,
    "OPENBLAS_NUM_THREADS": "1",  # numpy would reserve memory for a thread on each core
}
MAX_OPEN_FILES = 64
READ_BYTES = 1 << 16

#: How the system ends a process that has used up its time.
_OUT_OF_TIME = (signal.SIGXCPU, signal.SIGALRM)


@dataclass(frozen=True, slots=True)
class Confinement:
    """What the process may use: seconds by the clock, bytes of memory, answer and each file."""

    seconds: int
    memory_bytes: int
    output_bytes: int
    file_bytes: int = 0


class ConfinedError(Exception):
    """Base of how a confined process fails; the message says what happened to it."""


class TookTooLong(ConfinedError):
    """Its time was over before it had answered."""


class SaidTooMuch(ConfinedError):
    """Its answer is longer than it may be."""


class Died(ConfinedError):
    """It crashed, was killed, or raised what nobody caught."""


@contextmanager
def confined_lines(
    module: str, argument: str, *, stdin: IO[bytes], confinement: Confinement
) -> Iterator[Iterator[bytes]]:
    """Run ``python -m module argument`` with a real file as its stdin; yield its lines.

    The iterator raises a ``ConfinedError`` when the process does not end well. Leaving the
    block kills the process and all that it may have started.
    """
    stdin.seek(0)
    limits = json.dumps(asdict(confinement))
    process = subprocess.Popen(
        [sys.executable, "-B", "-s", "-m", __name__, limits, module, argument],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a traceback may quote the document
        cwd=ROOT,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    try:
        yield _lines(_blocks(process, confinement))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def confine(confinement: Confinement) -> None:
    """Give up, in this process and for good, all that the confined need not do."""
    seconds = confinement.seconds
    for kind, soft, hard in (
        (resource.RLIMIT_AS, confinement.memory_bytes, confinement.memory_bytes),
        (resource.RLIMIT_CPU, seconds, seconds + 1),  # SIGXCPU first: SIGKILL says no reason
        (resource.RLIMIT_FSIZE, confinement.file_bytes, confinement.file_bytes),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES, MAX_OPEN_FILES),
        (resource.RLIMIT_NPROC, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        _, most = resource.getrlimit(kind)
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(kind, (soft, hard))
    signal.alarm(confinement.seconds + 1)  # for whoever started it may be gone


def _blocks(process: "subprocess.Popen[bytes]", confinement: Confinement) -> Iterator[bytes]:
    deadline = time.monotonic() + confinement.seconds
    too_long = TookTooLong(f"it took longer than {confinement.seconds} s")
    size_bytes = 0
    assert process.stdout is not None  # noqa: S101  it is a pipe
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise too_long
            block = os.read(process.stdout.fileno(), READ_BYTES)
            if not block:
                break
            size_bytes += len(block)
            if size_bytes > confinement.output_bytes:
                raise SaidTooMuch(f"it answered more than {confinement.output_bytes:,} bytes")
            yield block
    try:
        status = process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise too_long from None
    if -status in _OUT_OF_TIME:
        raise too_long
    if status < 0:
        raise Died(f"it was ended by {signal.Signals(-status).name}")
    if status > 0:
        raise Died(f"it ended with status {status}")


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield whole lines, however long."""
    pieces: list[bytes] = []
    for block in blocks:
        *whole, rest = block.split(b"\n")
        for line in whole:
            yield b"".join([*pieces, line])
            pieces.clear()
        pieces.append(rest)


if __name__ == "__main__":
    _, given, *sys.argv = sys.argv
    confine(Confinement(**json.loads(given)))
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
