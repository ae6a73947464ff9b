"""How long the chunks of a recording should be."""

import pytest

from processing.audio.chunk_sizer import DynamicChunkSizer


@pytest.mark.parametrize(
    ("duration_seconds", "worker_count", "target_seconds", "chunk_count"),
    [
        pytest.param(160.0, 2, 20.0, 8, id="four chunks for each worker"),
        pytest.param(36_000.0, 4, 30.0, 1_200, id="long: at most 30 s"),
        pytest.param(60.0, 8, 10.0, 6, id="many workers: at least 10 s"),
        pytest.param(65.0, 8, 10.0, 7, id="the rest is a chunk too"),
        pytest.param(3.0, 2, 10.0, 1, id="shorter than a chunk"),
        pytest.param(0.0, 2, 10.0, 1, id="nothing"),
        pytest.param(60.0, 0, 15.0, 4, id="no worker yet counts as one"),
    ],
)
def test_the_target_follows_from_duration_and_workers(
    duration_seconds: float, worker_count: int, target_seconds: float, chunk_count: int
) -> None:
    recommendation = DynamicChunkSizer().recommend(
        duration_seconds=duration_seconds, worker_count=worker_count
    )

    assert recommendation.target_seconds == target_seconds
    assert recommendation.chunk_count == chunk_count


def test_a_recording_of_unknown_length_gets_the_longest_chunks() -> None:
    recommendation = DynamicChunkSizer().recommend(duration_seconds=None, worker_count=3)

    assert (recommendation.target_seconds, recommendation.chunk_count) == (30.0, None)
    assert recommendation.reason == "the duration is not known"


@pytest.mark.parametrize(
    ("duration_seconds", "reason"),
    [
        (36_000.0, "chunks of at most 30 s"),
        (5.0, "chunks of at least 10 s"),
        (160.0, "8 chunks for 2 workers"),
    ],
)
def test_a_recommendation_says_why(duration_seconds: float, reason: str) -> None:
    recommendation = DynamicChunkSizer().recommend(
        duration_seconds=duration_seconds, worker_count=2
    )

    assert recommendation.reason == reason


def test_bounds_and_chunks_per_worker_are_parameters() -> None:
    sizer = DynamicChunkSizer(min_seconds=1.0, max_seconds=600.0, chunks_per_worker=2)

    assert sizer.recommend(duration_seconds=400.0, worker_count=2).target_seconds == 100.0
