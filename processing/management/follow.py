"""Watching runs from a terminal."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TextIO

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
    *("total_samples", "done_samples", "started_at", "error_code", "error_message"),
]

BAR = "{desc} |{bar}| {postfix[0]} [{elapsed}]"

#: The height of a terminal that does not tell.
ROWS = 24


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
    with Board(stream) as board:
        board.add(processing, description=description)
        while board.look():
            check()
            time.sleep(POLL_SECONDS)
    return processing


@dataclass
class _Followed:
    processing: ProcessingTask
    description: str
    since: float = field(default_factory=time.time)


class Board:
    """Follows runs, all with one query; on a terminal, shows a bar for each that fits.

    The last line sums up those that do not fit, and says what else goes on (``status``).
    """

    def __init__(self, stream: TextIO) -> None:
        self.status = ""
        self._stream = stream
        self._is_seen = stream.isatty()
        self._active: list[_Followed] = []
        self._added_count = 0
        self._bars: list[tqdm[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._show([])

    def add(self, processing: ProcessingTask, *, description: str) -> None:
        """Follow another run, which may be over already or followed by another name."""
        self._active.append(_Followed(processing, description))
        self._added_count += 1

    def look(self) -> bool:
        """Bring all runs up to date and show them; say whether any is still active."""
        if self._active:
            _refresh([followed.processing for followed in self._active])
        self._active = [f for f in self._active if f.processing.is_active]
        self.show()
        return bool(self._active)

    def show(self) -> None:
        """Draw what is known, without looking."""
        room = self._rows() - 1
        is_summed_up = bool(self.status) or len(self._active) > room
        shown = self._active[: room - 1 if is_summed_up else room]
        lines: list[_Followed | str] = [*shown]
        if is_summed_up:
            lines.append(self._summary(len(shown)))
        self._show(lines)

    @contextmanager
    def cleared(self) -> Iterator[None]:
        """Take the bars away while the block writes to the terminal."""
        with tqdm.external_write_mode(file=self._stream):
            yield

    def _summary(self, shown_count: int) -> str:
        parts = [self.status] if self.status else []
        if hidden := len(self._active) - shown_count:
            over = self._added_count - len(self._active)
            parts.append(f"{hidden} more under way, {over} of {self._added_count} over")
        return "; ".join(parts)

    def _rows(self) -> int:
        try:
            return max(os.get_terminal_size(self._stream.fileno()).lines, 3)
        except (OSError, ValueError):
            return ROWS

    def _show(self, lines: list[_Followed | str]) -> None:
        if not self._is_seen:
            return
        while len(self._bars) > len(lines):
            self._bars.pop().close()
        while len(self._bars) < len(lines):
            self._bars.append(self._bar(len(self._bars)))
        for bar, line in zip(self._bars, lines, strict=True):
            if isinstance(line, str):
                bar.bar_format = "{desc}"
                bar.desc = line
            else:
                _draw(bar, line)
            bar.refresh()

    def _bar(self, position: int) -> "tqdm[None]":
        return tqdm(
            file=self._stream,
            position=position,
            bar_format="{desc}",  # nothing until there is something to draw
            nrows=1_000_000,  # tqdm hides nothing: what fits is our affair
            postfix=[""],
            leave=False,
        )


def _draw(bar: "tqdm[None]", followed: _Followed) -> None:
    progress = Progress.of(followed.processing)
    count = "?" if progress.chunk_count is None else progress.chunk_count
    bar.bar_format = BAR
    bar.desc = followed.description
    bar.start_t = followed.since
    bar.total = progress.total_seconds
    bar.n = progress.done_seconds
    bar.postfix[0] = f"{progress}, {progress.settled_chunks} of {count} chunks"


def _refresh(processings: list[ProcessingTask]) -> None:
    """Read what changes while runs go on, waiting for a database that is away."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            rows = ProcessingTask.objects.only(*CHANGING).in_bulk({p.pk for p in processings})
            break
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                raise
            connection.close()
            time.sleep(1)
    for processing in processings:
        if processing.pk not in rows:
            raise ProcessingTask.DoesNotExist("the run was deleted")
        for name in CHANGING:
            setattr(processing, name, getattr(rows[processing.pk], name))
