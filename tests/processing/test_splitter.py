"""Cutting where people pause: nothing lost, nothing doubled, the same whatever the blocks."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processing.audio.envelope import SILENCE_DB
from processing.audio.splitter import longest_run
from processing.engines.base import SAMPLE_RATE
from tests.audio import Script, samples_of
from tests.processing.recordings import KINDS, Samples, audio, levels, places, split

#: No file of examples beside the code, no failure because the machine is busy.
quick = settings(
    database=None, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
seeds = st.integers(0, 10_000)
targets = st.sampled_from([3.0, 4.5, 10.0])
durations = st.floats(0.5, 45.0)
kinds = st.sampled_from(list(KINDS))


# What holds for all audio


@quick
@given(durations, seeds, targets, st.sampled_from([0, 6]), kinds)
def test_cores_tile_the_recording_and_samples_are_its_own(
    seconds: float, seed: int, target: float, pause_every: int, kind: str
) -> None:
    _, samples = audio(seconds, seed=seed, pause_every=pause_every)
    samples = KINDS[kind](samples)

    cuts = split(samples, target)

    assert [cut.index for cut in cuts] == list(range(len(cuts)))
    assert (cuts[0].core_start, cuts[-1].core_end) == (0, len(samples))
    assert all(one.core_end == other.core_start for one, other in pairwise(cuts))
    assert all(c.start <= c.core_start < c.core_end <= c.end for c in cuts)
    assert all(np.array_equal(c.samples, samples[c.start : c.end]) for c in cuts)


@quick
@given(durations, seeds, targets, st.sampled_from([0, 6]), st.integers(100, 400_000))
def test_the_size_of_the_blocks_changes_nothing(
    seconds: float, seed: int, target: float, pause_every: int, block_size: int
) -> None:
    _, samples = audio(seconds, seed=seed, pause_every=pause_every)

    in_one_block = split(samples, target, block_size=len(samples))
    in_many = split(samples, target, block_size=block_size)

    assert places(in_many) == places(in_one_block)
    assert [levels(cut) for cut in in_many] == [levels(cut) for cut in in_one_block]


@quick
@given(durations, seeds, targets, st.sampled_from([0, 6]), kinds)
def test_no_chunk_is_longer_or_shorter_than_the_window_allows(
    seconds: float, seed: int, target: float, pause_every: int, kind: str
) -> None:
    _, samples = audio(seconds, seed=seed, pause_every=pause_every)

    cuts = split(KINDS[kind](samples), target)

    lengths = [(cut.core_end - cut.core_start) / SAMPLE_RATE for cut in cuts]
    assert all(0.74 * target <= length <= 1.26 * target for length in lengths[:-1])
    assert lengths[-1] <= 1.25 * target + 2.01
    assert len(cuts) == 1 or lengths[-1] >= 2.0
    assert all(len(cut.samples) / SAMPLE_RATE <= 1.25 * target + 4.01 for cut in cuts)


@quick
@given(durations, seeds, targets, st.sampled_from([0, 6]), kinds)
def test_a_chunk_has_the_loudness_of_each_tenth_of_a_second(
    seconds: float, seed: int, target: float, pause_every: int, kind: str
) -> None:
    _, samples = audio(seconds, seed=seed, pause_every=pause_every)

    cuts = split(KINDS[kind](samples), target)

    assert all(len(c.envelope) == math.ceil(len(c.samples) / 1_600) for c in cuts)
    assert all(c.envelope.dtype == np.int8 and c.envelope.max() <= 0 for c in cuts)
    assert all(c.envelope.min() >= SILENCE_DB and -95 <= c.pause_db <= 0 for c in cuts)


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


@quick
@given(
    st.floats(7.7, 10.8),
    st.integers(0, 5),
    st.sampled_from(["speech", "very quiet", "clipped", "DC offset", "noise 10 dB below"]),
)
def test_the_cut_is_in_the_longest_pause_whatever_the_recording_is_like(
    at: float, shorter_count: int, kind: str
) -> None:
    shorter = np.linspace(7.6, 11.4, shorter_count)
    ends = sorted([at, *shorter[abs(shorter - at) > 1.1]])
    pauses = [(end, end + (1.0 if end == at else 0.5)) for end in ends]
    begins, stops = [0.2, *(end for _, end in pauses)], [*(end for end, _ in pauses), 25.0]
    script: Script = [("w", *span) for span in zip(begins, stops, strict=True)]

    first = split(KINDS[kind](samples_of(script, 25.0)), 10.0)[0]

    assert first.core_end / SAMPLE_RATE == pytest.approx(at + 0.5, abs=0.03)
    assert first.end == first.core_end


def test_every_cut_in_a_pause_much_longer_than_the_window_is_at_the_target() -> None:
    words: Script = [("a", 0.0, 3.0), ("b", 61.0, 63.0)]
    samples = samples_of(words, 63.0)

    cuts = split(samples, 4.0)

    ends = [cut.core_end / SAMPLE_RATE for cut in cuts]
    assert ends[:14] == pytest.approx(np.arange(4.0, 60.0, 4.0), abs=0.1)
    assert not [end for end in ends[:-1] if end > 61.0]
    assert all((c.start, c.end) == (c.core_start, c.core_end) for c in cuts)


def test_a_pause_under_the_least_length_is_none() -> None:
    words: Script = [("a", 0.0, 4.0), ("b", 4.25, 12.0)]

    first = split(samples_of(words, 12.0), 4.0)[0]

    assert first.end > first.core_end


def after_somebody_loud(quiet: Script) -> Samples:
    """Return 9 s of loud speech and then somebody who is 36 dB quieter, to 20 s."""
    loud: Script = [("a", 0.2, 4.0), ("b", 4.5, 9.0)]
    samples = samples_of([*loud, *quiet], 20.0)
    samples[9 * SAMPLE_RATE :] //= 64
    return samples


def test_a_quiet_speaker_after_a_loud_one_is_cut_between_words_too() -> None:
    samples = after_somebody_loud([("c", 9.3, 12.6), ("d", 13.1, 19.8)])

    first = split(samples, 12.0)[0]

    assert 12.6 < first.core_end / SAMPLE_RATE < 13.1
    assert first.end == first.core_end


def test_a_quiet_speaker_who_does_not_pause_is_cut_with_an_overlap() -> None:
    quiet: Script = [("c", 9.05 + 0.35 * i, 9.25 + 0.35 * i) for i in range(30)]

    first = split(after_somebody_loud(quiet), 12.0)[0]

    assert first.end - first.core_end == 2 * SAMPLE_RATE


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


@pytest.mark.parametrize("kind", ["noise alone", "music"])
def test_what_never_pauses_is_cut_and_overlaps(kind: str) -> None:
    cuts = split(KINDS[kind](np.zeros(20 * SAMPLE_RATE, np.int16)), 5.0)

    assert len(cuts) >= 3
    assert all(one.end > other.start for one, other in pairwise(cuts))


# The measures


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
