"""Cutting where people pause, in one pass over the audio and in bounded memory."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from processing.audio.envelope import (
    FRAME,
    FRAMES_PER_SECOND,
    SILENCE_DB,
    Samples,
    envelope_db,
    loudness_db,
    pause_threshold_db,
)
from processing.engines.base import SAMPLE_RATE

#: How far a cut may be from the target, as a part of it.
WINDOW = 0.25

#: What both neighbours get of the other's side where there is no pause to cut at.
OVERLAP_SECONDS = 2.0

#: A longer pause may be somebody quiet beside somebody loud, who pauses in his turn.
LONG_PAUSE_SECONDS = 1.0

#: Shorter chunks than this are never meant.
MIN_TARGET_SECONDS = 1.0

#: Samples that are measured at a time: decoders give blocks so small that it would cost more.
BATCH = SAMPLE_RATE


@dataclass(frozen=True)
class Cut:
    """One chunk: ``samples`` from ``start`` to ``end``, of which the core is its own to answer for.

    Offsets count samples on the recording's clock. Cores follow each other without a hole;
    ``[start, end)`` is wider than the core only where there was no pause to cut at.
    ``envelope`` is the loudness of each 100 ms of ``[start, end)`` in dB of full scale, and
    ``pause_db`` the loudness under which they are pause.
    """

    index: int
    start: int
    core_start: int
    core_end: int
    end: int
    samples: Samples
    envelope: NDArray[np.int8]
    pause_db: float


@dataclass(frozen=True)
class PauseSplitter:
    """Cuts at the longest pause in a window around each target length.

    The window is ``target_seconds`` +- ``window`` of it. A pause is ``min_pause_seconds`` of
    frames that are much quieter than the speech around; the cut goes through its middle. With
    none in the window the cut goes through the quietest tenth of a second, and both neighbours
    also get ``overlap_seconds`` of the other's side, for the merger to align.
    """

    target_seconds: float
    window: float = WINDOW
    min_pause_seconds: float = 0.3
    overlap_seconds: float = OVERLAP_SECONDS

    def __post_init__(self) -> None:
        if not MIN_TARGET_SECONDS <= self.target_seconds < math.inf:
            raise ValueError(
                f"chunks of {self.target_seconds:g} s; they are {MIN_TARGET_SECONDS:g} s or more"
            )

    def split(self, blocks: Iterable[Samples]) -> Iterator[Cut]:
        """Yield the chunks of an audio stream as soon as each is certain."""
        first = int(self.target_seconds * (1 - self.window) * FRAMES_PER_SECOND)
        last = int(self.target_seconds * (1 + self.window) * FRAMES_PER_SECOND)
        overlap = int(self.overlap_seconds * FRAMES_PER_SECOND)
        held = _Held()
        index = core_start = 0
        pause_db = SILENCE_DB
        for batch in _batches(blocks):
            held.add(batch)
            while held.frame_end >= core_start + last + overlap:
                loudness = held.loudness(core_start, core_start + last)
                pause_db = pause_threshold_db(loudness, before=pause_db)
                length, is_pause = self._cut_at(loudness, first, pause_db)
                core_end = core_start + length
                margin = 0 if is_pause else overlap
                end = (core_end + margin) * FRAME
                yield held.cut(index, core_start * FRAME, core_end * FRAME, end, pause_db)
                held.drop(core_end - margin)
                index, core_start = index + 1, core_end
        if held.end > core_start * FRAME:
            loudness = held.loudness(core_start, None)
            pause_db = pause_threshold_db(loudness, before=pause_db)
            yield held.cut(index, core_start * FRAME, held.end, held.end, pause_db)

    def _cut_at(
        self, loudness: NDArray[np.float32], first: int, pause_db: float
    ) -> tuple[int, bool]:
        """Return where to end the chunk, in frames, and whether it is in a pause."""
        window = loudness[first:]
        pause = self._longest_pause(window, pause_db)
        begin = 0
        if pause is not None and pause[1] - pause[0] > LONG_PAUSE_SECONDS * FRAMES_PER_SECOND:
            begin, end = pause
            quiet = window[begin:end]
            pause = self._longest_pause(quiet, pause_threshold_db(quiet, before=pause_db))
        if pause is not None:
            return first + begin + sum(pause) // 2, True
        width = min(10, len(window))
        means = np.convolve(window, np.ones(width) / width, mode="valid")
        return first + int(np.argmin(means)) + width // 2, False

    def _longest_pause(
        self, loudness: NDArray[np.float32], pause_db: float
    ) -> tuple[int, int] | None:
        pause = longest_run(loudness < pause_db)
        if pause is None or pause[1] - pause[0] < self.min_pause_seconds * FRAMES_PER_SECOND:
            return None
        return pause


@dataclass
class _Held:
    """The end of the stream so far, of which there are chunks still to be made.

    ``start`` counts frames on the recording's clock, ``end`` samples.
    """

    start: int = 0
    end: int = 0
    _samples: list[Samples] = field(default_factory=list)
    _loudness: list[NDArray[np.float32]] = field(default_factory=list)

    @property
    def frame_end(self) -> int:
        return self.end // FRAME

    def add(self, batch: Samples) -> None:
        self._samples.append(batch)
        self._loudness.append(loudness_db(batch))
        self.end += len(batch)

    def loudness(self, begin: int, end: int | None) -> NDArray[np.float32]:
        """Return the loudness from one frame up to another, or to the last."""
        self._loudness = [np.concatenate(self._loudness)]
        return self._loudness[0][begin - self.start : None if end is None else end - self.start]

    def cut(self, index: int, core_start: int, core_end: int, end: int, pause_db: float) -> Cut:
        """Return the chunk from ``start`` to ``end``."""
        self._samples = [np.concatenate(self._samples)]
        start = self.start * FRAME
        samples = self._samples[0][: end - start]
        envelope = envelope_db(self.loudness(self.start, -(-end // FRAME)))
        return Cut(index, start, core_start, core_end, end, samples, envelope, pause_db)

    def drop(self, begin: int) -> None:
        """Forget what comes before the frame ``begin``."""
        if begin > self.start:
            self._samples = [self._samples[0][(begin - self.start) * FRAME :]]
            self._loudness = [self._loudness[0][begin - self.start :]]
            self.start = begin


def longest_target_seconds(clip_seconds: float) -> float:
    """Return the longest target whose chunks, overlaps included, last ``clip_seconds`` at most."""
    return (clip_seconds - 2 * OVERLAP_SECONDS) / (1 + WINDOW)


def longest_run(mask: NDArray[np.bool_]) -> tuple[int, int] | None:
    """Return the longest run of True as (first, one past the last); None when there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    if not len(edges):
        return None
    starts, ends = edges[::2], edges[1::2]
    best = int(np.argmax(ends - starts))
    return int(starts[best]), int(ends[best])


def _batches(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Yield the same stream in batches of ``BATCH`` samples; the last is what is left."""
    pending: list[Samples] = []
    count = 0
    for block in blocks:
        pending.append(block)
        count += len(block)
        if count >= BATCH:
            joined = np.concatenate(pending)
            whole = count // BATCH * BATCH
            yield from (joined[i : i + BATCH] for i in range(0, whole, BATCH))
            pending, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(pending)
