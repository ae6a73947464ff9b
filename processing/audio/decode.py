"""Any audio to 16 kHz mono, a block at a time, so that memory does not grow with length."""

from collections.abc import Iterator
from io import BytesIO
from typing import IO

import av
import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from processing.audio.probe import open_audio
from processing.engines.base import SAMPLE_RATE
from processing.exceptions import AudioTooLarge, UnreadableAudio

#: Broken packets that decode to nothing are skipped; a file with more than this in a row of
#: them is not worth calling audio.
MAX_BROKEN_PACKETS = 1_000


def decode(file: IO[bytes]) -> Iterator[NDArray[np.int16]]:
    """Yield the audio of a seekable file as blocks of shape ``(n,)`` at ``SAMPLE_RATE``.

    Damaged packets are skipped and a truncated file ends where its data ends. Raises
    ``UnreadableAudio`` when nothing can be decoded and ``AudioTooLarge`` as soon as more than
    ``MAX_DURATION_SECONDS`` came out, whatever the headers said.
    """
    limit_samples = settings.MAX_DURATION_SECONDS * SAMPLE_RATE
    sample_count = 0
    with open_audio(file) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        for frame in _frames(container):
            for resampled in resampler.resample(frame):
                block = resampled.to_ndarray().reshape(-1)
                sample_count += len(block)
                if sample_count > limit_samples:
                    hours = settings.MAX_DURATION_SECONDS / 3600
                    raise AudioTooLarge(f"more audio than the limit of {hours:g} hours")
                if len(block):
                    yield block
    if not sample_count:
        raise UnreadableAudio("the file holds no sound that can be decoded")


def _frames(container: av.container.InputContainer) -> Iterator[av.AudioFrame | None]:
    """Yield decoded frames, then None to flush whoever consumes them."""
    stream = container.streams.audio[0]
    broken = 0
    packets = container.demux(stream)
    while broken <= MAX_BROKEN_PACKETS:
        try:
            packet = next(packets)
            frames = packet.decode()
        except StopIteration:
            break
        except av.FFmpegError:
            broken += 1
            continue
        broken = 0
        yield from frames
    yield None


def decode_all(data: bytes) -> NDArray[np.int16]:
    """Decode a short file held in memory into one array of shape ``(n,)``."""
    return np.concatenate(list(decode(BytesIO(data))))
