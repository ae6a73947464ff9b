"""How far a run is, in words."""

import pytest

from processing.services.progress import Progress, clock
from tests.factories.processing import ChunkTaskFactory, ProcessingTaskFactory


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0:00"),
        (59.99, "0:59"),
        (60.0, "1:00"),
        (2_535.0, "42:15"),
        (3_599.9, "59:59"),
        (3_600.0, "1:00:00"),
        (360_061.0, "100:01:01"),
    ],
)
def test_a_clock_shows_hours_only_when_there_are_any(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_progress_is_said_as_time_of_time() -> None:
    assert str(Progress(42.0, 240.0, 3, 12)) == "0:42 of 4:00"


def test_an_unknown_total_is_said_so() -> None:
    assert str(Progress(42.0, None, 3, None)) == "0:42 of ?"


@pytest.mark.django_db
def test_progress_counts_settled_chunks_and_their_audio() -> None:
    processing = ProcessingTaskFactory.create(processing=True)
    ChunkTaskFactory.create(processing=processing, completed=True)

    assert Progress.of(processing) == Progress(1.0, 2.0, 1, 2)


@pytest.mark.django_db
def test_a_failed_chunk_is_settled_too() -> None:
    processing = ProcessingTaskFactory.create(processing=True)
    ChunkTaskFactory.create(processing=processing, completed=True)
    ChunkTaskFactory.create(processing=processing, failed=True)

    assert Progress.of(processing) == Progress(2.0, 2.0, 2, 2)


@pytest.mark.django_db
def test_while_it_is_cut_a_recording_is_as_long_as_it_declares() -> None:
    processing = ProcessingTaskFactory.create(
        splitting=True, transcript__recording__duration_seconds=90.0
    )

    assert Progress.of(processing) == Progress(0.0, 90.0, 0, None)


@pytest.mark.django_db
def test_a_recording_that_declares_nothing_is_of_unknown_length_while_it_is_cut() -> None:
    processing = ProcessingTaskFactory.create(
        splitting=True, transcript__recording__duration_seconds=None
    )

    assert Progress.of(processing).total_seconds is None
    assert processing.progress == 0.0


@pytest.mark.django_db
@pytest.mark.parametrize("trait", ["completed", "partial"])
def test_a_run_that_gave_a_transcript_has_no_progress_left_to_make(trait: str) -> None:
    assert ProcessingTaskFactory.create(**{trait: True}).progress == 1.0


@pytest.mark.django_db
@pytest.mark.parametrize("trait", ["failed", "cancelled"])
def test_a_run_that_came_to_nothing_stays_where_it_was(trait: str) -> None:
    processing = ProcessingTaskFactory.create(
        **{trait: True}, total_chunks=2, total_samples=32_000, done_samples=16_000
    )

    assert processing.progress == 0.5


@pytest.mark.django_db
def test_progress_is_the_share_of_the_audio() -> None:
    processing = ProcessingTaskFactory.create(processing=True)
    ChunkTaskFactory.create(processing=processing, completed=True)

    assert processing.progress == 0.5


@pytest.mark.django_db
def test_more_audio_than_declared_is_not_more_than_all() -> None:
    processing = ProcessingTaskFactory.create(
        splitting=True, transcript__recording__duration_seconds=0.5
    )
    ChunkTaskFactory.create(processing=processing, completed=True)

    assert processing.progress == 1.0
