"""Bars of many runs on a real terminal of few lines."""

import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from processing.choices import ProcessingStatus
from processing.management.follow import Board
from processing.models import ProcessingTask
from tests.factories.processing import ProcessingTaskFactory

pytestmark = pytest.mark.django_db


class Terminal:
    """A pseudo-terminal of 6 lines and 100 columns; ``screen`` is what it shows."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 6, 100, 0, 0))
        self.stream: TextIO = os.fdopen(slave, "w")
        self._written = ""

    @property
    def screen(self) -> list[str]:
        """Play what was written on lines that scroll no further than the terminal is high."""
        self.stream.flush()
        os.set_blocking(self._master, False)
        try:
            while part := os.read(self._master, 65_536):
                self._written += part.decode()
        except BlockingIOError:
            pass
        lines, row = [""], 0
        for piece in self._written.replace("\x1b[A", "\v").replace("\r\n", "\n").splitlines(True):
            for text in _split(piece):
                if text == "\v":
                    row -= 1
                elif text == "\n":
                    row += 1
                    lines += [""] * (row + 1 - len(lines))
                elif text != "\r":
                    lines[row] = text
        return [line.rstrip() for line in lines if line.strip()]

    def close(self) -> None:
        self.stream.close()
        os.close(self._master)


def _split(piece: str) -> Iterator[str]:
    text = ""
    for character in piece:
        if character in "\v\n\r":
            yield from [text] if text else []
            yield character
            text = ""
        else:
            text += character
    if text:
        yield text


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


def runs(count: int) -> list[ProcessingTask]:
    return ProcessingTaskFactory.create_batch(count, processing=True)


def end(*processings: ProcessingTask) -> None:
    pks = [processing.pk for processing in processings]
    ProcessingTask.objects.filter(pk__in=pks).update(
        status=ProcessingStatus.CANCELLED, completed_at="2026-01-01T00:00:00Z"
    )


def test_each_run_has_a_line(terminal: Terminal) -> None:
    with Board(terminal.stream) as board:
        for number, run in enumerate(runs(3)):
            board.add(run, description=f"file-{number}")
        board.look()

        shown = [line.split(" |")[0] for line in terminal.screen]

    assert shown == ["file-0", "file-1", "file-2"]


def test_runs_beyond_the_height_are_summed_up_in_the_last_line(terminal: Terminal) -> None:
    with Board(terminal.stream) as board:
        for number, run in enumerate(runs(20)):
            board.add(run, description=f"file-{number}")
        board.look()

        shown = [line.split(" |")[0] for line in terminal.screen]

    assert shown == [*(f"file-{n}" for n in range(4)), "16 more under way, 0 of 20 over"]


def test_a_run_that_is_over_gives_its_line_to_the_next(terminal: Terminal) -> None:
    first, second, third = started = runs(3)
    with Board(terminal.stream) as board:
        for number, run in enumerate(started):
            board.add(run, description=f"file-{number}")
        board.look()
        end(first, third)

        assert board.look()
        shown = [line.split(" |")[0] for line in terminal.screen]

    assert shown == ["file-1"]
    assert [run.is_active for run in (first, second, third)] == [False, True, False]


def test_nothing_is_left_on_the_terminal(terminal: Terminal) -> None:
    with Board(terminal.stream) as board:
        for run in runs(9):
            board.add(run, description="file")
        board.look()

    assert terminal.screen == []


def test_what_else_goes_on_is_said_below_the_bars(terminal: Terminal) -> None:
    [run] = runs(1)
    with Board(terminal.stream) as board:
        board.add(run, description="file")
        board.look()
        board.status = "talk.mp3: 1.0 of 2.0 MB"
        board.show()

        shown = [line.split(" |")[0] for line in terminal.screen]

    assert shown == ["file", "talk.mp3: 1.0 of 2.0 MB"]


def test_a_look_is_one_query_however_many_runs_there_are() -> None:
    board = Board(io.StringIO())
    for run in runs(12):
        board.add(run, description="file")

    with CaptureQueriesContext(connection) as queries:
        board.look()

    assert len(queries) == 1


def test_what_is_no_terminal_is_left_alone() -> None:
    stream = io.StringIO()
    [run] = runs(1)
    with Board(stream) as board:
        board.add(run, description="file")
        board.look()

    assert stream.getvalue() == ""


def test_a_run_that_is_followed_twice_ends_twice() -> None:
    [run] = runs(1)
    again = ProcessingTask.objects.get(pk=run.pk)
    board = Board(io.StringIO())
    board.add(run, description="a.wav")
    board.add(again, description="b.wav")
    end(run)

    assert not board.look()
    assert (run.is_active, again.is_active) == (False, False)
