"""Receiving a file: hashed on the way, on disk only, stored by a rename."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from processing.exceptions import AudioTooLarge, StorageFull
from processing.models import Workspace
from processing.services.inputs.submission import submit_recording
from processing.uploads import HashedUpload, HashingUploadHandler
from tests.factories.audio import wav_bytes

StoredFiles = Callable[[], set[Path]]


def receive(*blocks: bytes, name: str = "meeting.wav") -> HashedUpload:
    handler = HashingUploadHandler()
    handler.new_file("file", name, "audio/wav", None)
    start = 0
    for block in blocks:
        handler.receive_data_chunk(block, start)
        start += len(block)
    return handler.file_complete(start)


def test_upload_is_hashed_while_it_is_received() -> None:
    with receive(b"one ", b"two") as upload:
        assert upload.sha256 == hashlib.sha256(b"one two").hexdigest()
        assert upload.size == 7
        assert upload.read() == b"one two"


@pytest.mark.django_db
def test_storing_an_upload_moves_the_file_that_was_received() -> None:
    content = wav_bytes()
    with receive(content[:9], content[9:]) as upload:
        inode = Path(upload.temporary_file_path()).stat().st_ino

        submission = submit_recording(
            source=upload,
            name="meeting.wav",
            workspace=Workspace.objects.default(),
            sha256=upload.sha256,
        )

    assert Path(submission.recording.file.path).stat().st_ino == inode
    assert Path(submission.recording.file.path).read_bytes() == content


def test_upload_that_grows_too_large_is_dropped(settings: Any, stored_files: StoredFiles) -> None:
    settings.MAX_UPLOAD_BYTES = 5
    files = stored_files()

    with pytest.raises(AudioTooLarge, match="the limit is 5 bytes"):
        receive(b"12345", b"6")

    assert stored_files() == files


def test_no_room_for_an_upload_is_said_and_leaves_nothing(stored_files: StoredFiles) -> None:
    files = stored_files()
    handler = HashingUploadHandler()
    handler.new_file("file", "meeting.wav", "audio/wav", None)
    handler.file.file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115  closed by the handler

    with pytest.raises(StorageFull):
        handler.receive_data_chunk(b"x" * 100, 0)

    assert stored_files() == files
