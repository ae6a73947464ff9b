"""Receiving a document: refused as soon as it is larger than documents may be."""

from processing.knowledge.uploading import refuse_over_limit
from processing.uploads import HashingUploadHandler


class DocumentUploadHandler(HashingUploadHandler):
    """Receives like recordings are received, under the limit of documents.

    Raises ``DocumentTooLarge`` before the body is read when it says that it is too long, and
    while it is read when a file is.
    """

    def refuse_over_limit(self, size_bytes: int) -> None:
        refuse_over_limit(size_bytes)
