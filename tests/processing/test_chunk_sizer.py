"""How long the chunks of a recording should be."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from processing.audio.chunk_sizer import REQUEST_BYTES, ChunkSizeRecommendation, DynamicChunkSizer
from processing.audio.flac import encode_flac
from processing.audio.splitter import PauseSplitter
from processing.engines.base import SAMPLE_RATE, EngineLimits
from tests.audio import make_script, samples_of

OPENAI = EngineLimits(max_clip_seconds=1_400.0, max_clip_bytes=26_214_400)

quick = settings(database=None, deadline=None, max_examples=300)
durations = st.floats(0.1, 40 * 3600.0)
worker_counts = st.integers(0, 1_000)
factors = st.none() | st.floats(0.0, 1e4)
caps = st.builds(
    EngineLimits,
    max_clip_seconds=st.none() | st.floats(7.0, 5_000.0),
    max_clip_bytes=st.none() | st.integers(300_000, 100_000_000),
    max_concurrency=st.none() | st.integers(1, 50),
)


def recommend(
    duration: float | None,
    workers: int,
    *,
    factor: float | None = None,
    limits: EngineLimits | None = None,
    is_remote: bool = False,
) -> ChunkSizeRecommendation:
    return DynamicChunkSizer().recommend(
        duration_seconds=duration,
        worker_count=workers,
        real_time_factor=factor,
        limits=limits or EngineLimits(),
        is_remote=is_remote,
    )


def longest_clip(target_seconds: float) -> float:
    """Return the longest chunk that a splitter makes, with its overlaps."""
    splitter = PauseSplitter(target_seconds)
    return target_seconds * (1 + splitter.window) + 2 * splitter.overlap_seconds


# What is recommended


@pytest.mark.parametrize(
    ("duration", "workers", "target", "count"),
    [
        pytest.param(600.0, 2, 30.0, 20, id="ten minutes for two"),
        pytest.param(160.0, 2, 20.0, 8, id="four chunks for each worker"),
        pytest.param(36_000.0, 4, 30.0, 1_200, id="long: at most 30 s"),
        pytest.param(3_600.0, 7, 3_600 / 126, 126, id="long: as many for each"),
        pytest.param(44.0, 2, 11.0, 4, id="short: at least 10 s"),
        pytest.param(60.0, 8, 7.5, 8, id="many workers: one for each"),
        pytest.param(65.0, 8, 8.125, 8, id="the rest is shared too"),
        pytest.param(36.0, 1_000, 36 / 7, 7, id="more workers than chunks of 5 s"),
        pytest.param(3.0, 2, 10.0, 1, id="too short to share"),
        pytest.param(60.0, 0, 15.0, 4, id="no worker yet counts as one"),
    ],
)
def test_a_local_engine_gets_chunks_of_10_to_30_seconds(
    duration: float, workers: int, target: float, count: int
) -> None:
    recommendation = recommend(duration, workers)

    assert recommendation.target_seconds == pytest.approx(target)
    assert recommendation.chunk_count == count


@pytest.mark.parametrize(
    ("duration", "workers", "target", "count"),
    [
        pytest.param(36_000.0, 4, 600.0, 60, id="long: at most 600 s"),
        pytest.param(3_600.0, 8, 225.0, 16, id="two chunks for each worker"),
        pytest.param(600.0, 8, 75.0, 8, id="at least 60 s"),
        pytest.param(600.0, 20, 30.0, 20, id="many workers: one for each"),
        pytest.param(44.0, 2, 22.0, 2, id="short: both workers"),
        pytest.param(44.0, 1, 60.0, 1, id="short: the only worker"),
        pytest.param(30.0, 2, 60.0, 1, id="too short to share"),
    ],
)
def test_a_remote_engine_gets_chunks_of_60_to_600_seconds(
    duration: float, workers: int, target: float, count: int
) -> None:
    recommendation = recommend(duration, workers, limits=OPENAI, is_remote=True)

    assert recommendation.target_seconds == pytest.approx(target)
    assert recommendation.chunk_count == count


@pytest.mark.parametrize(
    ("factor", "is_remote", "target"),
    [
        pytest.param(0.1, False, 30.0, id="local, of usual speed"),
        pytest.param(0.01, False, 100.0, id="local, fast: a second of work"),
        pytest.param(1e-6, False, 600.0, id="local, costs nothing"),
        pytest.param(0.0, False, 600.0, id="local, too fast to measure"),
        pytest.param(6.0, False, 20.0, id="local, slow: two minutes of work"),
        pytest.param(100.0, False, 10.0, id="local, slower"),
        pytest.param(0.05, True, 600.0, id="remote, fast"),
        pytest.param(0.5, True, 240.0, id="remote, slow: two minutes of work"),
        pytest.param(100.0, True, 60.0, id="remote, slower"),
    ],
)
def test_a_chunk_is_a_second_to_two_minutes_of_work_where_the_bounds_allow(
    factor: float, is_remote: bool, target: float
) -> None:
    recommendation = recommend(144_000.0, 2, factor=factor, is_remote=is_remote)

    assert recommendation.target_seconds == pytest.approx(target, rel=0.01)


@pytest.mark.parametrize(
    ("is_remote", "limits", "target"),
    [
        pytest.param(False, EngineLimits(), 30.0, id="local"),
        pytest.param(True, OPENAI, 120.0, id="remote"),
        pytest.param(True, EngineLimits(max_clip_seconds=30.0), 19.6, id="remote, limited"),
    ],
)
def test_a_recording_of_unknown_length_gets_what_suits_most(
    is_remote: bool, limits: EngineLimits, target: float
) -> None:
    recommendation = recommend(None, 3, factor=0.1, is_remote=is_remote, limits=limits)

    assert recommendation.target_seconds == pytest.approx(target)
    assert (recommendation.chunk_count, recommendation.estimate_seconds) == (None, None)
    assert recommendation.reason == "the duration is not known"


def test_no_more_workers_are_counted_than_may_call_at_once() -> None:
    limited = recommend(600.0, 50, limits=EngineLimits(max_concurrency=2))

    assert limited == recommend(600.0, 2)


@pytest.mark.parametrize("is_remote", [False, True], ids=["local", "remote"])
def test_a_clip_of_44_seconds_is_cut_for_both_of_two_workers(is_remote: bool) -> None:
    samples = samples_of(make_script(44.0), 44.0)

    target = recommend(44.0, 2, is_remote=is_remote).target_seconds

    assert len(list(PauseSplitter(target).split([samples]))) >= 2


@pytest.mark.parametrize("duration", [100.0, 3_600.0, None])
@pytest.mark.parametrize("factor", [None, 0.001, 0.5], ids=["unknown", "fast", "slow"])
def test_no_chunk_is_over_the_window_of_its_engine(
    duration: float | None, factor: float | None
) -> None:
    limits = EngineLimits(window_seconds=30.0)

    target = recommend(duration, 2, factor=factor, limits=limits).target_seconds

    assert longest_clip(target) <= 30.0


# What is said of it


@pytest.mark.parametrize(
    ("duration", "workers", "factor", "seconds"),
    [
        pytest.param(600.0, 2, 0.1, 30.0, id="half the work each"),
        pytest.param(600.0, 1, 0.1, 60.0, id="all of it"),
        pytest.param(36.0, 1_000, 0.5, 0.5 * 36 / 7, id="one chunk"),
        pytest.param(3.0, 2, 0.5, 1.5, id="not shared"),
        pytest.param(600.0, 2, 0.0, 0.0, id="costs nothing"),
        pytest.param(600.0, 2, None, None, id="not known"),
    ],
)
def test_the_estimate_is_what_the_busiest_worker_takes(
    duration: float, workers: int, factor: float | None, seconds: float | None
) -> None:
    estimate = recommend(duration, workers, factor=factor).estimate_seconds

    assert estimate == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("duration", "workers", "limits", "reason"),
    [
        (36_000.0, 2, EngineLimits(), "chunks of at most 30 s"),
        (44.0, 2, EngineLimits(), "chunks of at least 10 s for 2 workers"),
        (160.0, 2, EngineLimits(), "8 chunks for 2 workers"),
        (60.0, 1, EngineLimits(), "4 chunks for one worker"),
        (60.0, 8, EngineLimits(), "a chunk for each of 8 workers"),
        (36.0, 8, EngineLimits(), "too short for 8 workers: chunks of at least 5 s"),
        (5.0, 2, EngineLimits(), "one chunk: too short to share"),
        (600.0, 2, EngineLimits(max_clip_seconds=20.0), "the engine takes at most 20 s a call"),
        (600.0, 2, EngineLimits(max_clip_bytes=2**20), "the engine takes at most 1 MiB a call"),
        (600.0, 2, EngineLimits(window_seconds=30.0), "the engine hears 30 s at once"),
    ],
)
def test_a_recommendation_says_why(
    duration: float, workers: int, limits: EngineLimits, reason: str
) -> None:
    assert recommend(duration, workers, limits=limits).reason == reason


# What holds for all


@quick
@given(durations, worker_counts, factors, caps, st.booleans())
@example(144_000.0, 1_000, None, EngineLimits(max_clip_seconds=7.0), True)
@example(0.1, 0, 0.0, EngineLimits(), False)
def test_no_chunk_is_over_a_limit_and_all_of_them_are_the_recording(
    duration: float, workers: int, factor: float | None, limits: EngineLimits, is_remote: bool
) -> None:
    recommendation = recommend(duration, workers, factor=factor, limits=limits, is_remote=is_remote)

    clip = longest_clip(recommendation.target_seconds)
    count = recommendation.chunk_count or 0
    assert count >= 1
    assert count == 1 or count * recommendation.target_seconds == pytest.approx(duration)
    assert recommendation.target_seconds * count >= duration * (1 - 1e-9)
    assert recommendation.target_seconds <= 600.0
    assert clip < 0.96 * (limits.max_clip_seconds or math.inf)
    assert clip * 2 * SAMPLE_RATE < 0.96 * (limits.max_clip_bytes or math.inf)
    PauseSplitter(recommendation.target_seconds)


@quick
@given(durations, worker_counts, factors, st.booleans())
def test_no_worker_is_idle_while_others_have_two_chunks(
    duration: float, workers: int, factor: float | None, is_remote: bool
) -> None:
    recommendation = recommend(duration, workers, factor=factor, is_remote=is_remote)

    count = recommendation.chunk_count or 0
    least = 20.0 if is_remote else 5.0
    assert count % max(workers, 1) == 0 or count == max(duration // least, 1) < workers
    assert count == 1 or recommendation.target_seconds >= least


@quick
@given(durations, st.integers(1, 999), st.floats(0.0, 1e4), st.booleans())
def test_more_workers_are_never_expected_to_take_longer(
    duration: float, workers: int, factor: float, is_remote: bool
) -> None:
    fewer = recommend(duration, workers, factor=factor, is_remote=is_remote).estimate_seconds
    more = recommend(duration, workers + 1, factor=factor, is_remote=is_remote).estimate_seconds

    assert fewer is not None
    assert more is not None
    assert more <= fewer * (1 + 1e-9)


def test_every_chunk_of_the_hardest_sound_fits_in_a_request() -> None:
    noise = np.random.default_rng(0).integers(-32_768, 32_768, 90 * SAMPLE_RATE, dtype=np.int16)
    limits = EngineLimits(max_clip_bytes=2**20)

    target = recommend(90.0, 1, limits=limits, is_remote=True).target_seconds
    sizes = [len(encode_flac(cut.samples)) for cut in PauseSplitter(target).split([noise])]

    assert 0.5 * 2**20 < max(sizes) + REQUEST_BYTES < 2**20


# What is refused


@pytest.mark.parametrize("duration", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_what_is_no_duration_is_refused(duration: float) -> None:
    with pytest.raises(ValueError, match="is no duration in seconds"):
        recommend(duration, 2)


@pytest.mark.parametrize("factor", [-0.1, math.nan, math.inf])
def test_what_is_no_real_time_factor_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="is no real-time factor"):
        recommend(60.0, 2, factor=factor)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (EngineLimits(max_clip_seconds=6.0), "at most 6 s a call, which leaves no room"),
        (EngineLimits(max_clip_bytes=20_000), r"at most 0\.0191 MiB a call, which leaves no room"),
    ],
)
def test_a_limit_that_leaves_no_room_for_overlaps_is_refused(
    limits: EngineLimits, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        recommend(60.0, 2, limits=limits)
