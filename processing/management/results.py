"""Files that transcripts are written to: whole or not there, and no other is lost."""

import argparse
import os
from itertools import chain, count
from pathlib import Path, PurePath

from processing.services.exports import FORMATS

#: What people say for a format besides its name.
ALIASES = {"txt": "text"}

Targets = dict[str, Path]


class ResultExists(Exception):
    """The file that a transcript would be written to is there; the message names it."""


def formats(text: str) -> list[str]:
    """Parse formats with commas between them."""
    names = [ALIASES.get(name, name) for name in text.split(",")]
    for name in names:
        if name not in FORMATS:
            raise argparse.ArgumentTypeError(
                f"{name!r} is no format; known: {', '.join([*FORMATS, *ALIASES])}"
            )
    return names


class Results:
    """Chooses where the transcripts of one command go, so that no two meet in one file."""

    def __init__(self, format_names: list[str], *, is_replacing: bool) -> None:
        self._formats = list(dict.fromkeys(format_names))
        self._is_replacing = is_replacing
        self._claimed: set[Path] = set()

    def claim(self, directory: Path, recording: PurePath) -> Targets:
        """Return format -> file for the transcript of ``recording``, a path in ``directory``.

        ``talk.mp3`` becomes ``talk.txt``, or ``talk.mp3.txt`` beside that of ``talk.wav``.
        Raises ``ResultExists`` unless replacing.
        """
        numbered = (f"{recording.name} ({number})" for number in count(2))
        for base in chain([recording.stem, recording.name], numbered):
            whole = directory / recording.parent / base
            targets = {name: Path(f"{whole}.{extension(name)}") for name in self._formats}
            if self._claimed.isdisjoint(targets.values()):
                break
        self._claimed.update(targets.values())
        for target in targets.values():
            if target.exists() and not self._is_replacing:
                raise ResultExists(f"{target} exists; --force replaces it")
        return targets

    def write(self, target: Path, text: str) -> None:
        """Write a file at once; raise ``ResultExists`` when somebody else did meanwhile."""
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".longhand-{os.getpid()}.part")
        try:
            draft.write_text(text, encoding="utf-8", newline="")
            if target.exists() and not self._is_replacing:
                raise ResultExists(f"{target} exists; --force replaces it")
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)


def extension(format_name: str) -> str:
    """Return how names of files in a format end."""
    return "txt" if format_name == "text" else format_name
