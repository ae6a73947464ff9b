"""Cutting where people pause: nothing lost, nothing doubled, the same whatever the blocks."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from processing.audio.splitter import (
    FRAME,
    Cut,
    PauseSplitter,
    longest_run,
    loudness_db,
    pause_threshold_db,
)
from processing.engines.base import SAMPLE_RATE
from tests.audio import Script, make_script, samples_of

Samples = NDArray[np.int16]

#: No file of examples beside the code, no failure because the machine is busy.
quick = settings(
    database=None, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
seeds = st.integers(0, 10_000)
targets = st.sampled_from([3.0, 4.5, 10.0])
durations = st.floats(0.5, 45.0)


def audio(seconds: float, *, seed: int = 0, pause_every: int = 6) -> tuple[Script, Samples]:
    script = make_script(seconds, seed=seed, pause_every=pause_every)
    return script, samples_of(script, seconds, seed=seed)


def blocks_of(samples: Samples, size: int) -> Iterator[Samples]:
    return (samples[i : i + size] for i in range(0, len(samples), size))


def split(samples: Samples, target_seconds: float = 4.5, *, block_size: int = 8_000) -> list[Cut]:
    return list(PauseSplitter(target_seconds).split(blocks_of(samples, block_size)))


def places(cuts: list[Cut]) -> list[tuple[int, int, int, int, int]]:
    return [(c.index, c.start, c.core_start, c.core_end, c.end) for c in cuts]


# What holds for all audio


@quick
@given(durations, seeds, targets, st.sampled_from([0, 6]))
def test_cores_tile_the_recording_and_samples_are_its_own(
    seconds: float, seed: int, target: float, pause_every: int
) -> None:
    _, samples = audio(seconds, seed=seed, pause_every=pause_every)

    cuts = split(samples, target)

    assert [cut.index for cut in cuts] == list(range(len(cuts)))
    assert (cuts[0].core_start, cuts[-1].core_end) == (0, len(samples))
    assert all(one.core_end == other.core_start for one, other in pairwise(cuts))
    assert all(c.start <= c.core_start < c.core_end <= c.end for c in cuts)
    assert all(np.array_equal(c.samples, samples[c.start : c.end]) for c in cuts)


@quick
@given(durations, seeds, targets, st.sampled_from([0, 6]), st.integers(100, 400_000))
def test_the_size_of_the_blocks_does_not_change_the_cuts(
    seconds: float, seed: int, target: float, pause_every: int, block_size: int
) -> None:
    _, samples = audio(seconds, seed=seed, pause_every=pause_every)

    in_one_block = split(samples, target, block_size=len(samples))

    assert places(split(samples, target, block_size=block_size)) == places(in_one_block)


@quick
@given(durations, seeds, targets, st.sampled_from([0, 6]))
def test_no_chunk_is_longer_or_shorter_than_the_window_allows(
    seconds: float, seed: int, target: float, pause_every: int
) -> None:
    _, samples = audio(seconds, seed=seed, pause_every=pause_every)

    lengths = [(cut.core_end - cut.core_start) / SAMPLE_RATE for cut in split(samples, target)]

    assert all(0.74 * target <= length <= 1.26 * target for length in lengths[:-1])
    assert lengths[-1] <= 1.25 * target + 2.0


# Where people pause


@quick
@given(st.floats(12.0, 45.0), seeds, st.sampled_from([8.0, 10.0]))
def test_every_cut_lies_between_words_and_nothing_overlaps(
    seconds: float, seed: int, target: float
) -> None:
    script, samples = audio(seconds, seed=seed)

    cuts = split(samples, target)

    inner = [cut.core_end / SAMPLE_RATE for cut in cuts[:-1]]
    hurt = [w for w, start, end in script if any(start < at < end for at in inner)]
    assert not hurt
    assert all((c.start, c.end) == (c.core_start, c.core_end) for c in cuts)


def test_a_cut_goes_through_the_middle_of_the_longest_pause() -> None:
    words: Script = [("a", 0.0, 3.0), ("b", 3.4, 4.0), ("c", 5.0, 9.0)]
    samples = samples_of(words, 9.0)

    first = split(samples, 4.0)[0]

    assert first.core_end / SAMPLE_RATE == pytest.approx(4.5, abs=0.02)


def test_a_pause_under_the_least_length_is_none() -> None:
    words: Script = [("a", 0.0, 4.0), ("b", 4.25, 12.0)]

    first = split(samples_of(words, 12.0), 4.0)[0]

    assert first.end > first.core_end


# Where they do not


def test_without_a_pause_both_neighbours_get_two_seconds_of_the_other_side() -> None:
    _, samples = audio(30.0, pause_every=0)

    cuts = split(samples, 6.0)

    overlaps = [(one.end - other.start) / SAMPLE_RATE for one, other in pairwise(cuts)]
    assert len(cuts) > 3
    assert overlaps == [4.0] * (len(cuts) - 1)
    assert all(c.core_start - c.start == 2 * SAMPLE_RATE for c in cuts[1:])


def test_without_a_pause_the_cut_goes_through_the_quietest_place() -> None:
    random = np.random.default_rng(1)
    samples = random.normal(0, 5_000, 16 * SAMPLE_RATE)
    quiet = slice(int(5.2 * SAMPLE_RATE), int(5.3 * SAMPLE_RATE))
    samples[quiet] /= 50

    first = split(samples.clip(-32_768, 32_767).astype(np.int16), 5.0)[0]

    assert first.core_end / SAMPLE_RATE == pytest.approx(5.25, abs=0.06)


def test_constant_noise_is_cut_and_overlaps() -> None:
    noise = np.random.default_rng(2).normal(0, 3_000, 20 * SAMPLE_RATE).astype(np.int16)

    cuts = split(noise, 5.0)

    assert len(cuts) >= 3
    assert all(one.end > other.start for one, other in pairwise(cuts))


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


def test_the_loudest_audio_is_cut_like_any_other() -> None:
    loudest = np.full(12 * SAMPLE_RATE, -32_768, np.int16)

    cuts = split(loudest, 4.0)

    assert (cuts[0].core_start, cuts[-1].core_end) == (0, len(loudest))


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
    assert read / SAMPLE_RATE <= 4.0 * 1.25 + 2.0 + 0.1


def test_no_more_is_held_than_one_chunk_and_its_overlaps() -> None:
    _, samples = audio(60.0, pause_every=0)
    read = 0

    def blocks() -> Iterator[Samples]:
        nonlocal read
        for block in blocks_of(samples, 1_600):
            read += len(block)
            yield block

    held = [read - cut.start for cut in PauseSplitter(4.0).split(blocks())]

    assert max(held) / SAMPLE_RATE <= 4.0 * 1.25 + 2 * 2.0 + 0.1


# The measures


@pytest.mark.parametrize(
    ("level", "decibels"), [(32_767, 0.0), (3_277, -20.0), (33, -59.9), (0, -96.0)]
)
def test_loudness_is_in_decibels_below_full_scale(level: int, decibels: float) -> None:
    loudness = loudness_db(np.full(3 * FRAME + 5, level, np.int16))

    assert loudness == pytest.approx([decibels] * 3, abs=0.1)


@pytest.mark.parametrize(
    ("loudness", "threshold"),
    [
        pytest.param([-60.0] * 5 + [-20.0] * 5, -50.0, id="quiet room"),
        pytest.param([-30.0] * 5 + [-10.0] * 5, -25.0, id="noisy room"),
        pytest.param([-96.0] * 10, -95.0, id="digital silence"),
    ],
)
def test_the_threshold_of_a_pause_follows_the_noise(
    loudness: list[float], threshold: float
) -> None:
    assert pause_threshold_db(np.array(loudness, np.float32)) == pytest.approx(threshold)


@pytest.mark.parametrize(
    ("mask", "run"),
    [
        ("", None),
        ("....", None),
        ("xxxx", (0, 4)),
        (".xx.xxx.", (4, 7)),
        ("xx..xx", (0, 2)),
        ("...x", (3, 4)),
    ],
)
def test_the_longest_run_is_the_first_of_the_longest(
    mask: str, run: tuple[int, int] | None
) -> None:
    assert longest_run(np.array([letter == "x" for letter in mask], np.bool_)) == run
