"""Receiving a recording from elsewhere: on disk, hashed on the way, never over the limit."""

import hashlib
from collections.abc import Iterable

from django.conf import settings

from processing.exceptions import AudioTooLarge
from processing.services.files import refusing_when_full
from processing.uploads import HashedUpload


def spooled(blocks: Iterable[bytes], *, name: str) -> HashedUpload:
    """Write ``blocks`` to a temporary file, whose storing is a rename; closing it deletes it.

    Raises ``AudioTooLarge``, ``StorageFull`` and what ``blocks`` raises, and keeps nothing then.
    """
    digest = hashlib.sha256()
    size_bytes = 0
    with refusing_when_full():
        upload = HashedUpload(name, "", "", None)
    try:
        for block in blocks:
            size_bytes += len(block)
            refuse_over_limit(size_bytes)
            digest.update(block)
            with refusing_when_full():
                upload.write(block)
        with refusing_when_full():
            upload.seek(0)
    except BaseException:
        upload.close()
        raise
    upload.size = size_bytes
    upload.sha256 = digest.hexdigest()
    return upload


def refuse_over_limit(size_bytes: int) -> None:
    """Raise ``AudioTooLarge`` for a file that has this many bytes, or more, when it is."""
    if size_bytes > settings.MAX_UPLOAD_BYTES:
        raise AudioTooLarge(
            f"{size_bytes:,} bytes or more; the limit is {settings.MAX_UPLOAD_BYTES:,} bytes"
        )
