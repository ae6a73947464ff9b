"""Cutting where people pause, in one pass over the audio and in bounded memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.engines.base import SAMPLE_RATE

Samples = NDArray[np.int16]

#: Loudness is measured in frames of this many samples (10 ms).
FRAME = SAMPLE_RATE // 100

#: The loudness given to digital silence, in dB below full scale.
SILENCE_DB = -96.0


@dataclass(frozen=True)
class Cut:
    """One chunk: ``samples`` from ``start`` to ``end``, of which the core is its own to answer for.

    Offsets count samples on the recording's clock. Cores follow each other without a hole;
    ``[start, end)`` is wider than the core only where there was no pause to cut at.
    """

    index: int
    start: int
    core_start: int
    core_end: int
    end: int
    samples: Samples


@dataclass(frozen=True)
class PauseSplitter:
    """Cuts at the longest pause in a window around each target length.

    The window is ``target_seconds`` +- ``window`` of it. A pause is ``min_pause_seconds`` of
    frames that are much quieter than the speech around; the cut goes through its middle. With
    none in the window the cut goes through the quietest tenth of a second, and both neighbours
    also get ``overlap_seconds`` of the other's side, for the merger to align.
    """

    target_seconds: float
    window: float = 0.25
    min_pause_seconds: float = 0.3
    overlap_seconds: float = 2.0

    def split(self, blocks: Iterable[Samples]) -> Iterator[Cut]:
        """Yield the chunks of an audio stream as soon as each is certain."""
        first = int(self.target_seconds * (1 - self.window) * SAMPLE_RATE)
        last = int(self.target_seconds * (1 + self.window) * SAMPLE_RATE)
        overlap = int(self.overlap_seconds * SAMPLE_RATE)
        index = core_start = start = 0  # start: position of the first buffered sample
        pending: list[Samples] = []
        pending_count = 0
        for block in blocks:
            pending.append(block)
            pending_count += len(block)
            while start + pending_count >= core_start + last + overlap:
                buffer = np.concatenate(pending)
                core = buffer[core_start - start :]
                length, is_pause = self._cut_at(core, first, last)
                core_end = core_start + length
                margin = 0 if is_pause else overlap
                end = core_end + margin
                yield Cut(index, start, core_start, core_end, end, buffer[: end - start])
                keep_from = max(core_end - margin, start)
                pending = [buffer[keep_from - start :]]
                pending_count = len(pending[0])
                index, core_start, start = index + 1, core_end, keep_from
        if start + pending_count > core_start:
            buffer = np.concatenate(pending)
            end = start + pending_count
            yield Cut(index, start, core_start, end, end, buffer)

    def _cut_at(self, core: Samples, first: int, last: int) -> tuple[int, bool]:
        """Return where to end the chunk, counted from its start, and whether it is in a pause."""
        loudness = loudness_db(core[:last])
        window = loudness[first // FRAME :]
        pause = longest_run(window < pause_threshold_db(loudness))
        if pause is not None and (pause[1] - pause[0]) * FRAME >= (
            self.min_pause_seconds * SAMPLE_RATE
        ):
            return first // FRAME * FRAME + (pause[0] + pause[1]) * FRAME // 2, True
        width = min(10, len(window))
        means = np.convolve(window, np.ones(width) / width, mode="valid")
        quietest = int(np.argmin(means)) + width // 2
        return (first // FRAME + quietest) * FRAME, False


def loudness_db(samples: Samples) -> NDArray[np.float32]:
    """Return the RMS of each 10 ms frame in dB of full scale; a last partial frame is left out."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float32)
    power = np.mean(np.square(frames), axis=1) / np.float32(32768.0**2)
    loudness: NDArray[np.float32] = 10 * np.log10(power + np.float32(1e-12))
    return np.maximum(loudness, np.float32(SILENCE_DB))


def pause_threshold_db(loudness: NDArray[np.float32]) -> float:
    """Return the loudness under which a frame counts as pause.

    30 dB below the loud parts, or a quarter of the way up from the noise floor when the
    recording is noisier than that. The figures are ours, chosen on the bundled recordings.
    """
    floor, loud = np.percentile(loudness, [10, 90])
    return float(max(loud - 30.0, floor + 0.25 * (loud - floor), SILENCE_DB + 1))


def longest_run(mask: NDArray[np.bool_]) -> tuple[int, int] | None:
    """Return the longest run of True as (first, one past the last); None when there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    if not len(edges):
        return None
    starts, ends = edges[::2], edges[1::2]
    best = int(np.argmax(ends - starts))
    return int(starts[best]), int(ends[best])
