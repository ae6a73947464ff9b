"""The shape of a recording, from what was measured when it was cut."""

import numpy as np

from processing.engines.base import SAMPLE_RATE
from processing.models import ChunkTask, ProcessingTask

#: A shape has at most so many bars.
MAX_BARS = 2_000

#: Samples that one value of a chunk's loudness is of.
STEP = SAMPLE_RATE // 10

#: A bar of no height is so much softer than the loudest, which is a full one; what is softer
#: than ``QUIET_DB`` below full scale is never drawn as loud.
RANGE_DB = 36
QUIET_DB = 60

#: Softer than anything.
_UNHEARD = 255


def waveform(processing: ProcessingTask, *, bars: int) -> list[int]:
    """Return how loud a run's recording is, as heights from 0 to 100 over equal times.

    There are ``bars`` of them, fewer where each would be of less than 0.1 s; none while nothing
    is cut. Each is as high as the loudest moment in it, in any channel; what is not cut yet is 0.
    One query, and a byte of memory for each 0.1 s.
    """
    levels = _levels(processing)
    if not len(levels):
        return []
    count = min(bars, MAX_BARS, len(levels))
    peaks = np.minimum.reduceat(levels, np.arange(count) * len(levels) // count).astype(float)
    loudest = min(float(peaks.min()), QUIET_DB)
    heights = np.clip(100 * (1 - (peaks - loudest) / RANGE_DB), 0, 100)
    return [round(height) for height in heights.tolist()]


def _levels(processing: ProcessingTask) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Return the level of each 0.1 s in dB below full scale; empty where nothing is known."""
    columns = ("start_sample", "core_start_sample", "core_end_sample", "loudness")
    chunks = ChunkTask.objects.of(processing.pk).order_by("core_start_sample")
    levels = np.full(-(-_known_samples(processing) // STEP), _UNHEARD, np.uint8)
    is_cut = False
    for start, core_start, core_end, loudness in chunks.values_list(*columns).iterator():
        first, last = core_start // STEP, -(-core_end // STEP)
        before = first - start // STEP
        core = np.frombuffer(bytes(loudness), np.uint8)[before : before + last - first]
        if last > len(levels):
            levels = np.pad(levels, (0, last - len(levels)), constant_values=_UNHEARD)
        here = levels[first : first + len(core)]
        np.minimum(here, core, out=here)
        is_cut = True
    return levels if is_cut else levels[:0]


def _known_samples(processing: ProcessingTask) -> int:
    """Return how many samples the recording has, as far as that is known."""
    seconds = processing.total_seconds or 0.0
    if processing.has_separate_channels:
        seconds /= processing.transcript.recording.channels
    return round(seconds * SAMPLE_RATE)
