"""What a request means, what it shares with others, and what it has done again."""

from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from jobs.choices import JobPriority
from jobs.exceptions import PermanentError
from jobs.models import Worker
from processing.choices import ProcessingStatus
from processing.engines.base import AUTO, AudioClip
from processing.exceptions import NoGaps, UnknownEngine, UnknownParameter, UnsupportedLanguage
from processing.models import ChunkTask, ProcessingTask, Transcript
from processing.services.orchestrator import cancel_processing
from processing.services.requesting import choose_engine, retry_gaps
from tests.factories.jobs import WorkerFactory
from tests.factories.processing import (
    ChunkTaskFactory,
    ProcessingTaskFactory,
    TranscriptFactory,
    WorkspaceFactory,
)
from tests.fakes.tones import ToneEngine
from tests.processing.runs import CHUNKS, ask, heard, made

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tone_engine")]


def refuse_the_first(clip: AudioClip) -> None:
    if clip.start_sample == 0:
        raise PermanentError("not this one")


def reused(run: ProcessingTask) -> int:
    return ChunkTask.objects.of(run.pk).filter(is_reused=True).count()


# What is refused


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"loudness": 3}, "tones has no parameter loudness; it knows beam, channels, prompt"),
        ({"channels": "left"}, "channels is one of mixed, separate"),
        ({"channels": ["mixed"]}, "channels is one of mixed, separate"),
        ({"channels": None}, "channels is one of mixed, separate"),
    ],
    ids=["no such parameter", "no such value", "a list", "nothing"],
)
def test_a_parameter_that_nobody_knows_is_refused(
    mono: Path, parameters: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnknownParameter, match=reason):
        ask(mono, parameters=parameters)

    assert not Transcript.objects.exists()


def test_a_parameter_of_another_engine_is_refused(mono: Path) -> None:
    with pytest.raises(UnknownParameter, match="second has no parameter beam"):
        ask(mono, engine="second", parameters={"beam": 7})


def test_the_engine_is_left_to_find_out_the_language_when_it_can() -> None:
    assert choose_engine("automatic", AUTO)[1] == AUTO
    with pytest.raises(UnsupportedLanguage, match="does not understand 'auto'; it knows en, de"):
        choose_engine("tones", AUTO)


# What is meant


def test_the_first_engine_of_a_workspace_is_meant_by_a_request_that_names_none() -> None:
    workspace = WorkspaceFactory.create(engines=["second", "tones"])

    engine, language = choose_engine(workspace=workspace)

    assert (engine.name, language) == ("second", "en")


def test_the_default_engine_is_meant_where_the_workspace_has_none(settings: Settings) -> None:
    settings.ENGINE = "tones"

    assert choose_engine(workspace=WorkspaceFactory.create())[0].name == "tones"


def test_a_workspace_whose_first_engine_is_not_there_says_so() -> None:
    workspace = WorkspaceFactory.create(engines=["gone", "tones"])

    with pytest.raises(UnknownEngine, match="unknown engine 'gone'"):
        choose_engine(workspace=workspace)


def test_parameters_reach_the_engine_without_those_of_the_pipeline(
    mono: Path, tone_engine: type[ToneEngine]
) -> None:
    heard(mono, language="de", parameters={"channels": "separate", "beam": 7, "prompt": "tones"})

    asked = tone_engine.asked[0]
    assert (asked.language, asked.parameters) == ("de", {"beam": 7, "prompt": "tones"})


def test_what_is_meant_anyway_may_be_said(mono: Path) -> None:
    first, _ = heard(mono)

    again = ask(mono, parameters={"channels": "mixed"})

    assert (again.transcript, again.is_cached) == (first, True)


# What is done again


def test_a_parameter_of_the_engine_has_every_chunk_heard_again(mono: Path) -> None:
    heard(mono)

    _, run = heard(mono, parameters={"beam": 7})

    assert reused(run) == 0


def test_the_priority_of_a_request_has_nothing_done_again(mono: Path) -> None:
    first, _ = heard(mono)

    again = ask(mono, priority=JobPriority.URGENT)

    assert (again.transcript, again.is_cached, again.is_started) == (first, True, False)


def test_only_the_gap_is_heard_again_by_however_many_workers(
    mono: Path, tone_engine: type[ToneEngine]
) -> None:
    tone_engine.troubles["tones"] = refuse_the_first
    transcript, partial = heard(mono)
    tone_engine.troubles.clear()
    tone_engine.asked.clear()
    WorkerFactory.create_batch(8, queues=[CHUNKS])

    _, complete = made(retry_gaps(transcript))

    assert (partial.status, complete.status) == (
        ProcessingStatus.PARTIAL,
        ProcessingStatus.COMPLETED,
    )
    assert Worker.objects.live().serving(CHUNKS).count() == 8
    assert complete.chunk_seconds == partial.chunk_seconds
    assert reused(complete) == (partial.total_chunks or 0) - 1
    assert [asked.clip.start_sample for asked in tone_engine.asked] == [0]


def test_a_retry_is_as_urgent_as_what_it_repeats(mono: Path, tone_engine: type[ToneEngine]) -> None:
    tone_engine.troubles["tones"] = refuse_the_first
    transcript, _ = heard(mono, priority=JobPriority.URGENT, max_concurrent_chunks=3)

    again = retry_gaps(transcript).processing

    assert (again.priority, again.max_concurrent_chunks) == (JobPriority.URGENT, 3)


def test_a_retry_asks_for_what_was_asked_for(mono: Path, tone_engine: type[ToneEngine]) -> None:
    tone_engine.troubles["tones"] = refuse_the_first
    transcript, _ = heard(mono, language="de", parameters={"channels": "separate", "beam": 7})

    assert retry_gaps(transcript).transcript == transcript


def test_a_complete_transcript_has_no_gaps_to_retry(mono: Path) -> None:
    transcript, _ = heard(mono)

    with pytest.raises(NoGaps, match="every part of the recording was heard"):
        retry_gaps(transcript)


def test_a_transcript_without_a_run_has_no_gaps_to_retry() -> None:
    with pytest.raises(NoGaps):
        retry_gaps(TranscriptFactory.create(run=None))


def test_a_retry_while_a_run_goes_on_joins_it(mono: Path) -> None:
    first = ask(mono)

    again = retry_gaps(first.transcript)

    assert (again.processing, again.is_started) == (first.processing, False)


def test_a_run_that_was_cancelled_is_retried_whole(mono: Path) -> None:
    first = ask(mono)
    cancel_processing(first.processing)

    _, run = made(retry_gaps(first.transcript))

    assert run.status == ProcessingStatus.COMPLETED


# Where it is cut


def test_a_transcript_is_cut_as_its_own_last_run_was() -> None:
    own = ProcessingTaskFactory.create(partial=True, chunk_seconds=11.0)
    other = TranscriptFactory.create(recording=own.transcript.recording, run=None)
    ProcessingTaskFactory.create(transcript=other, partial=True, chunk_seconds=22.0)

    assert ProcessingTask.objects.chunk_seconds_of(own.transcript) == 11.0
    assert ProcessingTask.objects.chunk_seconds_of(other) == 22.0


@pytest.mark.parametrize(
    ("engine", "seconds"), [("scripted", 11.0), ("tones", None)], ids=["same engine", "another"]
)
def test_another_question_is_cut_as_the_engine_was_given_it_before(
    engine: str, seconds: float | None
) -> None:
    run = ProcessingTaskFactory.create(partial=True, chunk_seconds=11.0)
    other = TranscriptFactory.create(
        recording=run.transcript.recording, engine=engine, language="de", run=None
    )

    assert ProcessingTask.objects.chunk_seconds_of(other) == seconds


def test_chunks_that_were_too_large_are_not_cut_again() -> None:
    run = ProcessingTaskFactory.create(partial=True, chunk_seconds=600.0)
    ChunkTaskFactory.create(processing=run, failed=True, error_code="too_large")

    assert ProcessingTask.objects.chunk_seconds_of(run.transcript) is None
