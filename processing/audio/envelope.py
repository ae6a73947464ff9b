"""How loud a recording is from moment to moment, and how quiet is a pause in it."""

import numpy as np
from numpy.typing import NDArray

from processing.engines.base import SAMPLE_RATE

Samples = NDArray[np.int16]

#: Loudness is measured in frames of this many samples (10 ms).
FRAME = SAMPLE_RATE // 100
FRAMES_PER_SECOND = SAMPLE_RATE // FRAME

#: Frames in one value of an envelope (100 ms).
STEP = 10

#: The loudness given to digital silence, in dB below full scale.
SILENCE_DB = -96.0

#: From the quiet to the loud parts it is at least so far where somebody speaks; steady noise
#: has 2 dB, speech 20 and more.
MIN_RANGE_DB = 6.0


def loudness_db(samples: Samples) -> NDArray[np.float32]:
    """Return the loudness of each 10 ms in dB of full scale; shape ``(ceil(n / FRAME),)``.

    It is the RMS about the mean of the frame, so that a DC offset is no sound. A last partial
    frame counts as if its last sample went on.
    """
    if rest := -len(samples) % FRAME:
        samples = np.pad(samples, (0, rest), mode="edge")
    frames = samples.reshape(-1, FRAME).astype(np.float32)
    frames -= np.einsum("ij->i", frames)[:, np.newaxis] / FRAME  # faster than mean()
    power = np.einsum("ij,ij->i", frames, frames) / np.float32(FRAME * 32768.0**2)
    loudness: NDArray[np.float32] = 10 * np.log10(power + np.float32(1e-12))
    return np.maximum(loudness, np.float32(SILENCE_DB))


def pause_threshold_db(loudness: NDArray[np.float32], *, before: float = SILENCE_DB + 1) -> float:
    """Return the loudness under which a frame counts as pause.

    30 dB below the loud parts, or a quarter of the way up from the noise floor when the
    recording is noisier than that. Where all is equally loud, so that there is no telling, it
    is at least what it was ``before``: a long pause is one, and a hum is not. The figures are
    ours, chosen on the bundled recordings.
    """
    floor, loud = np.percentile(loudness, [10, 90])
    threshold = float(max(loud - 30.0, floor + 0.25 * (loud - floor), SILENCE_DB + 1))
    return max(threshold, before) if loud - floor < MIN_RANGE_DB else threshold


def envelope_db(loudness: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return the loudness of each 100 ms in whole dB of full scale; shape ``(ceil(n / STEP),)``.

    ``loudness`` is that of frames; the last value is the mean of the frames that are left.
    """
    starts = np.arange(0, len(loudness), STEP)
    counts = np.diff(np.append(starts, len(loudness)))
    power = np.add.reduceat(10 ** (loudness / 10), starts) / counts
    levels: NDArray[np.int8] = np.rint(10 * np.log10(power)).astype(np.int8)
    return levels
