"""What a confined process can do, and what it cannot."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from processing.extraction.confined import (
    Confinement,
    Died,
    SaidTooMuch,
    TookTooLong,
    confined_lines,
)
from tests.waiting import wait_for

CONFINEMENT = Confinement(seconds=20, memory_bytes=256 * 1024**2, output_bytes=10_000)


@pytest.fixture
def file() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as content:
        content.write(b"first\n" + b"x" * 5_000 + b"\nlast")
        content.flush()
        yield content


def attempt(what: str, file: IO[bytes], confinement: Confinement = CONFINEMENT) -> list[bytes]:
    with confined_lines(
        "tests.knowledge.confined_child", what, stdin=file, confinement=confinement
    ) as lines:
        return list(lines)


def test_it_reads_its_file_from_the_start_and_answers_in_lines(file: IO[bytes]) -> None:
    file.seek(7)

    assert attempt("echo", file) == [b"first", b"x" * 5_000]


def test_it_is_told_nothing_of_us(file: IO[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hidden")

    [names] = attempt("environment", file)

    assert b"SECRET_KEY" not in names
    assert b"PATH" in names


def test_it_holds_no_file_but_its_own(file: IO[bytes]) -> None:
    with tempfile.TemporaryFile() as other:
        os.set_inheritable(other.fileno(), True)
        [count] = attempt("descriptors", file)

    assert int(count) == 4  # the three of each process, and the one that lists them


@pytest.mark.parametrize(
    ("what", "fate"),
    [
        pytest.param("fail", "status 3", id="ends with a status"),
        pytest.param("raise", "status 1", id="raises"),
        pytest.param("crash", "SIGSEGV", id="crashes"),
        pytest.param("be killed", "SIGKILL", id="is killed"),
        pytest.param("allocate", "status 1", id="takes memory"),
        pytest.param("open many", "status 1", id="opens files"),
    ],
)
def test_how_it_died_is_said(file: IO[bytes], what: str, fate: str) -> None:
    with pytest.raises(Died, match=fate):
        attempt(what, file)


def test_it_cannot_write_files(file: IO[bytes], tmp_path: Path) -> None:
    path = tmp_path / "written"

    with pytest.raises(Died):
        attempt(f"write:{path}", file)

    assert not path.exists() or path.read_bytes() == b""


def test_answer_without_end_is_cut_off(file: IO[bytes]) -> None:
    with pytest.raises(SaidTooMuch, match="10,000 bytes"):
        attempt("flood", file)


@pytest.mark.parametrize("what", ["sleep", "spin"])
def test_it_ends_when_its_time_is_over(file: IO[bytes], what: str) -> None:
    with pytest.raises(TookTooLong, match="longer than 1 s"):
        attempt(what, file, Confinement(1, 256 * 1024**2, 10_000))


def test_leaving_early_kills_it(file: IO[bytes]) -> None:
    with confined_lines(
        "tests.knowledge.confined_child", "sleep", stdin=file, confinement=CONFINEMENT
    ) as lines:
        pid = int(next(lines))

    wait_for(lambda: not Path(f"/proc/{pid}").exists())
