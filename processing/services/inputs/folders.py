"""Folders of recordings that others fill: what is in them, and moving it out of the way."""

import errno
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, Self

#: How browsers, editors and copying programs call what is not whole yet.
UNFINISHED_SUFFIXES = (".part", ".partial", ".crdownload", ".download", ".filepart", ".tmp", "~")

#: What desktops leave in folders.
LITTER = ("thumbs.db", "desktop.ini")

READ_BYTES = 1 << 20


class UnreadableFile(Exception):
    """A file of a folder, not a disk of ours, that cannot be read."""


class FileGone(Exception):
    """A file of a folder that somebody moved or deleted."""


@dataclass(frozen=True)
class Fingerprint:
    """What changes when somebody writes to a file."""

    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        return cls(status.st_size, status.st_mtime_ns)


def scan(folder: Path, *, skipped: Collection[Path] = ()) -> dict[Path, Fingerprint]:
    """Return the regular files of ``folder`` and its subfolders.

    Hidden and unfinished ones, those in ``skipped`` folders and whatever is reached by a
    symbolic link are left out. Raises OSError when ``folder`` itself cannot be read.
    """
    found: dict[Path, Fingerprint] = {}
    pending = [folder]
    while pending:
        directory = pending.pop()
        try:
            entries = os.scandir(directory)
        except OSError:
            if directory == folder:
                raise
            continue  # gone, or not for us to see
        with entries:
            for entry in entries:
                if _is_unfinished(entry.name):
                    continue
                path = directory / entry.name
                with suppress(FileNotFoundError):
                    if entry.is_file(follow_symlinks=False):
                        found[path] = Fingerprint.of(entry.stat(follow_symlinks=False))
                    elif entry.is_dir(follow_symlinks=False) and path not in skipped:
                        pending.append(path)
    return found


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, unless a link has taken its place.

    Raises ``FileGone`` or ``UnreadableFile``.
    """
    try:
        # without waiting: a pipe might have taken its place
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    except FileNotFoundError as error:
        raise FileGone from error
    except OSError as error:
        raise UnreadableFile(error.strerror) from error
    with file:
        yield file


def blocks_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of a file in parts; raise ``UnreadableFile``."""
    try:
        while block := file.read(READ_BYTES):
            yield block
    except OSError as error:
        raise UnreadableFile(error.strerror) from error


def move(path: Path, target: Path) -> Path:
    """Move a file to ``target``, or next to it when something is there; return where it is.

    Raises OSError; ``FileGone`` when somebody else moved it first.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    reserved = reserve(target)
    try:
        try:
            path.replace(reserved)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _move_across(path, reserved)
    except OSError as error:
        reserved.unlink(missing_ok=True)
        if isinstance(error, FileNotFoundError):
            raise FileGone from error
        raise
    return reserved


def reserve(target: Path) -> Path:
    """Create and return ``target``, or ``a (2).wav`` and so on when somebody has ``a.wav``."""
    for number in count(1):
        name = target.name if number == 1 else f"{target.stem} ({number}){target.suffix}"
        with suppress(FileExistsError):
            path = target.with_name(name)
            path.touch(exist_ok=False)
            return path
    raise AssertionError("count never ends")


def _move_across(path: Path, target: Path) -> None:
    """Copy to another file system, so that ``target`` is whole or not there; then delete."""
    draft = target.with_name(f".{os.getpid()}.part")
    try:
        shutil.copy2(path, draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    path.unlink()


def _is_unfinished(name: str) -> bool:
    lowered = name.lower()
    return name.startswith(".") or lowered.endswith(UNFINISHED_SUFFIXES) or lowered in LITTER
