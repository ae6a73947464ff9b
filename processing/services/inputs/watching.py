"""Handing in what appears in a folder, once it has stopped changing.

Looked at again and again, not by inotify, which sees nothing of what other machines do on a
network share. The folder is the memory: what was handed in is moved out of it or deleted. A
watcher that dies in between hands the file in again, which changes nothing: the same content is
one recording, and an equal request one transcript. So several watchers may share a folder.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from django.db import InterfaceError, OperationalError, connection

from processing.exceptions import AudioTooLarge, QuotaReached, StorageFull, UnreadableAudio
from processing.models import Workspace
from processing.services.inputs.folders import (
    FileGone,
    Fingerprint,
    UnreadableFile,
    blocks_of,
    move,
    opened,
    reserve,
    scan,
)
from processing.services.inputs.spooling import refuse_over_limit, spooled
from processing.services.inputs.submission import Submission, submit_recording
from processing.workspaces.quotas import refuse_over_storage

#: Where things go, within the folder.
DONE, REJECTED = "done", "rejected"

#: How long to leave everything when the database is away or storage is full.
RETRY_SECONDS = 30.0

#: And when the workspace may have no more: that takes somebody to delete, or a new month.
QUOTA_SECONDS = 600.0


@dataclass(frozen=True)
class HandedIn:
    """A file that was handed in; ``left`` says why it is still in the folder, if it is."""

    path: Path
    submission: Submission
    left: str = ""


@dataclass(frozen=True)
class Refused:
    """A file that was not taken, and why; ``left`` as in ``HandedIn``."""

    path: Path
    reason: str
    left: str = ""


@dataclass(frozen=True)
class Trouble:
    """Why nothing is taken for now; the files stay where they are."""

    reason: str


Outcome = HandedIn | Refused | Trouble


@dataclass(frozen=True)
class HandIn:
    """Whose the recordings become and what is asked of each."""

    workspace: Workspace
    engine: str = ""
    language: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


class FolderWatcher:
    """Takes a file of ``folder`` when size and mtime were the same for ``stable_seconds``.

    Afterwards it is below ``done_folder``, or deleted when that is None; what is refused is
    below ``rejected/`` with a ``.txt`` that says why. What cannot be moved is remembered until
    it changes, by this object only. ``clock`` counts seconds; ``scan_seconds`` is how long the
    last look took to see what is there.
    """

    def __init__(
        self,
        folder: Path,
        *,
        hand_in: HandIn,
        done_folder: Path | None,
        stable_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._hand_in = hand_in
        self._done = done_folder
        self._rejected = folder / REJECTED
        self._skipped = {self._rejected} if done_folder is None else {self._rejected, done_folder}
        self._stable_seconds = stable_seconds
        self._clock = clock
        self.scan_seconds = 0.0
        self._seen: dict[Path, tuple[Fingerprint, float]] = {}
        self._handled: dict[Path, Fingerprint] = {}
        self._resume_at = 0.0
        self._trouble = ""

    def look(self) -> Iterator[Outcome]:
        """Take what has settled, the oldest first; yield what became of it as it does."""
        now = self._clock()
        try:
            found = scan(self._folder, skipped=self._skipped)
        except OSError as error:
            yield from self._pause(f"{self._folder}: {error.strerror}")
            return
        self.scan_seconds = self._clock() - now
        self._seen = {
            path: before
            if (before := self._seen.get(path)) and before[0] == fingerprint
            else (fingerprint, now)
            for path, fingerprint in found.items()
        }
        self._handled = {p: f for p, f in self._handled.items() if found.get(p) == f}
        if now < self._resume_at:
            return
        for path in self._settled(now):
            try:
                outcome = self._take(path, found[path])
            except QuotaReached as error:
                yield from self._pause(str(error), seconds=QUOTA_SECONDS)
                return
            except (StorageFull, OSError, OperationalError, InterfaceError) as error:
                connection.close()
                said = error.strerror if isinstance(error, OSError) else str(error)
                yield from self._pause((said or type(error).__name__).splitlines()[0])
                return
            if outcome is not None:
                self._seen.pop(path)
                self._trouble = ""
                yield outcome

    def unsettled(self) -> list[Path]:
        """Return what the last look found and left: it had changed too lately, or it could not."""
        return sorted(path for path in self._seen if path not in self._handled)

    def _settled(self, now: float) -> list[Path]:
        return sorted(
            (
                path
                for path, (_, since) in self._seen.items()
                if now - since >= self._stable_seconds and path not in self._handled
            ),
            key=lambda path: (self._seen[path][0].modified_ns, path),
        )

    def _pause(self, reason: str, *, seconds: float = RETRY_SECONDS) -> Iterator[Trouble]:
        """Leave everything for a while; tell a reason once."""
        self._resume_at = self._clock() + seconds
        if reason != self._trouble:
            self._trouble = reason
            yield Trouble(reason)

    def _take(self, path: Path, fingerprint: Fingerprint) -> Outcome | None:
        """Hand one file in or refuse it; None when it changed or went meanwhile."""
        try:
            with opened(path) as file:
                submission = self._submit(path.name, file, fingerprint)
        except FileGone:
            return None
        except UnreadableFile as error:
            self._handled[path] = fingerprint
            return Refused(path, str(error), "it is read again when it changes")
        except (UnreadableAudio, AudioTooLarge) as error:
            reason = str(error)
            return Refused(path, reason, self._clear(path, fingerprint, self._rejected, reason))
        if submission is None:
            return None
        return HandedIn(path, submission, self._clear(path, fingerprint, self._done))

    def _submit(self, name: str, file: IO[bytes], fingerprint: Fingerprint) -> Submission | None:
        """Hand in a copy, which nobody writes to; None when the file changed meanwhile."""
        if not _is_still(file, fingerprint):
            return None
        refuse_over_limit(fingerprint.size_bytes)
        self._hand_in.workspace.refresh_from_db()  # limits change while a folder is watched
        refuse_over_storage(self._hand_in.workspace, fingerprint.size_bytes)
        with spooled(blocks_of(file), name=name) as copy:
            if not _is_still(file, fingerprint) or copy.size != fingerprint.size_bytes:
                return None
            os.fsync(copy.fileno())  # the original may be deleted next
            return submit_recording(
                source=copy,
                name=name,
                workspace=self._hand_in.workspace,
                engine=self._hand_in.engine,
                language=self._hand_in.language,
                parameters=self._hand_in.parameters,
                sha256=copy.sha256,
            )

    def _clear(
        self, path: Path, fingerprint: Fingerprint, target: Path | None, reason: str = ""
    ) -> str:
        """Get a file out of the way unless it changed; return why it is still there, if it is."""
        try:
            if Fingerprint.of(path.lstat()) != fingerprint:
                return ""  # it is somebody's again; the next look sees it as new
            if target is None:
                path.unlink()
            else:
                moved = move(path, target / path.relative_to(self._folder))
                if reason:
                    reserve(moved.with_name(f"{moved.name}.txt")).write_text(f"{reason}\n")
        except (FileGone, FileNotFoundError):
            return ""  # another watcher was first
        except OSError as error:
            self._handled[path] = fingerprint
            return error.strerror or str(error)
        return ""


def _is_still(file: IO[bytes], fingerprint: Fingerprint) -> bool:
    return Fingerprint.of(os.fstat(file.fileno())) == fingerprint
