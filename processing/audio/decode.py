"""Any audio to 16 kHz mono, a block at a time, so that memory does not grow with length."""

from collections.abc import Iterable, Iterator
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
        for frame in _resampled(_frames(container)):
            block = frame.to_ndarray().reshape(-1).astype(np.int16, copy=False)
            sample_count += len(block)
            if sample_count > limit_samples:
                hours = settings.MAX_DURATION_SECONDS / 3600
                raise AudioTooLarge(f"more audio than the limit of {hours:g} hours")
            if len(block):
                yield block
    if not sample_count:
        raise UnreadableAudio("the file holds no sound that can be decoded")


def _resampled(frames: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Yield ``frames`` at ``SAMPLE_RATE``; files that were joined change theirs on the way."""
    resampler, setup = None, None
    for frame in frames:
        changed = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or changed != setup:
            if resampler is not None:
                yield from resampler.resample(None)
            resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
            setup = changed
        yield from resampler.resample(frame)
    if resampler is not None:
        yield from resampler.resample(None)


def _frames(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
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


def decode_all(data: bytes) -> NDArray[np.int16]:
    """Decode a short file held in memory into one array of shape ``(n,)``."""
    return np.concatenate(list(decode(BytesIO(data))))
