"""How far a run is, in words."""

import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from processing.management.follow import Board
from processing.models import ProcessingTask
from processing.services.progress import Progress, clock
from tests.factories.processing import ChunkTaskFactory, ProcessingTaskFactory

NOW = timezone.now()


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


def test_what_is_left_is_said_behind_it() -> None:
    assert str(Progress(42.0, 240.0, 3, 12, 70.4)) == "0:42 of 4:00, about 1:10 left"


def test_less_than_a_second_is_not_worth_saying() -> None:
    assert str(Progress(239.0, 240.0, 11, 12, 0.9)) == "3:59 of 4:00"


def eta_seconds(*, passed_seconds: float = 20.0, **fields: Any) -> float | None:
    """Return what is left of a run of 240 s of audio that began so long ago."""
    fields = {"processing": True, "total_samples": 240 * 16_000} | fields
    started_at = NOW - timedelta(seconds=passed_seconds)
    processing = ProcessingTaskFactory.create(**{"started_at": started_at} | fields)
    with time_machine.travel(NOW, tick=False):
        return Progress.of(processing).eta_seconds


@pytest.mark.django_db
def test_the_rest_is_expected_to_go_on_as_it_went() -> None:
    assert eta_seconds(done_samples=60 * 16_000) == pytest.approx(60.0)


def run_with_a_known_chunk(**second: Any) -> ProcessingTask:
    """Return a run of 6 s that began 10 s ago; the first of two chunks was known before."""
    run = ProcessingTaskFactory.create(
        processing=True,
        total_chunks=6,
        total_samples=6 * 16_000,
        started_at=NOW - timedelta(seconds=10),
    )
    ChunkTaskFactory.create(processing=run, completed=True, is_reused=True)
    ChunkTaskFactory.create(processing=run, **second)
    return run


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["completed", "failed"])
def test_the_speed_is_that_of_what_was_not_known_before(end: str) -> None:
    run = run_with_a_known_chunk(**{end: True})

    with time_machine.travel(NOW, tick=False):
        assert Progress.of(run).eta_seconds == pytest.approx(40.0)


@pytest.mark.django_db
def test_what_was_known_before_tells_nothing_of_how_long_the_rest_takes() -> None:
    assert Progress.of(run_with_a_known_chunk()).eta_seconds is None


@pytest.mark.django_db
def test_while_it_is_cut_the_rest_is_what_the_recording_declares() -> None:
    declared: dict[str, Any] = {
        "transcript__recording__duration_seconds": 100.0,
        "total_samples": None,
    }

    assert eta_seconds(done_samples=50 * 16_000, **declared) == pytest.approx(20.0)


@pytest.mark.django_db
def test_a_run_that_is_joined_has_nothing_left_to_hear() -> None:
    assert eta_seconds(done_samples=240 * 16_000) == 0.0


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"done_samples": 0}, id="nothing done"),
        pytest.param({"done_samples": 16_000, "started_at": None}, id="not begun"),
        pytest.param(
            {
                "done_samples": 16_000,
                "total_samples": None,
                "transcript__recording__duration_seconds": None,
            },
            id="length unknown",
        ),
        pytest.param({"processing": False, "partial": True, "total_samples": 32_000}, id="over"),
        pytest.param(
            {"processing": False, "cancelled": True, "done_samples": 16_000}, id="cancelled"
        ),
    ],
)
def test_nobody_knows_how_long_it_takes(fields: dict[str, Any]) -> None:
    assert eta_seconds(**fields) is None


@pytest.mark.django_db
def test_a_clock_that_was_set_back_promises_nothing_absurd() -> None:
    assert eta_seconds(passed_seconds=-5.0, done_samples=16_000) == 0.0


@pytest.mark.django_db
def test_who_follows_a_run_from_before_it_began_is_told_what_is_left() -> None:
    followed = ProcessingTaskFactory.create()
    board = Board(io.StringIO())
    board.add(followed, description="talk.wav")
    ProcessingTask.objects.split(followed.pk, chunk_seconds=1.0)
    ChunkTaskFactory.create(processing=ProcessingTask.objects.get(pk=followed.pk), completed=True)

    board.look()

    assert Progress.of(followed).eta_seconds is not None


def without_eta(processing: ProcessingTask) -> Progress:
    return replace(Progress.of(processing), eta_seconds=None)


@pytest.mark.django_db
def test_progress_counts_settled_chunks_and_their_audio() -> None:
    processing = ProcessingTaskFactory.create(processing=True)
    ChunkTaskFactory.create(processing=processing, completed=True)

    assert without_eta(processing) == Progress(1.0, 2.0, 1, 2)


@pytest.mark.django_db
def test_a_failed_chunk_is_settled_too() -> None:
    processing = ProcessingTaskFactory.create(processing=True)
    ChunkTaskFactory.create(processing=processing, completed=True)
    ChunkTaskFactory.create(processing=processing, failed=True)

    assert without_eta(processing) == Progress(2.0, 2.0, 2, 2)


@pytest.mark.django_db
def test_while_it_is_cut_a_recording_is_as_long_as_it_declares() -> None:
    processing = ProcessingTaskFactory.create(
        splitting=True, transcript__recording__duration_seconds=90.0
    )

    assert without_eta(processing) == Progress(0.0, 90.0, 0, None)


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
