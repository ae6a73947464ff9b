"""Cutting what is hardly a recording, what lasts for days, and what comes as it is spoken."""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from processing.audio.envelope import FRAME
from processing.audio.splitter import Cut, PauseSplitter, longest_target_seconds
from processing.engines.base import SAMPLE_RATE
from tests.audio import samples_of
from tests.processing.recordings import KINDS, Samples, audio, blocks_of, places, split

# The extremes


def test_digital_silence_is_one_long_pause() -> None:
    cuts = split(np.zeros(20 * SAMPLE_RATE, np.int16), 5.0)

    ends = [cut.core_end / SAMPLE_RATE for cut in cuts]
    assert ends == pytest.approx([5.0, 10.0, 15.0, 20.0], abs=0.01)
    assert all((c.start, c.end) == (c.core_start, c.core_end) for c in cuts)


@pytest.mark.parametrize("count", [1, FRAME - 1, FRAME, SAMPLE_RATE])
def test_very_short_audio_is_one_chunk(count: int) -> None:
    samples = np.arange(count).astype(np.int16)

    [cut] = split(samples, 10.0)

    assert places([cut]) == [(0, 0, 0, count, count)]
    assert np.array_equal(cut.samples, samples)


def test_no_audio_is_no_chunk() -> None:
    assert split(np.zeros(0, np.int16)) == []


def test_empty_blocks_change_nothing() -> None:
    _, samples = audio(20.0)
    empty = np.zeros(0, np.int16)
    blocks = [part for block in blocks_of(samples, 8_000) for part in (empty, block, empty)]

    assert places(list(PauseSplitter(4.5).split(blocks))) == places(split(samples))


@pytest.mark.parametrize("target", [0.0, 0.99, -1.0, math.nan, math.inf])
def test_a_target_that_makes_no_chunks_is_refused(target: float) -> None:
    with pytest.raises(ValueError, match="they are 1 s or more"):
        PauseSplitter(target)


@pytest.mark.parametrize("clip_seconds", [10.0, 30.0, 60.0])
def test_chunks_of_the_longest_target_for_a_clip_are_no_longer_than_it(clip_seconds: float) -> None:
    noise = KINDS["noise alone"](np.zeros(200 * SAMPLE_RATE, np.int16))

    cuts = split(noise, longest_target_seconds(clip_seconds))

    longest = max(len(cut.samples) for cut in cuts) / SAMPLE_RATE
    assert 0.6 * clip_seconds < longest <= clip_seconds


# Offsets that do not fit in 32 bits

#: Speech for 9.2 s, a pause to 10 s, over and over.
LOOP = samples_of([("w", 0.0, 9.2)], 10.0)


def is_right(cut: Cut) -> bool:
    """Say whether a chunk of many loops ends in a pause and has samples of its own."""
    off = cut.core_end % len(LOOP) / SAMPLE_RATE - 9.6
    return abs(off) < 0.02 and np.array_equal(
        cut.samples[-1_000:], np.roll(LOOP, -cut.end % len(LOOP))[-1_000:]
    )


def test_offsets_are_right_up_to_38_hours_where_they_do_not_fit_in_32_bits() -> None:
    cuts, wrong = [], []
    for cut in PauseSplitter(600.0).split(LOOP for _ in range(38 * 360)):
        cuts.append(places([cut])[0])
        if not is_right(cut):
            wrong.append(cut.core_end)

    count = 38 * 3600 * SAMPLE_RATE
    assert wrong == [count]
    assert (cuts[0][2], cuts[-1][3]) == (0, count)
    assert all(one[3] == other[2] for one, other in pairwise(cuts))
    assert {type(offset) for cut in cuts for offset in cut} == {int}


# Memory and time


def test_a_chunk_comes_out_before_the_audio_is_over() -> None:
    _, samples = audio(60.0)
    read = 0

    def blocks() -> Iterator[Samples]:
        nonlocal read
        for block in blocks_of(samples, 1_600):
            read += len(block)
            yield block

    first = next(PauseSplitter(4.0).split(blocks()))

    assert first.index == 0
    assert read / SAMPLE_RATE <= 4.0 * 1.25 + 2.0 + 1.1


def test_no_more_is_held_than_one_chunk_and_its_overlaps() -> None:
    _, samples = audio(60.0, pause_every=0)
    read = 0

    def blocks() -> Iterator[Samples]:
        nonlocal read
        for block in blocks_of(samples, 1_600):
            read += len(block)
            yield block

    held = [read - cut.start for cut in PauseSplitter(4.0).split(blocks())]

    assert max(held) / SAMPLE_RATE <= 4.0 * 1.25 + 2 * 2.0 + 1.1
