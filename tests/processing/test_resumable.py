"""Recordings in pieces: what arrives is kept, what nobody goes on with is not."""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.http import UnreadablePostError
from django.utils import timezone

from jobs.services.enqueueing import enqueue_job
from processing.exceptions import (
    ChecksumMismatch,
    OffsetMismatch,
    StorageFull,
    UploadBusy,
    UploadGone,
)
from processing.models import Recording, ResumableUpload, Transcript, Workspace
from processing.services.inputs import resumable
from processing.services.inputs.expiry import (
    PURGE_JOB,
    complete_left,
    purge_uploads,
    run_purge_job,
)
from processing.services.inputs.pieces import BLOCK_BYTES, Checksum
from processing.services.inputs.resumable import (
    DIRECTORY,
    announce_upload,
    hold,
    path_of,
    receive_piece,
)
from tests.concurrency.threads import at_once
from tests.factories.audio import wav_bytes

pytestmark = pytest.mark.django_db

StoredFiles = Callable[[], set[Path]]

TOLD = {"name": "a.wav", "engine": "scripted", "language": "", "parameters": {}, "priority": 2}
DAYS = timedelta(days=2)


class BrokenLine:
    """Gives ``content``, and then what Django raises for a client that is gone."""

    def __init__(self, content: bytes) -> None:
        self._rest = BytesIO(content)

    def read(self, size: int, /) -> bytes:
        block = self._rest.read(size)
        if not block:
            raise UnreadablePostError("the connection was reset")
        return block


@pytest.fixture(autouse=True)
def _no_files() -> None:
    """Rows are undone after a test, and files are not."""
    shutil.rmtree(Path(settings.FILE_UPLOAD_TEMP_DIR) / DIRECTORY, ignore_errors=True)


def announced(length_bytes: int, **told: Any) -> ResumableUpload:
    return announce_upload(
        workspace=Workspace.objects.default(), length_bytes=length_bytes, metadata=TOLD | told
    )


def receive(upload: ResumableUpload, content: bytes, **options: Any) -> None:
    """Receive ``content`` as the next piece."""
    receive_piece(
        upload,
        BytesIO(content),
        offset_bytes=upload.offset_bytes,
        size_bytes=len(content),
        **options,
    )


def arrived(upload: ResumableUpload) -> bytes:
    """Return what counts of an upload's file."""
    offset_bytes = ResumableUpload.objects.get(pk=upload.pk).offset_bytes
    return path_of(upload).read_bytes()[:offset_bytes]


@pytest.fixture
def left_whole() -> ResumableUpload:
    """An upload that is all here, whose process died before it made a recording of it."""
    content = wav_bytes()
    upload = announced(len(content))
    path_of(upload).write_bytes(content)
    ResumableUpload.objects.update(offset_bytes=len(content))
    return ResumableUpload.objects.get()


def test_line_that_breaks_leaves_what_had_arrived() -> None:
    upload = announced(1_000_000)
    content = os.urandom(BLOCK_BYTES + 1_000)

    receive_piece(upload, BrokenLine(content), offset_bytes=0, size_bytes=900_000)

    assert arrived(upload) == content


def test_line_that_breaks_leaves_nothing_of_a_piece_with_a_checksum() -> None:
    upload = announced(100)
    checksum = Checksum("sha1", hashlib.sha1(b"1234567890", usedforsecurity=False).digest())

    with pytest.raises(ChecksumMismatch):
        receive_piece(
            upload, BrokenLine(b"12345"), offset_bytes=0, size_bytes=10, checksum=checksum
        )

    assert arrived(upload) == b""


def test_full_disk_leaves_what_had_room(monkeypatch: pytest.MonkeyPatch) -> None:
    upload, content = announced(1_000_000), os.urandom(3 * BLOCK_BYTES)
    write = os.pwrite

    def write_two(file: int, block: Any, offset: int) -> int:
        if offset >= 2 * BLOCK_BYTES:
            raise OSError(errno.ENOSPC, "no space left on device")
        return write(file, block, offset)

    monkeypatch.setattr(os, "pwrite", write_two)
    with pytest.raises(StorageFull):
        receive(upload, content)

    assert arrived(upload) == content[: 2 * BLOCK_BYTES]


def test_what_counts_is_what_was_noted() -> None:
    upload = announced(10)
    path_of(upload).write_bytes(b"of a process that died")

    receive(upload, b"12345")

    assert arrived(upload) == b"12345"


def test_piece_that_another_has_sent_meanwhile_is_refused() -> None:
    upload = announced(10)
    late = ResumableUpload.objects.get()
    receive(upload, b"12345")

    with pytest.raises(OffsetMismatch):
        receive(late, b"67890")

    assert arrived(upload) == b"12345"


def test_file_that_was_stored_before_it_was_locked_is_not_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    upload, lock = announced(10), fcntl.flock
    stored = tmp_path / "stored"

    def lock_late(file: int, operation: int) -> None:
        path_of(upload).rename(stored)
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    with pytest.raises(UploadGone):
        receive(upload, b"12345")

    assert stored.read_bytes() == b""


def test_offset_is_noted_by_one_of_two_who_saw_the_same() -> None:
    upload = announced(10)
    expires_at = timezone.now()

    first = ResumableUpload.objects.advance(upload, offset_bytes=5, expires_at=expires_at)
    second = ResumableUpload.objects.advance(upload, offset_bytes=7, expires_at=expires_at)

    assert (first, second) == (True, False)
    assert ResumableUpload.objects.get().offset_bytes == 5


def test_long_piece_is_noted_while_it_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable, "NOTED_BYTES", 2 * BLOCK_BYTES)
    upload = announced(10 * BLOCK_BYTES)
    noted: list[int] = []

    class Watching(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            noted.append(ResumableUpload.objects.get().offset_bytes // BLOCK_BYTES)
            return super().read(size)

    receive_piece(
        upload, Watching(bytes(5 * BLOCK_BYTES)), offset_bytes=0, size_bytes=5 * BLOCK_BYTES
    )

    assert noted == [0, 0, 2, 2, 4, 4]
    assert len(arrived(upload)) == 5 * BLOCK_BYTES


@pytest.mark.django_db(transaction=True)
def test_no_database_connection_is_held_while_bytes_arrive() -> None:
    upload = announced(100)
    held: list[bool] = []

    class Watching(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            held.append(connection.connection is not None)
            return super().read(size)

    receive_piece(upload, Watching(b"12345"), offset_bytes=0, size_bytes=5)

    assert set(held) == {False}
    assert arrived(upload) == b"12345"


@pytest.mark.django_db(transaction=True)
def test_pieces_at_once_are_received_by_one() -> None:
    upload, content = announced(4 * BLOCK_BYTES), os.urandom(2 * BLOCK_BYTES)

    def send() -> str:
        try:
            receive(ResumableUpload.objects.get(), content)
        except (OffsetMismatch, UploadBusy):
            return "refused"
        return "received"

    ends = at_once([send] * 4)

    assert arrived(upload).startswith(content)
    assert len(arrived(upload)) == len(content) * ends.count("received")


def test_recording_that_cannot_be_stored_now_can_be_stored_later(
    monkeypatch: pytest.MonkeyPatch, stored_files: StoredFiles
) -> None:
    before, content = stored_files(), wav_bytes()
    upload = announced(len(content))
    with monkeypatch.context() as failing:
        failing.setitem(settings.ENGINES, "scripted", "nowhere.Engine")
        with pytest.raises(ModuleNotFoundError):
            receive(upload, content)
    kept = stored_files() - before

    assert complete_left() == 1
    recording = Recording.objects.get()
    assert kept == {path_of(upload)}
    assert Path(recording.file.path).read_bytes() == content
    assert stored_files() - before == {Path(recording.file.path)}


def test_storing_is_a_rename() -> None:
    content = wav_bytes()
    upload = announced(len(content))
    inode = path_of(upload).stat().st_ino

    receive(upload, content)

    assert Path(Recording.objects.get().file.path).stat().st_ino == inode


def test_what_is_here_and_left_becomes_a_recording(left_whole: ResumableUpload) -> None:
    assert complete_left() == 1

    left_whole.refresh_from_db()
    assert left_whole.recording == Recording.objects.get()
    assert left_whole.metadata["transcript"] == str(Transcript.objects.get().pk)
    assert complete_left() == 0


def test_what_somebody_is_at_is_not_left(left_whole: ResumableUpload) -> None:
    with hold(left_whole):
        assert complete_left() == 0

    assert not Recording.objects.exists()


def test_recording_that_was_deleted_is_not_made_again(left_whole: ResumableUpload) -> None:
    complete_left()
    Transcript.objects.all().delete()
    Recording.objects.all().delete()

    assert complete_left() == 0


def test_file_of_which_a_disk_lost_the_end_is_not_made_a_recording(
    left_whole: ResumableUpload,
) -> None:
    os.truncate(path_of(left_whole), 50_000)

    with pytest.raises(UploadGone):
        receive(left_whole, b"")

    assert not Recording.objects.exists()
    assert not path_of(left_whole).exists()


def test_expired_uploads_are_deleted_with_their_files(stored_files: StoredFiles) -> None:
    before = stored_files()
    receive(announced(10), b"12345")
    ResumableUpload.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    alive = announced(10)

    assert purge_uploads() == 1
    assert ResumableUpload.objects.get() == alive
    assert stored_files() - before == {path_of(alive)}


def test_expired_upload_whose_piece_arrives_is_not_deleted() -> None:
    upload = announced(10)
    ResumableUpload.objects.update(expires_at=timezone.now() - timedelta(minutes=1))

    with hold(upload):
        assert purge_uploads() == 0

    assert path_of(upload).exists()


@pytest.mark.parametrize("suffix", ["", ".whole"])
def test_old_files_of_which_no_row_knows_are_deleted(suffix: str) -> None:
    upload, lost = announced(10), announced(10)
    ResumableUpload.objects.filter(pk=lost.pk).delete()
    file = path_of(lost).rename(path_of(lost).with_suffix(suffix))
    long_ago = (timezone.now() - DAYS).timestamp()
    os.utime(file, (long_ago, long_ago))
    os.utime(path_of(upload), (long_ago, long_ago))

    assert purge_uploads() == 1
    assert path_of(upload).exists()
    assert not file.exists()


def test_new_file_of_which_no_row_knows_yet_is_kept() -> None:
    upload = announced(10)
    ResumableUpload.objects.all().delete()

    assert purge_uploads() == 0
    assert path_of(upload).exists()


def test_job_of_every_hour_finishes_and_deletes_what_was_left(
    left_whole: ResumableUpload,
) -> None:
    expired = announced(10)
    ResumableUpload.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - DAYS)

    run_purge_job(enqueue_job(job_type=PURGE_JOB, payload={}))

    assert Recording.objects.count() == 1
    assert ResumableUpload.objects.get() == left_whole
