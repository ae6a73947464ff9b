"""Receiving a recording: on disk only, hashed on the way, refused as soon as it is too large."""

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler

from processing.exceptions import AudioTooLarge
from processing.form_data import parse_form
from processing.services.files import refusing_when_full

#: What a body may hold besides its file: boundaries, headers, the other fields.
MULTIPART_OVERHEAD_BYTES = 64 * 1024

#: Pieces of an upload that wait to be written, at most: they are in memory.
WAITING_PIECES = 4


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

    #: Of smaller pieces there are more, and each is handed from thread to thread.
    chunk_size = 1024 * 1024
    file: HashedUpload

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803  Django's name for it
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> Any:
        self.refuse_over_limit(content_length - MULTIPART_OVERHEAD_BYTES)
        return parse_form(
            input_data,
            boundary=boundary,
            encoding=encoding or settings.DEFAULT_CHARSET,
            handler=self,
        )

    def new_file(self, field_name: str, file_name: str, *args: Any, **kwargs: Any) -> None:
        super(TemporaryFileUploadHandler, self).new_file(field_name, file_name, *args, **kwargs)
        with refusing_when_full():
            self.file = HashedUpload(
                file_name, self.content_type or "", self.charset or "", self.content_type_extra
            )
        self._digest = hashlib.sha256()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="upload")
        self._written = deque[Future[int]]()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Hash ``raw_data`` and have it written, while the next pieces are received.

        Only the writing is another thread's: hashed by that too, or by a third, it was slower, for
        one processor has to fetch what another has just touched.
        """
        self.refuse_over_limit(start + len(raw_data))
        self._wait_for_all_but(WAITING_PIECES - 1)
        self._written.append(self._writer.submit(self.file.write, raw_data))
        self._digest.update(raw_data)

    def file_complete(self, file_size: int) -> HashedUpload:
        self._wait_for_all_but(0)
        self._writer.shutdown()
        with refusing_when_full():
            self.file.seek(0)
        self.file.size = file_size
        self.file.sha256 = self._digest.hexdigest()
        return self.file

    def upload_interrupted(self) -> None:
        """Keep nothing of the file that was being received."""
        if hasattr(self, "file"):
            self._writer.shutdown(cancel_futures=True)
            self.file.close()

    def _wait_for_all_but(self, count: int) -> None:
        """Return when at most ``count`` pieces wait; raise what kept one from being written."""
        with refusing_when_full():
            while len(self._written) > count:
                self._written.popleft().result()

    def refuse_over_limit(self, size_bytes: int) -> None:
        """Raise what a file is answered with that has this many bytes, or more."""
        if size_bytes > settings.MAX_UPLOAD_BYTES:
            raise AudioTooLarge(
                f"{size_bytes:,} bytes or more; the limit is {settings.MAX_UPLOAD_BYTES:,} bytes"
            )
