"""One piece of an upload: read off the line, and written to where it belongs."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from django.http import UnreadablePostError

from processing.services.files import refusing_when_full

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_BYTES = 256 * 1024
CHECKSUMS = ("sha1", "sha256")


class Source(Protocol):
    """A body that is read once."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Checksum:
    """What the bytes of a piece must hash to, by one of ``CHECKSUMS``."""

    algorithm: str
    digest: bytes

    def begin(self) -> hashlib._Hash:
        return hashlib.new(self.algorithm, usedforsecurity=False)


def blocks_of(source: Source, size_bytes: int) -> Iterator[bytes]:
    """Yield up to ``size_bytes`` of what is sent; no more once the line breaks."""
    rest = size_bytes
    with suppress(UnreadablePostError):
        while block := source.read(min(BLOCK_BYTES, rest)):
            rest -= len(block)
            yield block


def write_block(file: int, block: bytes, offset: int) -> None:
    """Write all of ``block`` to an open file; raises ``StorageFull``."""
    rest = memoryview(block)
    with refusing_when_full():
        while rest:
            written = os.pwrite(file, rest, offset)
            rest, offset = rest[written:], offset + written
