"""Receiving a document: refused as soon as it is larger than documents may be."""

from typing import Any

from processing.knowledge.uploading import refuse_over_limit
from processing.uploads import MULTIPART_OVERHEAD_BYTES, HashingUploadHandler


class DocumentUploadHandler(HashingUploadHandler):
    """Receives like recordings are received, under the limit of documents.

    Raises ``DocumentTooLarge`` before the body is read when it says that it is too long, and
    while it is read when a file is.
    """

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803  Django's name for it
        content_length: int,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        refuse_over_limit(content_length - MULTIPART_OVERHEAD_BYTES)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        try:
            refuse_over_limit(start + len(raw_data))
        except BaseException:
            self.file.close()
            raise
        super().receive_data_chunk(raw_data, start)
