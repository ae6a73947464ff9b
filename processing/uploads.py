"""Receiving a recording: on disk only, hashed on the way, refused as soon as it is too large."""

import hashlib
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler

from processing.exceptions import AudioTooLarge
from processing.services.files import refusing_when_full

#: What a body may hold besides its file: boundaries, headers, the other fields.
MULTIPART_OVERHEAD_BYTES = 64 * 1024


class HashedUpload(TemporaryUploadedFile):
    """An uploaded file that knows its SHA-256; saving it to the media root is a rename.

    ``name`` is what the client called it; the file on disk has a name of ours.
    """

    sha256: str

    def __init__(self, name: str, content_type: str, charset: str, extra: Any) -> None:
        super().__init__("recording", content_type, 0, charset, extra)
        self.name = name


class HashingUploadHandler(TemporaryFileUploadHandler):
    """Writes uploads to ``FILE_UPLOAD_TEMP_DIR`` whatever their size, and hashes them.

    Raises ``AudioTooLarge`` before the body is read when it says that it is too long, and
    while it is read when a file is; ``StorageFull`` when there is no room. Nothing is kept then.
    """

    #: As much as gunicorn reads at once: of a smaller piece it copies what is left over each time.
    chunk_size = 1024 * 1024
    file: HashedUpload

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803  Django's name for it
        content_length: int,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if content_length > settings.MAX_UPLOAD_BYTES + MULTIPART_OVERHEAD_BYTES:
            raise _too_large(content_length)

    def new_file(self, field_name: str, file_name: str, *args: Any, **kwargs: Any) -> None:
        super(TemporaryFileUploadHandler, self).new_file(field_name, file_name, *args, **kwargs)
        with refusing_when_full():
            self.file = HashedUpload(
                file_name, self.content_type or "", self.charset or "", self.content_type_extra
            )
        self._digest = hashlib.sha256()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        try:
            if start + len(raw_data) > settings.MAX_UPLOAD_BYTES:
                raise _too_large(start + len(raw_data))
            with refusing_when_full():
                self.file.write(raw_data)
        except BaseException:
            self.file.close()
            raise
        self._digest.update(raw_data)

    def file_complete(self, file_size: int) -> HashedUpload:
        with refusing_when_full():
            self.file.seek(0)
        self.file.size = file_size
        self.file.sha256 = self._digest.hexdigest()
        return self.file


def _too_large(size_bytes: int) -> AudioTooLarge:
    return AudioTooLarge(
        f"{size_bytes:,} bytes or more; the limit is {settings.MAX_UPLOAD_BYTES:,} bytes"
    )
