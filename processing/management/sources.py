"""What a command is asked to transcribe: files, all recordings in directories, URLs."""

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from processing.management.names import one_line
from processing.services.inputs.fetching import is_url
from processing.services.inputs.folders import scan

#: What is taken from a directory; a file that is named is taken whatever it is called.
SUFFIXES = frozenset(
    {
        *(".aac", ".flac", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp3", ".mp4"),
        *(".oga", ".ogg", ".opus", ".w64", ".wav", ".wave", ".weba", ".webm", ".3gp"),
    }
)


class UnusableSource(Exception):
    """An argument that is no recording and holds none; the message says which and why."""


@dataclass(frozen=True)
class Source:
    """One recording: a file at ``path``, or what ``url`` leads to when that is None.

    ``place`` is where it lies within the directory that was asked for.
    """

    shown: str
    path: Path | None
    url: str
    place: PurePath


def sources_of(arguments: Iterable[str]) -> list[Source]:
    """Return the recordings that arguments mean, in their order.

    Raises ``UnusableSource`` for the first file or directory that cannot be used.
    """
    return [source for argument in arguments for source in _sources(argument)]


def _sources(argument: str) -> Iterator[Source]:
    if is_url(argument):
        yield Source(_without_query(argument), None, argument, PurePath())
        return
    path = Path(argument)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            yield from _in_directory(path)
            return
        if not stat.S_ISREG(mode):
            raise ValueError("not a regular file")
        with path.open("rb"):
            yield Source(str(path), path, "", PurePath(path.name))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnusableSource(f"{one_line(argument)}: {reason}") from error


def _in_directory(directory: Path) -> Iterator[Source]:
    paths = sorted(path for path in scan(directory) if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError("Is a directory without recordings")
    for path in paths:
        yield Source(str(path), path, "", path.relative_to(directory))


def _without_query(url: str) -> str:
    """Return a URL as it may be shown: queries carry people's tokens."""
    return url.partition("?")[0].partition("#")[0]
