"""The repository of runs: every transition from every status, and the election of the merger."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from processing.choices import ACTIVE, TERMINAL, TRANSITIONS, ProcessingStatus
from processing.models import ProcessingTask
from tests.factories.processing import (
    ChunkTaskFactory,
    ProcessingTaskFactory,
    RecordingFactory,
    WorkspaceFactory,
)

pytestmark = pytest.mark.django_db

Runs = ProcessingTask.objects

#: event -> the verb that makes it happen.
VERBS: dict[str, Callable[[ProcessingTask], bool]] = {
    "split": lambda run: Runs.split(run.pk, chunk_seconds=1.0),
    "process": lambda run: Runs.process(run.pk, total_chunks=2, total_samples=32_000),
    "merge": lambda run: Runs.elect_merger(run.pk),
    "complete": lambda run: Runs.finish(run.pk, is_partial=False),
    "complete_partially": lambda run: Runs.finish(run.pk, is_partial=True),
    "fail": lambda run: Runs.fail(run.pk, code="error", message="no use"),
    "cancel": lambda run: Runs.cancel(run.pk),
}


def walk(*, allowed: bool) -> list[Any]:
    return [
        pytest.param(event, status, id=f"{event}-{status}")
        for event, (sources, _) in TRANSITIONS.items()
        for status in ProcessingStatus
        if (status in sources) is allowed
    ]


def make(status: ProcessingStatus) -> ProcessingTask:
    """Return a run whose chunks, once it is cut, are all settled."""
    trait = {} if status == ProcessingStatus.PENDING else {status.lower(): True}
    settled = {"settled": True} if status == ProcessingStatus.PROCESSING else {}
    return ProcessingTaskFactory.create(**trait, **settled)


def columns(run: ProcessingTask) -> dict[str, Any]:
    return dict(Runs.filter(pk=run.pk).values().get())


def test_every_event_has_a_verb() -> None:
    assert set(VERBS) == set(TRANSITIONS)


def test_a_status_is_either_active_or_terminal() -> None:
    assert {*ACTIVE, *TERMINAL} == set(ProcessingStatus)
    assert not {*ACTIVE} & {*TERMINAL}


@pytest.mark.parametrize(("event", "status"), walk(allowed=True))
def test_an_event_changes_a_run_in_its_sources_to_its_target(
    event: str, status: ProcessingStatus
) -> None:
    run = make(status)

    answer = VERBS[event](run)

    assert answer is True
    assert columns(run)["status"] == TRANSITIONS[event][1]


@pytest.mark.parametrize(("event", "status"), walk(allowed=False))
def test_an_event_changes_nothing_in_a_run_of_any_other_status(
    event: str, status: ProcessingStatus
) -> None:
    run = make(status)
    before = columns(run)

    answer = VERBS[event](run)

    assert answer is False
    assert columns(run) == before


def test_the_length_of_chunks_is_fixed_by_the_first_planner() -> None:
    run = ProcessingTaskFactory.create()
    Runs.split(run.pk, chunk_seconds=10.0)

    Runs.split(run.pk, chunk_seconds=30.0)

    assert columns(run)["chunk_seconds"] == 10.0


def test_nobody_is_elected_while_a_chunk_is_not_settled() -> None:
    run = ProcessingTaskFactory.create(processing=True)
    ChunkTaskFactory.create(processing=run, completed=True)

    assert Runs.elect_merger(run.pk) is False


def test_the_second_candidate_is_not_elected() -> None:
    run = make(ProcessingStatus.PROCESSING)
    Runs.elect_merger(run.pk)

    assert Runs.elect_merger(run.pk) is False


def test_a_chunk_that_settles_after_the_end_is_not_counted() -> None:
    run = ProcessingTaskFactory.create(cancelled=True)

    Runs.count_settled(run.pk, samples=16_000, failed=False)

    assert (columns(run)["completed_chunks"], columns(run)["done_samples"]) == (0, 0)


def test_two_active_runs_of_one_transcript_are_refused() -> None:
    run = ProcessingTaskFactory.create(processing=True)

    with pytest.raises(IntegrityError, match="processing_one_active_per_transcript"):
        ProcessingTaskFactory.create(transcript=run.transcript)


def test_a_run_after_one_that_is_over_is_welcome() -> None:
    run = ProcessingTaskFactory.create(failed=True)

    again = ProcessingTaskFactory.create(transcript=run.transcript)

    assert list(Runs.for_transcript(run.transcript)) == [again, run]


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ("processing_completed_at_iff_terminal", {"status": "LOST"}),
        ("processing_completed_at_iff_terminal", {"completed_at": timezone.now()}),
        ("processing_settled_within_total", {"processing": True, "completed_chunks": 3}),
        ("processing_settled_within_total", {"processing": True, "total_chunks": 0}),
        ("processing_done_within_total", {"processing": True, "done_samples": 32_001}),
    ],
)
def test_a_run_that_breaks_a_rule_is_refused(rule: str, fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match=rule):
        ProcessingTaskFactory.create(**fields)


def test_an_end_without_its_time_is_refused() -> None:
    with pytest.raises(IntegrityError, match="processing_completed_at_iff_terminal"):
        ProcessingTaskFactory.create(completed=True, completed_at=None)


def test_one_content_is_one_recording_of_a_workspace() -> None:
    recording = RecordingFactory.create()

    with pytest.raises(IntegrityError, match="recording_one_per_content"):
        RecordingFactory.create(sha256=recording.sha256)


def test_one_content_may_be_a_recording_of_each_workspace() -> None:
    recording = RecordingFactory.create()

    other = RecordingFactory.create(sha256=recording.sha256, workspace=WorkspaceFactory.create())

    assert other != recording


def test_a_recording_without_bytes_is_refused() -> None:
    with pytest.raises(IntegrityError, match="recording_size_positive"):
        RecordingFactory.create(size_bytes=0)
