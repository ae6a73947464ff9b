"""Chunks on disk: lossless, and about half the size of the samples."""

from io import BytesIO

import av
import numpy as np
from numpy.typing import NDArray

from processing.engines.base import SAMPLE_RATE

#: Samples per FLAC frame; the reference encoder's choice for 16 kHz.
BLOCK_SAMPLES = 4096

#: The most a file has beside its frames: headers, and 8 KiB of padding that FFmpeg adds.
HEADER_BYTES = 9_000

#: The most a second takes: noise that cannot be compressed, and the headers of its frames.
MAX_BYTES_PER_SECOND = int(2 * SAMPLE_RATE * 1.01)


def seconds_within(byte_count: int) -> float:
    """Return how many seconds of any sound there are surely in a FLAC file of that size."""
    return (byte_count - HEADER_BYTES) / MAX_BYTES_PER_SECOND


def encode_flac(samples: NDArray[np.int16]) -> bytes:
    """Return ``samples`` (shape ``(n,)``, 16 kHz mono) as a FLAC file."""
    file = BytesIO()
    with av.open(file, mode="w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        stream.format = "s16"
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.rate = SAMPLE_RATE
        frame.pts = 0
        fifo = av.AudioFifo()
        fifo.write(frame)
        while (block := fifo.read(BLOCK_SAMPLES, partial=True)) is not None:
            container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return file.getvalue()
