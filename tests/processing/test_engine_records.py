"""What is known of an engine from what it did."""

from pathlib import Path

import pytest

from jobs.exceptions import PermanentError
from jobs.models import Job
from processing.choices import MERGE_JOB
from processing.engines.base import SAMPLE_RATE, AudioClip
from processing.exceptions import ProviderRefused
from processing.models import ChunkTask, Engine
from processing.services.joining import merge
from tests.factories.processing import WorkspaceFactory
from tests.fakes.tones import ToneEngine
from tests.processing.runs import heard

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tone_engine")]


def record(name: str = "tones") -> Engine:
    return Engine.objects.get(pk=name)


def columns(name: str = "tones") -> dict[str, object]:
    return dict(Engine.objects.filter(pk=name).values().get())


def test_nothing_is_known_of_an_engine_that_has_done_nothing() -> None:
    assert Engine.objects.real_time_factor("tones") is None


def test_a_run_says_how_fast_its_engine_is(mono: Path) -> None:
    _, processing = heard(mono)

    engine = record()
    busy = sum(chunk.busy_seconds or 0.0 for chunk in ChunkTask.objects.all())
    assert (engine.heard_count, engine.audio_seconds) == (processing.total_chunks, 40.0)
    assert engine.busy_seconds == pytest.approx(busy)
    assert engine.real_time_factor == pytest.approx(busy / 40.0)
    assert engine.heard_at is not None


def test_the_latest_run_weighs_most_and_is_not_all() -> None:
    Engine.objects.record_run("tones", chunk_count=1, audio_seconds=10.0, busy_seconds=10.0)

    Engine.objects.record_run("tones", chunk_count=2, audio_seconds=10.0, busy_seconds=20.0)

    engine = record()
    assert engine.real_time_factor == pytest.approx(0.3 * 2.0 + 0.7 * 1.0)
    assert (engine.heard_count, engine.audio_seconds, engine.busy_seconds) == (3, 20.0, 30.0)


def test_what_was_heard_before_is_not_counted_again(mono: Path) -> None:
    heard(mono)
    before = columns()

    heard(mono, parameters={"channels": "separate"})

    assert columns() == before


def test_a_merge_that_is_run_again_counts_nothing_again(mono: Path) -> None:
    heard(mono)
    before = columns()

    merge(Job.objects.get(job_type=MERGE_JOB))

    assert columns() == before


def test_each_engine_of_a_run_is_counted_for_what_it_heard(
    mono: Path, tone_engine: type[ToneEngine]
) -> None:
    def refuse_the_first(clip: AudioClip) -> None:
        if clip.start_sample == 0:
            raise ProviderRefused("not this one")

    tone_engine.troubles["tones"] = refuse_the_first

    heard(mono, workspace=WorkspaceFactory.create(engines=["tones", "second"]))

    first = ChunkTask.objects.get(index=0)
    seconds = (first.end_sample - first.start_sample) / SAMPLE_RATE
    assert (record("second").heard_count, record("second").audio_seconds) == (1, seconds)
    assert record("tones").audio_seconds == pytest.approx(40.0 - seconds)


def test_a_failure_is_remembered_with_its_reason(mono: Path, tone_engine: type[ToneEngine]) -> None:
    def refuse(clip: AudioClip) -> None:
        raise PermanentError("the model is broken")

    tone_engine.troubles["tones"] = refuse

    _, processing = heard(mono)

    engine = record()
    assert (engine.failed_count, engine.heard_count) == (processing.total_chunks, 0)
    assert (engine.error_code, engine.error_message) == ("permanent", "the model is broken")
    assert engine.failed_at is not None
    assert engine.real_time_factor is None


def test_work_on_no_audio_says_nothing_of_an_engine() -> None:
    Engine.objects.record_run("tones", chunk_count=0, audio_seconds=0.0, busy_seconds=0.0)

    assert not Engine.objects.exists()
