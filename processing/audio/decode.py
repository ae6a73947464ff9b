"""Any audio to 16 kHz mono, a block at a time, so that memory does not grow with length."""

from collections.abc import Generator, Iterable, Iterator
from io import BytesIO
from itertools import chain
from typing import IO

import av
import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from processing.audio.probe import declared_seconds, open_audio
from processing.engines.base import SAMPLE_RATE
from processing.exceptions import AudioTooLarge, UnreadableAudio

#: Broken packets that decode to nothing are skipped; a file with more than this in a row of
#: them is not worth calling audio.
MAX_BROKEN_PACKETS = 1_000

#: Decoders that begin in the middle need so much before they are right: 80 ms of Opus, a frame
#: or two of AAC, in mp3 up to 9 frames.
PREROLL_SAMPLES = SAMPLE_RATE

#: The most that the times in a file may differ from the samples that come out of it.
MAX_DRIFT_SECONDS = 0.05

#: Containers whose times are counted from their bytes or frames, so that there are no holes.
CLOCKLESS = ("wav", "w64", "mp3", "aac")


def decode(file: IO[bytes], *, channel: int | None = None) -> Iterator[NDArray[np.int16]]:
    """Yield the audio of a seekable file as blocks of shape ``(n,)`` at ``SAMPLE_RATE``.

    All channels are mixed, or it is ``channel`` alone, counted from 0; what a later part of the
    file that lacks this channel has is mixed, so that nothing is lost. Damaged packets are
    skipped and a truncated file ends where its data ends. Raises ``UnreadableAudio`` when
    nothing can be decoded, ``AudioTooLarge`` as soon as more than ``MAX_DURATION_SECONDS`` came
    out, whatever the headers said, and ``ValueError`` when there is no such channel.
    """
    limit_samples = settings.MAX_DURATION_SECONDS * SAMPLE_RATE
    sample_count = 0
    with open_audio(file) as container:
        for block in _resampled(_frames(container), channel):
            sample_count += len(block)
            if sample_count > limit_samples:
                hours = settings.MAX_DURATION_SECONDS / 3600
                raise AudioTooLarge(f"more audio than the limit of {hours:g} hours")
            if len(block):
                yield block
    if not sample_count:
        raise UnreadableAudio("the file holds no sound that can be decoded")


def _resampled(frames: Iterable[av.AudioFrame], channel: int | None) -> Iterator[NDArray[np.int16]]:
    """Yield ``frames`` at ``SAMPLE_RATE``; files that were joined change theirs on the way."""
    resampler, setup = None, None
    for frame in frames:
        changed = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or changed != setup:
            count = frame.layout.nb_channels
            if resampler is not None:
                yield from _blocks(resampler.resample(None), channel)
            elif channel is not None and not 0 <= channel < count:
                raise ValueError(f"no channel {channel} among {count}, counted from 0")
            layout = "mono" if channel is None or channel >= count else frame.layout
            resampler = av.AudioResampler(format="s16", layout=layout, rate=SAMPLE_RATE)
            setup = changed
        yield from _blocks(resampler.resample(frame), channel)
    if resampler is not None:
        yield from _blocks(resampler.resample(None), channel)


def _blocks(frames: Iterable[av.AudioFrame], channel: int | None) -> Iterator[NDArray[np.int16]]:
    """Yield the samples of ``channel``, or those of the only one."""
    for frame in frames:
        count = frame.layout.nb_channels
        samples = frame.to_ndarray().reshape(-1, count)[:, channel or 0 if count > 1 else 0]
        yield np.ascontiguousarray(samples, dtype=np.int16)


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


def decode_span(
    file: IO[bytes], start: int, end: int, *, channel: int | None = None
) -> NDArray[np.int16]:
    """Return the samples ``[start, end)`` of a seekable file, as far as there are any.

    All that is before them is decoded, and not kept.
    """
    kept, position = [np.empty(0, np.int16)], 0
    for block in decode(file, channel=channel):
        kept.append(block[max(start - position, 0) : max(end - position, 0)])
        position += len(block)
        if position >= end:
            break
    return np.concatenate(kept)


def decode_from(
    file: IO[bytes], start: int, *, sample_count: int
) -> Generator[NDArray[np.int16], None, None]:
    """Yield what ``decode`` yields from the sample ``start`` on, without decoding all before.

    ``sample_count`` is how many ``decode`` yields in all. Where to begin is told by the times in
    the file: in wav, w64, flac, mp3, aac, ogg and mp4 that is exact to the sample, in webm and
    matroska to a millisecond. Times that do not agree with ``sample_count`` within
    ``MAX_DRIFT_SECONDS`` have holes, which the samples have not: then all is decoded.
    """
    with open_audio(file) as container:
        found = _sought(container, start, sample_count)
        if found is not None:
            yield from _dropping(start - found[0], _resampled(found[1], None))
            return
    yield from _dropping(start, decode(file))


def _sought(
    container: av.container.InputContainer, start: int, sample_count: int
) -> tuple[int, Iterator[av.AudioFrame]] | None:
    """Return frames from a little before ``start`` on, and the sample that they begin with.

    None when there is nothing to be gained by that, or it cannot be done exactly.
    """
    stream = container.streams.audio[0]
    declared = declared_seconds(container, stream)
    if start < PREROLL_SAMPLES or (
        container.format.name not in CLOCKLESS
        and declared is not None
        and abs(declared - sample_count / SAMPLE_RATE) > MAX_DRIFT_SECONDS
    ):
        return None
    try:
        origin = next(_frames(container)).time
        if origin is None or stream.time_base is None:
            return None
        seconds = origin + (start - PREROLL_SAMPLES) / SAMPLE_RATE
        container.seek(int(seconds / stream.time_base), stream=stream)
        frames = _frames(container)
        first = next(frames)
    except (av.FFmpegError, StopIteration):
        return None
    if first.time is None or (position := round((first.time - origin) * SAMPLE_RATE)) > start:
        return None
    return position, chain([first], frames)


def _dropping(count: int, blocks: Iterable[NDArray[np.int16]]) -> Iterator[NDArray[np.int16]]:
    """Yield ``blocks`` without their first ``count`` samples."""
    for block in blocks:
        if count < len(block):
            yield block[count:]
        count = max(count - len(block), 0)


def decode_all(data: bytes, *, channel: int | None = None) -> NDArray[np.int16]:
    """Decode a short file held in memory into one array of shape ``(n,)``."""
    return np.concatenate(list(decode(BytesIO(data), channel=channel)))
