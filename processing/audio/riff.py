"""Where the sound of a WAV file begins and ends, whatever else the file contains.

FFmpeg looks for further chunks behind the sound, eight bytes at a time: a file with junk behind
it would keep it busy for minutes. And it takes a file that was cut off for a whole one.
"""

import io
import struct
from dataclasses import dataclass
from typing import IO

#: Recorders that stream, not knowing how long the sound will be, write 0 or something just
#: under 2 or 4 GiB: a length from here on that the file does not have says nothing.
UNKNOWN_LENGTH = 0x7FFFF000

#: Chunks before the sound; more of them is no WAV file that anybody wants read.
MAX_CHUNKS = 1_000


@dataclass(frozen=True)
class WavSound:
    """The end of the sound as a file offset, and its length in seconds as the header says.

    When the header leaves it open it is as long as the file; None when there is no sound.
    """

    end: int
    declared_seconds: float | None


def find_sound(file: IO[bytes], *, size_bytes: int) -> WavSound | None:
    """Return where the sound of a RIFF WAVE file is; None for any other file."""
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    byte_rate = 0
    for _ in range(MAX_CHUNKS):
        header = file.read(8)
        if len(header) < 8:
            return None
        name, length = struct.unpack("<4sI", header)
        begin = file.tell()
        if name == b"fmt ":
            byte_rate = struct.unpack("<8xI", file.read(12).ljust(12, b"\0"))[0]
        if name == b"data":
            is_missing = begin + length > size_bytes
            if not length or (is_missing and length >= UNKNOWN_LENGTH):
                length = size_bytes - begin
            if not length or not byte_rate:
                return WavSound(size_bytes, None)
            return WavSound(min(begin + length, size_bytes), length / byte_rate)
        file.seek(begin + length + length % 2)
    return None


class FileWindow(io.RawIOBase):
    """A seekable file that ends at ``end``."""

    def __init__(self, file: IO[bytes], end: int) -> None:
        self._file = file
        self._end = end

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        left = max(self._end - self._file.tell(), 0)
        return self._file.read(left if size < 0 else min(size, left))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            offset, whence = self._end + offset, io.SEEK_SET
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
