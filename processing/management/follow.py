"""Watching a run from a terminal."""

import time
from collections.abc import Callable
from typing import TextIO

from django.db import InterfaceError, OperationalError, connection
from tqdm import tqdm

from processing.models import ProcessingTask
from processing.services.progress import Progress

#: How often to look; a person sees no difference, the database hardly any load.
POLL_SECONDS = 0.1

#: How long to wait for a database that is away; the run goes on without us.
PATIENCE_SECONDS = 60.0

CHANGING = [
    *("status", "total_chunks", "completed_chunks", "failed_chunks"),
    *("total_samples", "done_samples", "error_code", "error_message"),
]

BAR = "{desc} |{bar}| {postfix[0]} [{elapsed}<{remaining}]"


def follow(
    processing: ProcessingTask,
    *,
    description: str,
    stream: TextIO,
    check: Callable[[], None] = lambda: None,
) -> ProcessingTask:
    """Return the run once it is over; on a terminal, show a bar on ``stream`` until then.

    ``check`` is called at every look and may raise to stop waiting.
    """
    with tqdm(
        total=processing.total_seconds,
        desc=description,
        file=stream,
        bar_format=BAR,
        disable=not stream.isatty(),
        postfix=[""],
        leave=False,
    ) as bar:
        while True:
            _refresh(processing)
            _show(bar, Progress.of(processing))
            if not processing.is_active:
                return processing
            check()
            time.sleep(POLL_SECONDS)


def _refresh(processing: ProcessingTask) -> None:
    """Read what changes while a run goes on, waiting for a database that is away."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return processing.refresh_from_db(fields=CHANGING)
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                raise
            connection.close()
            time.sleep(1)


def _show(bar: "tqdm[None]", progress: Progress) -> None:
    if bar.disable:
        return
    count = "?" if progress.chunk_count is None else progress.chunk_count
    bar.total = progress.total_seconds
    bar.n = progress.done_seconds
    bar.postfix[0] = f"{progress}, {progress.settled_chunks} of {count} chunks"
    bar.refresh()
