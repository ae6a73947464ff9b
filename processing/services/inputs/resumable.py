"""Recordings that arrive in pieces, however often the line breaks in between.

What has arrived lies in a file under ``FILE_UPLOAD_TEMP_DIR``, which all web hosts share like
the recordings themselves, on a file system with locks and hard links. The row says how much of
it counts. Whoever writes holds a lock on the file, and notes what was written once it is on
the disk; a host that goes down in between costs what was not noted.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.conf import settings
from django.core.files import File
from django.db import connection
from django.utils import timezone

from jobs.choices import JobPriority
from processing.exceptions import (
    AudioTooLarge,
    ChecksumMismatch,
    OffsetMismatch,
    ProcessingError,
    StorageFull,
    UnreadableAudio,
    UploadBusy,
    UploadGone,
)
from processing.models import ResumableUpload
from processing.services.files import refusing_when_full
from processing.services.inputs.pieces import Checksum, Source, blocks_of, write_block
from processing.services.inputs.submission import submit_recording
from processing.services.requesting import choose_engine
from processing.workspaces.quotas import refuse_over_storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from django.contrib.auth.models import User

    from processing.models import Workspace

DIRECTORY = "resumable"
NOTED_BYTES = 64 * 1024**2


class ReceivedFile(File):  # type: ignore[type-arg]  # it takes none when it runs
    """A whole file on the disk; storing it is a rename."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def path_of(upload: ResumableUpload) -> Path:
    return Path(settings.FILE_UPLOAD_TEMP_DIR) / upload.file


def announce_upload(
    *,
    workspace: Workspace,
    length_bytes: int,
    metadata: dict[str, Any],
    created_by: User | None = None,
) -> ResumableUpload:
    """Make room for a recording of ``length_bytes``, none of which is here yet.

    ``metadata`` has what ``submit_recording`` is to be told. What it would refuse and can be
    known now is refused now: raises ``UnreadableAudio`` for an empty file, ``AudioTooLarge``,
    ``QuotaReached``, ``StorageFull`` and what ``choose_engine`` raises.
    """
    _judge_length(length_bytes)
    choose_engine(
        metadata["engine"], metadata["language"], metadata["parameters"], workspace=workspace
    )
    others = ResumableUpload.objects.in_workspace(workspace).unfinished()
    refuse_over_storage(workspace, others.arrived_bytes() + length_bytes)
    pk = uuid4()
    upload = ResumableUpload(
        pk=pk,
        workspace=workspace,
        created_by=created_by,
        length_bytes=length_bytes,
        metadata=metadata,
        file=f"{DIRECTORY}/{pk}",
        expires_at=_expiry(),
    )
    path = path_of(upload)
    with refusing_when_full():
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < length_bytes:
            raise StorageFull(f"no space left for {length_bytes:,} bytes")
        path.touch(exist_ok=False)
    upload.save(force_insert=True)
    return upload


def receive_piece(
    upload: ResumableUpload,
    source: Source,
    *,
    offset_bytes: int,
    size_bytes: int,
    checksum: Checksum | None = None,
) -> None:
    """Append up to ``size_bytes`` of ``source``; with the last of all it becomes a recording.

    A source that breaks off leaves what it gave, unless there is a checksum. Raises
    ``OffsetMismatch``, ``UploadBusy`` while another piece arrives, ``UploadGone``,
    ``AudioTooLarge``, ``StorageFull``, ``ChecksumMismatch``, and what ``complete_upload``
    raises. No connection to the database is held while bytes arrive.
    """
    _judge_offset(upload, offset_bytes)
    if upload.recording_id is not None and size_bytes == 0:
        return
    with hold(upload) as file:
        upload.refresh_from_db(fields=["offset_bytes", "expires_at"])
        _judge_offset(upload, offset_bytes)
        if offset_bytes + size_bytes > upload.length_bytes:
            raise AudioTooLarge(f"more than the {upload.length_bytes:,} bytes that were announced")
        _leave_database()
        _append(upload, file, source, size_bytes, checksum)
        if upload.offset_bytes == upload.length_bytes:
            complete_upload(upload)


def complete_upload(upload: ResumableUpload) -> None:
    """Make a recording of what has arrived and ask for its transcript; noted in ``upload``.

    For who holds the file. What ``submit_recording`` refuses is deleted; when it fails for
    another reason all is kept, to be done again.
    """
    path, told = path_of(upload), upload.metadata
    if path.stat().st_size != upload.length_bytes:  # a host has lost what was on its disk
        delete_upload(upload)
        raise _gone()
    whole = path.with_suffix(".whole")
    whole.unlink(missing_ok=True)
    whole.hardlink_to(path)  # what is stored is another name: to undo that loses nothing
    try:
        with whole.open("rb") as content:
            submission = submit_recording(
                source=ReceivedFile(content, name=str(whole)),
                name=told["name"],
                workspace=upload.workspace,
                engine=told["engine"],
                language=told["language"],
                parameters=told["parameters"],
                priority=JobPriority(told["priority"]),
                created_by=upload.created_by,
            )
    except StorageFull:
        raise
    except ProcessingError:
        delete_upload(upload)
        raise
    finally:
        whole.unlink(missing_ok=True)
    ResumableUpload.objects.finish(
        upload, recording=submission.recording, transcript=submission.request.transcript
    )
    path.unlink()


def delete_upload(upload: ResumableUpload) -> None:
    """Forget an upload and what has arrived of it; for who holds the file."""
    path = path_of(upload)
    upload.delete()
    path.unlink(missing_ok=True)


def discard_upload(upload: ResumableUpload) -> None:
    """Forget an upload and what has arrived of it, not the recording that came of it.

    Raises ``UploadBusy`` while a piece arrives.
    """
    with suppress(UploadGone), hold(upload):
        delete_upload(upload)
        return
    upload.delete()


@contextmanager
def hold(upload: ResumableUpload) -> Iterator[int]:
    """Have the file of an upload to oneself, over all hosts; a process that dies lets go.

    Yields its descriptor. Raises ``UploadBusy`` or ``UploadGone``.
    """
    path = path_of(upload)
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        raise _gone() from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UploadBusy("another request is sending a piece of this upload") from None
        if not path.exists():  # who had it before has stored or deleted it
            raise _gone()
        yield file
    finally:
        os.close(file)


def _append(
    upload: ResumableUpload, file: int, source: Source, size_bytes: int, checksum: Checksum | None
) -> None:
    """Write a piece behind what is there, and note what is on the disk however it ended.

    What has no checksum is noted every ``NOTED_BYTES`` too: a host may go down.
    """
    end = upload.offset_bytes
    digest = checksum.begin() if checksum else None
    try:
        for block in blocks_of(source, size_bytes):
            write_block(file, block, end)
            end += len(block)
            if digest is not None:
                digest.update(block)
            elif end - upload.offset_bytes >= NOTED_BYTES:
                _note(upload, file, end)
    finally:
        is_kept = checksum is None or digest is None or digest.digest() == checksum.digest
        if is_kept:
            _note(upload, file, end)
    if not is_kept:
        raise ChecksumMismatch("the piece is not what its checksum says; nothing of it was kept")


def _note(upload: ResumableUpload, file: int, offset_bytes: int) -> None:
    if offset_bytes == upload.offset_bytes:
        return
    os.fsync(file)
    expires_at = _expiry()
    if not ResumableUpload.objects.advance(
        upload, offset_bytes=offset_bytes, expires_at=expires_at
    ):
        raise OffsetMismatch("another request has sent this piece meanwhile")
    upload.offset_bytes, upload.expires_at = offset_bytes, expires_at
    _leave_database()


def _leave_database() -> None:
    """Hold no connection while bytes arrive."""
    if not connection.in_atomic_block:
        connection.close()


def _judge_length(length_bytes: int) -> None:
    if length_bytes == 0:
        raise UnreadableAudio("the file is empty")
    if length_bytes > settings.MAX_UPLOAD_BYTES:
        raise AudioTooLarge(
            f"{length_bytes:,} bytes; the limit is {settings.MAX_UPLOAD_BYTES:,} bytes"
        )


def _judge_offset(upload: ResumableUpload, offset_bytes: int) -> None:
    if offset_bytes != upload.offset_bytes:
        raise OffsetMismatch(
            f"{upload.offset_bytes:,} bytes are here; a piece from {offset_bytes:,} on is not next"
        )


def _expiry() -> datetime:
    return timezone.now() + timedelta(hours=settings.UPLOAD_EXPIRY_HOURS)


def _gone() -> UploadGone:
    return UploadGone("what has arrived of this upload is not there any more")
