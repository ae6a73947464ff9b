"""Any audio as a WAV file that is made where somebody listens, and nowhere else."""

import logging
import struct
from contextlib import closing
from dataclasses import dataclass
from typing import IO

import av
import numpy as np
from numpy.typing import NDArray

from processing.audio.decode import decode_from
from processing.engines.base import SAMPLE_RATE
from processing.exceptions import ProcessingError

logger = logging.getLogger(__name__)

CONTENT_TYPE = "audio/wav"
HEADER_BYTES = 44
SAMPLE_BYTES = 2


@dataclass(frozen=True)
class Rendition:
    """A WAV file of 16-bit samples at ``SAMPLE_RATE``, all channels mixed.

    Its bytes are known by their place: a header of ``HEADER_BYTES``, then ``SAMPLE_BYTES`` for
    each of ``sample_count`` samples, which are those that engines hear.
    """

    sample_count: int

    @property
    def size_bytes(self) -> int:
        return HEADER_BYTES + SAMPLE_BYTES * self.sample_count

    def read(self, file: IO[bytes], start: int, end: int) -> bytes:
        """Return the bytes ``[start, end)`` of the rendition of a seekable file.

        What cannot be decoded is silent. Memory and, but for seeking, work are those of the span.
        """
        header = _header(self.size_bytes)[start:end]
        first = max(start - HEADER_BYTES, 0) // SAMPLE_BYTES
        last = -(-max(end - HEADER_BYTES, 0) // SAMPLE_BYTES)
        if last <= first:
            return header
        data = self._samples(file, first, last).astype("<i2").tobytes()
        begin = HEADER_BYTES + SAMPLE_BYTES * first
        return header + data[max(start - begin, 0) : end - begin]

    def _samples(self, file: IO[bytes], first: int, last: int) -> NDArray[np.int16]:
        samples = np.zeros(last - first, np.int16)
        filled = 0
        try:
            with closing(decode_from(file, first, sample_count=self.sample_count)) as blocks:
                for block in blocks:
                    rest = block[: len(samples) - filled]
                    samples[filled : filled + len(rest)] = rest
                    filled += len(rest)
                    if filled == len(samples):
                        break
        except (ProcessingError, av.FFmpegError) as error:
            logger.warning("a rendition is silent from sample %d on: %s", first + filled, error)
        return samples


def _header(size_bytes: int) -> bytes:
    """Return the header of a WAV file of that size; a longer one than 4 GiB says what it can."""
    sizes = [min(size_bytes - before, 0xFFFF_FFFF) for before in (8, HEADER_BYTES)]
    layout = (16, 1, 1, SAMPLE_RATE, SAMPLE_BYTES * SAMPLE_RATE, SAMPLE_BYTES, 8 * SAMPLE_BYTES)
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", sizes[0], b"WAVE", b"fmt ", *layout, b"data", sizes[1]
    )
