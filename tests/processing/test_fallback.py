"""What one engine of a workspace cannot hear, the next one does."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from jobs.choices import JobStatus
from processing.choices import REMOTE_CHUNK_QUEUE, ProcessingStatus
from processing.engines.base import AUTO, AudioClip
from processing.exceptions import BreakerIsOpen, ProviderRefused, ProviderUnavailable
from processing.models import ChunkTask, Engine, ProcessingTask, Workspace
from processing.services.orchestrator import chunk_key
from processing.services.requesting import question
from tests.factories.jobs import WorkerFactory
from tests.factories.processing import WorkspaceFactory
from tests.fakes.tones import SecondEngine, ToneEngine, tones
from tests.processing.runs import CHUNKS, TRANSCRIPTION, ask, drain, heard, work_off

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tone_engine")]

TEXT = " ".join(f"t{frequency}" for frequency, _, _ in tones(40.0))
REFUSED = ProviderRefused("no such model")


def at_the_beginning(error: Exception) -> Callable[[AudioClip], None]:
    """Return what fails for the first chunk of a recording."""

    def fail(clip: AudioClip) -> None:
        if clip.start_sample == 0:
            raise error

    return fail


def workspace(*engines: str) -> Workspace:
    return WorkspaceFactory.create(engines=list(engines))


def first_chunk() -> ChunkTask:
    return ChunkTask.objects.get(index=0)


def asked_of_the_first_chunk(engine: type[ToneEngine]) -> list[str]:
    return [asked.engine for asked in engine.asked if asked.clip.start_sample == 0]


def test_a_chunk_goes_to_the_next_engine_with_its_queue_and_its_key(
    mono: Path, tone_engine: type[ToneEngine]
) -> None:
    tone_engine.troubles["tones"] = at_the_beginning(REFUSED)

    transcript, processing = heard(mono, workspace=workspace("tones", "second"))

    chunk = first_chunk()
    assert (processing.status, transcript.text) == (ProcessingStatus.COMPLETED, TEXT)
    assert (processing.completed_chunks, processing.failed_chunks) == (processing.total_chunks, 0)
    assert (chunk.engine, chunk.queue_name) == ("second", REMOTE_CHUNK_QUEUE)
    assert chunk.cache_key == chunk_key(chunk.audio_sha256, question(SecondEngine(), "en", {}))
    assert (chunk.status, chunk.error_code) == (JobStatus.COMPLETED, "")


def test_the_failure_is_the_first_engines_and_the_work_the_seconds(
    mono: Path, tone_engine: type[ToneEngine]
) -> None:
    tone_engine.troubles["tones"] = at_the_beginning(REFUSED)

    _, processing = heard(mono, workspace=workspace("tones", "second"))

    first, second = Engine.objects.get(pk="tones"), Engine.objects.get(pk="second")
    assert (first.failed_count, first.error_code) == (1, "provider_refused")
    assert first.error_message == "no such model"
    assert first.heard_count == (processing.total_chunks or 0) - 1
    assert (second.failed_count, second.heard_count) == (0, 1)


def test_attempts_start_again_with_the_next_engine(
    mono: Path, tone_engine: type[ToneEngine]
) -> None:
    tone_engine.troubles["tones"] = at_the_beginning(ProviderUnavailable("no answer"))

    heard(mono, workspace=workspace("tones", "second"))

    chunk = first_chunk()
    assert asked_of_the_first_chunk(tone_engine) == ["tones"] * 3 + ["second"]
    assert (chunk.attempt, chunk.max_attempts) == (4, 6)


@pytest.mark.parametrize(
    "engines",
    [("tones", "second", "automatic"), ("tones", "second", "tones", "automatic", "second")],
    ids=["each once", "some twice"],
)
def test_nobody_is_asked_twice(
    mono: Path, tone_engine: type[ToneEngine], engines: tuple[str, ...]
) -> None:
    failing = at_the_beginning(REFUSED)
    tone_engine.troubles |= dict.fromkeys(engines, failing)

    transcript, processing = heard(mono, workspace=workspace(*engines))

    assert asked_of_the_first_chunk(tone_engine) == ["tones", "second", "automatic"]
    assert (processing.status, processing.failed_chunks) == (ProcessingStatus.PARTIAL, 1)
    assert [gap["reason"] for gap in transcript.gaps] == ["provider_refused: no such model"]


def test_only_the_engines_after_the_one_of_the_request_are_asked(
    mono: Path, tone_engine: type[ToneEngine]
) -> None:
    tone_engine.troubles["second"] = at_the_beginning(REFUSED)
    work = workspace("tones", "second", "automatic")

    heard(mono, workspace=work, engine="second")

    assert asked_of_the_first_chunk(tone_engine) == ["second", "automatic"]


def test_what_is_not_an_engines_fault_is_not_handed_on(
    mono: Path, tone_engine: type[ToneEngine]
) -> None:
    tone_engine.troubles["tones"] = at_the_beginning(RuntimeError("a bug"))

    _, processing = heard(mono, workspace=workspace("tones", "second"))

    assert (first_chunk().engine, first_chunk().status) == ("tones", JobStatus.FAILED)
    assert processing.failed_chunks == 1


def test_poison_is_not_handed_on(mono: Path) -> None:
    processing = ask(mono, workspace=workspace("tones", "second")).processing
    drain(TRANSCRIPTION)
    ChunkTask.objects.filter(index=0).update(crash_count=2)
    [claimed] = ChunkTask.objects.claim(queue_name=CHUNKS, worker=WorkerFactory.create())

    ChunkTask.objects.filter(pk=claimed.pk).rescue()

    processing.refresh_from_db()
    assert (first_chunk().engine, first_chunk().error_code) == ("tones", "poison")
    assert processing.failed_chunks == 1


def test_nothing_of_a_run_that_is_over_is_handed_on_or_counted(mono: Path) -> None:
    processing = ask(mono, workspace=workspace("tones", "second")).processing
    drain(TRANSCRIPTION)
    [claimed] = ChunkTask.objects.claim(queue_name=CHUNKS, worker=WorkerFactory.create())
    ProcessingTask.objects.cancel(processing.pk)

    ChunkTask.objects.fail(claimed, code="provider_refused", message="")

    processing.refresh_from_db()
    assert (first_chunk().engine, first_chunk().status) == ("tones", JobStatus.FAILED)
    assert processing.failed_chunks == 0
    assert not Engine.objects.filter(failed_count__gt=0).exists()


def test_nobody_waits_for_an_engine_that_is_away_when_there_is_another(
    mono: Path, tone_engine: type[ToneEngine]
) -> None:
    tone_engine.troubles["tones"] = at_the_beginning(BreakerIsOpen("away", seconds=60.0))

    transcript, _ = heard(mono, workspace=workspace("tones", "second"))

    assert transcript.text == TEXT
    assert asked_of_the_first_chunk(tone_engine) == ["tones", "second"]
    assert Engine.objects.get(pk="tones").error_code == "engine_away"


def test_an_engine_that_is_away_is_waited_for_when_there_is_no_other(
    mono: Path, tone_engine: type[ToneEngine]
) -> None:
    tone_engine.troubles["tones"] = at_the_beginning(BreakerIsOpen("away", seconds=60.0))

    ask(mono, workspace=workspace("tones"))
    work_off()

    chunk = first_chunk()
    assert (chunk.status, chunk.error_code) == (JobStatus.SCHEDULED, "breaker_open")
    assert (chunk.attempt, chunk.max_attempts) == (1, 4)
    assert not Engine.objects.filter(failed_count__gt=0).exists()


def test_an_engine_that_does_not_know_the_language_is_left_to_find_it_out(
    mono: Path, tone_engine: type[ToneEngine]
) -> None:
    tone_engine.troubles["tones"] = at_the_beginning(REFUSED)

    heard(mono, workspace=workspace("tones", "automatic"), language="de")

    [asked] = [asked for asked in tone_engine.asked if asked.engine == "automatic"]
    assert asked.language == AUTO


@pytest.mark.parametrize("name", ["short", "gone", "lacking"])
def test_an_engine_that_cannot_take_the_chunk_is_passed_over(
    mono: Path, tone_engine: type[ToneEngine], settings: Settings, name: str
) -> None:
    settings.ENGINES = settings.ENGINES | {"lacking": "a_package_that_is_not_there.Engine"}
    tone_engine.troubles["tones"] = at_the_beginning(REFUSED)

    heard(mono, workspace=workspace("tones", name, "second"))

    assert asked_of_the_first_chunk(tone_engine) == ["tones", "second"]


def test_an_engine_is_told_the_parameters_that_it_knows(
    mono: Path, tone_engine: type[ToneEngine]
) -> None:
    tone_engine.troubles["tones"] = at_the_beginning(REFUSED)
    parameters = {"beam": 7, "prompt": "tones", "channels": "separate"}

    heard(mono, workspace=workspace("tones", "second"), parameters=parameters)

    told = {asked.engine: asked.parameters for asked in tone_engine.asked}
    assert told == {"tones": {"beam": 7, "prompt": "tones"}, "second": {"prompt": "tones"}}
