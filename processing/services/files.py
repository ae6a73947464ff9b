"""Files in storage: whole, or not there."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from django.core.files import File
from django.core.files.storage import default_storage

from processing.exceptions import StorageFull

#: No space on the device, over a quota, over what the file system or a limit allows.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def stored_file(content: IO[bytes], name: str) -> Iterator[str]:
    """Store ``content`` under ``name``, which nothing else may have; yield its stored name.

    The file is deleted again when the block raises. Raises ``StorageFull`` when there is no
    room for it.
    """
    content.seek(0)
    try:
        with refusing_when_full():
            yield default_storage.save(
                name, content if isinstance(content, File) else File(content)
            )
    except BaseException:
        delete_file(name)
        raise


@contextmanager
def refusing_when_full() -> Iterator[None]:
    """Raise ``StorageFull`` for what fails because there is no room."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise StorageFull("no space left to store the file") from error
        raise


def delete_file(name: str) -> None:
    """Delete a stored file; one that is gone or cannot be deleted is left to clean-up."""
    with suppress(OSError):
        default_storage.delete(name)
