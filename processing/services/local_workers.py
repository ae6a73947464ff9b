"""Workers for the length of one command, on machines where nobody runs any."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.conf import settings

from jobs.models import Worker
from jobs.services.parenthood import end_with_parent
from processing.choices import CHUNK_QUEUE, TRANSCRIPTION_QUEUE
from processing.exceptions import ProcessingError


class WorkersDied(ProcessingError):
    """The workers that a command started for itself ended before its work was done."""

    code = "workers_died"


class LocalWorkers:
    """A supervisor with its workers, run as a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def check(self) -> None:
        """Raise ``WorkersDied`` when they are gone; what they said is on standard error."""
        code = self._process.poll()
        if code is not None:
            raise WorkersDied(f"the workers ended with exit code {code}")


def are_running(*queue_names: str) -> bool:
    """Say whether live workers, on whatever hosts, serve these queues.

    Where none is named, those that a transcript needs.
    """
    live = Worker.objects.live()
    needed = queue_names or (TRANSCRIPTION_QUEUE, CHUNK_QUEUE)
    return all(live.serving(name).exists() for name in needed)


@contextmanager
def local_workers(concurrency: int = 0, *queue_names: str) -> Iterator[LocalWorkers]:
    """Run ``concurrency`` workers (default: one per processor) while the block runs.

    They serve ``queue_names``, or all queues where none is named.
    """
    concurrency = concurrency or os.cpu_count() or 1
    queues = ["--queues", *queue_names] if queue_names else []
    process = subprocess.Popen(
        [sys.executable, "manage.py", "work", "--concurrency", str(concurrency), *queues],
        cwd=settings.BASE_DIR,
        env={"LOG_LEVEL": "WARNING", **os.environ},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),  # standard output belongs to the transcript
        start_new_session=True,  # Ctrl-C is for the command, which then stops them in order
        preexec_fn=partial(
            end_with_parent, signal.SIGTERM, os.getpid()
        ),  # however the command ends
    )
    try:
        yield LocalWorkers(process)
    finally:
        process.terminate()
        try:
            process.wait()
        except KeyboardInterrupt:
            process.terminate()  # the second signal: give back at once
            process.wait()
