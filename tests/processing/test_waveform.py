"""The shape of a recording, from the loudness of its chunks."""

import pytest

from processing.models import ProcessingTask
from processing.services.waveform import MAX_BARS, waveform
from tests.factories.processing import CHUNK_SAMPLES, ChunkTaskFactory, ProcessingTaskFactory

pytestmark = pytest.mark.django_db

LOUD, SOFT, SILENT = 10, 28, 96
STEPS = CHUNK_SAMPLES // 1_600


def run_with(*levels: list[int], **traits: object) -> ProcessingTask:
    """Return a run whose chunks, of a second each, have these levels of each 0.1 s."""
    run: ProcessingTask = ProcessingTaskFactory.create(processing=True, **traits)
    for each in levels:
        ChunkTaskFactory.create(processing=run, loudness=bytes(each))
    return run


def test_the_loudest_is_as_high_as_can_be_and_the_rest_by_how_much_softer_it_is() -> None:
    run = run_with([LOUD] * STEPS, [SOFT] * STEPS)

    assert waveform(run, bars=2) == [100, 50]


def test_a_bar_is_as_high_as_its_loudest_moment() -> None:
    run = run_with([SILENT] * 4 + [LOUD] + [SILENT] * 5, [SILENT] * STEPS)

    assert waveform(run, bars=4) == [100, 0, 0, 0]


def test_no_bar_is_of_less_than_is_measured() -> None:
    assert len(waveform(run_with([LOUD] * STEPS, [LOUD] * STEPS), bars=500)) == 2 * STEPS


def test_there_are_never_more_bars_than_a_page_can_draw() -> None:
    run = run_with([LOUD] * STEPS, total_samples=MAX_BARS * CHUNK_SAMPLES)

    assert len(waveform(run, bars=10**9)) == MAX_BARS


def test_silence_is_not_drawn_as_sound() -> None:
    assert set(waveform(run_with([SILENT] * STEPS, [SILENT] * STEPS), bars=2)) == {0}


def test_what_is_not_cut_yet_has_no_height() -> None:
    run = run_with([LOUD] * STEPS, total_samples=None, total_chunks=None)

    assert waveform(run, bars=2) == [100, 0]


def test_it_grows_beyond_what_was_declared() -> None:
    run = run_with([LOUD] * STEPS, total_samples=None, total_chunks=None)
    run.transcript.recording.duration_seconds = None

    assert waveform(run, bars=1) == [100]


def test_what_is_nobodys_core_is_not_drawn_twice() -> None:
    run = run_with([LOUD] * STEPS)
    start = CHUNK_SAMPLES // 2
    ChunkTaskFactory.create(
        processing=run,
        start_sample=start,
        core_start_sample=CHUNK_SAMPLES,
        core_end_sample=2 * CHUNK_SAMPLES,
        loudness=bytes([0] * 5 + [SOFT] * STEPS),
    )

    assert waveform(run, bars=2) == [100, 50]


def test_channels_are_merged_by_what_is_loudest_in_any() -> None:
    run: ProcessingTask = ProcessingTaskFactory.create(
        processing=True,
        transcript__parameters={"channels": "separate"},
        transcript__recording__channels=2,
    )
    one, other = [LOUD] * 5 + [SILENT] * 5, [SILENT] * 5 + [SOFT] * 5
    for channel, levels in enumerate((one, other)):
        ChunkTaskFactory.create(
            processing=run,
            channel=channel,
            start_sample=0,
            core_start_sample=0,
            core_end_sample=CHUNK_SAMPLES,
            loudness=bytes(levels),
        )

    assert waveform(run, bars=2) == [100, 50]


def test_a_run_of_which_nothing_is_cut_has_no_shape() -> None:
    assert waveform(ProcessingTaskFactory.create(splitting=True), bars=10) == []


def test_it_takes_one_query(django_assert_num_queries: object) -> None:
    run = run_with(*[[LOUD] * STEPS] * 2)

    with django_assert_num_queries(1):  # type: ignore[operator]
        waveform(run, bars=10)
