"""Receiving a file: hashed on the way, on disk only, stored by a rename."""

import gc
import hashlib
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.http.multipartparser import MultiPartParser
from django.http.request import UnreadablePostError

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


def parsed(
    content: bytes,
    handler: HashingUploadHandler,
    read: Callable[[BytesIO, int], bytes] = BytesIO.read,
) -> HashedUpload:
    """Return what Django's parser makes of a form with one file, whose body ``read`` reads."""
    head = 'Content-Disposition: form-data; name="file"; filename="meeting.wav"\r\n\r\n'
    body = b"--boundary\r\n" + head.encode() + content + b"\r\n--boundary--\r\n"
    # Lower than the body's, as where there is none: what is refused is the file.
    meta = {"CONTENT_TYPE": "multipart/form-data; boundary=boundary", "CONTENT_LENGTH": "1"}
    stream = SimpleNamespace(read=partial(read, BytesIO(body)))
    _, files = MultiPartParser(meta, stream, [handler]).parse()
    return cast("HashedUpload", files["file"])


def breaking_after(size: int) -> Callable[[BytesIO, int], bytes]:
    def read(stream: BytesIO, wanted: int) -> bytes:
        if stream.tell() > size:
            raise UnreadablePostError
        return stream.read(wanted)

    return read


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

    handler = HashingUploadHandler()
    handler.new_file("file", "meeting.wav", "audio/wav", None)
    with pytest.raises(AudioTooLarge, match="the limit is 5 bytes"):
        handler.receive_data_chunk(b"123456", 0)
    handler.upload_interrupted()

    assert stored_files() == files


def test_no_room_for_an_upload_is_said_and_leaves_nothing(stored_files: StoredFiles) -> None:
    files = stored_files()
    handler = HashingUploadHandler()
    handler.new_file("file", "meeting.wav", "audio/wav", None)
    handler.file.file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115  closed by the handler

    handler.receive_data_chunk(b"x" * 100, 0)

    with pytest.raises(StorageFull):
        handler.file_complete(100)
    handler.upload_interrupted()

    assert stored_files() == files


@pytest.mark.parametrize("size", [0, 1, *range(440, 530), 5_000])
def test_file_of_a_form_is_whole_wherever_its_pieces_end(size: int) -> None:
    content = (b"\r\n--bound" * 600 + bytes(range(256)))[-size:] if size else b""
    handler = HashingUploadHandler()
    handler.chunk_size = 256

    with parsed(content, handler) as upload:
        assert upload.sha256 == hashlib.sha256(content).hexdigest()
        assert upload.size == size
        assert upload.read() == content


def test_form_that_breaks_off_leaves_nothing(stored_files: StoredFiles) -> None:
    files = stored_files()

    with pytest.raises(UnreadablePostError):
        parsed(b"x" * 5_000_000, HashingUploadHandler(), read=breaking_after(3_000_000))

    gc.collect()  # Django tells no handler
    assert stored_files() == files


def test_file_that_grows_too_large_in_a_form_leaves_nothing(
    settings: Any, stored_files: StoredFiles
) -> None:
    settings.MAX_UPLOAD_BYTES = 2_999_999
    files = stored_files()

    with pytest.raises(AudioTooLarge, match="the limit is 2,999,999 bytes"):
        parsed(b"x" * 3_000_000, HashingUploadHandler())

    assert stored_files() == files
