"""How a recording is cut: for whom, how long, and however late in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_django import Settings

from processing.audio.chunk_sizer import ChunkSizeRecommendation
from processing.choices import CHUNK_QUEUE, REMOTE_CHUNK_QUEUE
from processing.engines.base import SAMPLE_RATE, EngineLimits
from processing.models import ChunkTask, Engine
from processing.services import planner
from processing.services.orchestrator import channels_of
from processing.services.planner import recommended
from tests.factories.jobs import WorkerFactory
from tests.factories.processing import ProcessingTaskFactory
from tests.fakes.tones import Tone, ToneEngine, samples_of
from tests.processing.runs import TRANSCRIPTION, ask, drain, made, word_times

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tone_engine")]

HOUR = 3600.0


def recommendation(**run: Any) -> ChunkSizeRecommendation:
    """Return what is recommended for a run over an hour of audio."""
    defaults = {"transcript__engine": "tones", "transcript__recording__duration_seconds": HOUR}
    return recommended(ProcessingTaskFactory.create(**(defaults | run)))


def workers(count: int, queue: str = CHUNK_QUEUE) -> None:
    WorkerFactory.create_batch(count, queues=[queue])


def test_a_fast_engine_is_given_longer_chunks() -> None:
    unknown = recommendation()
    Engine.objects.record_run("tones", chunk_count=1, audio_seconds=100.0, busy_seconds=1.0)

    known = recommendation()

    assert (unknown.target_seconds, unknown.estimate_seconds) == (30.0, None)
    assert known.target_seconds == 100.0
    assert known.estimate_seconds == pytest.approx(36.0)


def test_chunks_are_for_the_workers_that_are_there() -> None:
    workers(7)
    WorkerFactory.create(stopped=True, queues=[CHUNK_QUEUE])

    assert (recommendation().chunk_count or 0) % 7 == 0


@pytest.mark.parametrize(
    "limit",
    [
        {"max_concurrent_chunks": 7},
        {"transcript__recording__workspace__max_concurrent_chunks": 7},
    ],
    ids=["run", "workspace"],
)
def test_workers_that_a_limit_leaves_idle_are_not_counted(limit: dict[str, Any]) -> None:
    workers(8)
    if "max_concurrent_chunks" in limit:
        run = ProcessingTaskFactory.create(
            transcript__engine="tones", transcript__recording__duration_seconds=HOUR, **limit
        )
    else:
        run = ProcessingTaskFactory.create(
            transcript__engine="tones", transcript__recording__duration_seconds=HOUR
        )
        run.transcript.recording.workspace.max_concurrent_chunks = 7

    assert (recommended(run).chunk_count or 0) % 7 == 0


def test_the_limits_of_the_engine_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToneEngine, "limits", EngineLimits(max_clip_seconds=25.0))

    assert recommendation().target_seconds <= 16.0


def test_each_worker_hears_several_chunks_of_a_remote_engine_at_once(settings: Settings) -> None:
    settings.REMOTE_THREADS = 5
    workers(3, REMOTE_CHUNK_QUEUE)

    assert (recommendation(transcript__engine="second").chunk_count or 0) % 15 == 0


@pytest.mark.parametrize(
    ("parameters", "channels"),
    [({}, [None]), ({"channels": "separate"}, [0, 1, 2])],
    ids=["mixed", "separate"],
)
def test_channels_are_heard_as_the_request_has_it(
    parameters: dict[str, str], channels: list[int | None]
) -> None:
    run = ProcessingTaskFactory.create(
        transcript__parameters=parameters, transcript__recording__channels=3
    )

    assert channels_of(run) == channels


def test_two_runs_of_one_recording_share_no_file_of_a_chunk(mono: Path) -> None:
    runs = [ask(mono, parameters={"beam": beam}).processing for beam in (1, 2)]
    drain(TRANSCRIPTION)

    names = [set(ChunkTask.objects.of(run.pk).values_list("audio", flat=True)) for run in runs]

    assert min(map(len, names)) > 1
    assert names[0].isdisjoint(names[1])


def test_times_of_a_long_recording_are_those_of_its_samples(
    mono: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 1_530
    late: list[Tone] = [
        (500, 1_320.12, 1_320.42),
        (900, 1_320.92, 1_321.22),
        (700, 1_528.5, 1_529.0),
    ]

    def minutes(*_: Any, **__: Any) -> Iterator[NDArray[np.int16]]:
        """Yield what a file of that length would, 30 s at a time."""
        for begin in range(0, seconds, 30):
            inside = [(f, a - begin, b - begin) for f, a, b in late if begin <= a < begin + 30]
            yield samples_of(inside, 30.0)

    monkeypatch.setattr(planner, "decode", minutes)
    Engine.objects.record_run("tones", chunk_count=1, audio_seconds=500.0, busy_seconds=1.0)
    requested = ask(mono)
    requested.transcript.recording.duration_seconds = float(seconds)
    requested.transcript.recording.save()

    transcript, processing = made(requested)

    assert word_times(transcript) == [(f"t{f}", start, end) for f, start, end in late]
    assert (transcript.duration_seconds, transcript.gaps) == (seconds, [])
    assert processing.total_samples == seconds * SAMPLE_RATE
    assert (processing.total_chunks or 0) < 8
