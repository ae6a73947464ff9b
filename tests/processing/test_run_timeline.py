"""When everything in a run happened, who did it, and how parallel it was."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.choices import JobStatus
from jobs.models import Worker
from processing.choices import MERGE_JOB, TRANSCRIPTION_JOB
from processing.models import AuditEvent, ChunkTask, DocumentVersion, ProcessingTask, Recording
from processing.services.history import history_of, said_of_end
from processing.services.timeline import (
    CANCELLED,
    FAILED,
    HEARD,
    RETRIED,
    REUSED,
    RUNNING,
    WAITING,
    TimedChunk,
    Timeline,
    timeline_of,
)
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.knowledge import DocumentFactory
from tests.factories.processing import ChunkTaskFactory, ProcessingTaskFactory, RecordingFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

ASKED = timezone.now().replace(microsecond=0) - timedelta(hours=1)


def after(seconds: float) -> Any:
    return ASKED + timedelta(seconds=seconds)


def run_of(trait: str = "completed", **fields: Any) -> ProcessingTask:
    """Return a run that was asked for at ``ASKED``, cut from the second 2 on and over at 12."""
    times = {"created_at": ASKED, "started_at": after(2)}
    if trait not in ("processing", "splitting"):
        times["completed_at"] = after(12)
    run: ProcessingTask = ProcessingTaskFactory.create(**{trait: True}, **times | fields)
    recordings = Recording.objects.filter(pk=run.transcript.recording_id)
    recordings.update(created_at=after(-1))
    return run


def chunk_of(
    run: ProcessingTask, began: float, ended: float, *, trait: str = "completed", **fields: Any
) -> ChunkTask:
    """Add a chunk that was cut at second 2 and heard from one second to another."""
    chunk = ChunkTaskFactory.create(
        processing=run,
        **{trait: True}
        | {"busy_seconds": ended - began if trait == "completed" else None}
        | fields,
    )
    times = {"created_at": after(2), "started_at": after(began), "completed_at": after(ended)}
    ChunkTask.objects.filter(pk=chunk.pk).update(**times)
    return chunk


def job_of(run: ProcessingTask, job_type: str, began: float, ended: float, **fields: Any) -> None:
    job = JobFactory.create(
        completed=True,
        job_type=job_type,
        subject_id=run.transcript_id,
        payload={"processing_id": str(run.pk)},
        **fields,
    )
    times = {"created_at": after(began), "started_at": after(began), "completed_at": after(ended)}
    type(job).objects.filter(pk=job.pk).update(**times)


def texts(run: ProcessingTask) -> list[str]:
    return [event.text for event in history_of(timeline_of(run))]


def two_workers() -> tuple[Timeline, Worker, Worker]:
    """Return a run of four chunks, two after each other by each of two workers."""
    run, one, two = run_of(), WorkerFactory.create(), WorkerFactory.create()
    for worker, began, ended in ((one, 2, 5), (two, 2, 7), (one, 5, 12), (two, 7, 10)):
        chunk_of(run, began, ended, worker=worker)
    return timeline_of(run), one, two


# Chunks


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"trait": "completed"}, HEARD),
        ({"trait": "completed", "attempt": 2}, RETRIED),
        ({"trait": "completed", "is_reused": True}, REUSED),
        ({"trait": "failed"}, FAILED),
        ({"trait": "cancelled"}, CANCELLED),
    ],
    ids=["heard", "after another attempt", "from before", "failed", "cancelled"],
)
def test_a_chunk_that_is_over_says_what_became_of_it(fields: dict[str, Any], outcome: str) -> None:
    run = run_of()
    chunk_of(run, 3, 4, **fields)

    assert [chunk.outcome for chunk in timeline_of(run).chunks] == [outcome]


@pytest.mark.parametrize(
    ("trait", "outcome"),
    [("claimed", RUNNING), ("scheduled", WAITING)],
)
def test_a_chunk_that_is_not_over_says_what_it_is_at(trait: str, outcome: str) -> None:
    run = run_of("processing")
    ChunkTaskFactory.create(processing=run, **{trait: True})

    assert [chunk.outcome for chunk in timeline_of(run).chunks] == [outcome]


def test_a_chunk_began_when_its_engine_did_and_not_when_it_was_claimed() -> None:
    run = run_of()
    chunk_of(run, 3, 9, busy_seconds=2.0)

    assert [chunk.began_at for chunk in timeline_of(run).chunks] == [after(7)]


def test_a_worker_that_is_forgotten_is_called_by_its_id() -> None:
    run, gone = run_of(), uuid4()
    chunk_of(run, 3, 4)
    ChunkTask.objects.of(run.pk).update(worker_id=gone)

    assert [chunk.worker for chunk in timeline_of(run).chunks] == [f"worker {str(gone)[:8]}"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "heard in 2.1 s by host-1:7"),
        ({"attempt": 2}, "heard in 2.1 s by host-1:7, attempt 2"),
        ({"outcome": REUSED}, "known from before by host-1:7"),
        (
            {"outcome": FAILED, "error": "bad: no", "attempt": 3},
            "failed by host-1:7, attempt 3 (bad: no)",
        ),
        (
            {"outcome": WAITING, "error": "away: 503", "worker": ""},
            "waits for a worker after attempt 1 (away: 503)",
        ),
        ({"outcome": WAITING, "attempt": 0, "worker": ""}, "waits for a worker"),
        ({"outcome": RUNNING}, "is being heard by host-1:7"),
    ],
    ids=["heard", "again", "reused", "failed", "to be retried", "waiting", "running"],
)
def test_what_became_of_a_chunk_is_said_in_words(fields: dict[str, Any], said: str) -> None:
    row: dict[str, Any] = {
        "index": 0,
        "channel": None,
        "start_seconds": 0.0,
        "end_seconds": 1.0,
        "outcome": HEARD,
        "engine": "scripted",
        "attempt": 1,
        "worker_id": uuid4(),
        "worker": "host-1:7",
        "created_at": ASKED,
        "began_at": ASKED,
        "ended_at": ASKED,
        "busy_seconds": 2.1,
        "error": "",
    }

    assert said_of_end(TimedChunk(**row | fields)) == said


# Lanes and how parallel it was


def test_chunks_after_each_other_are_one_lane_for_each_worker() -> None:
    timeline, one, two = two_workers()

    lanes = [(lane.worker, [chunk.index for chunk in lane.chunks]) for lane in timeline.lanes]

    assert lanes == [(str(one), [0, 2]), (str(two), [1, 3])]


def test_chunks_at_once_are_a_lane_each() -> None:
    run, worker = run_of(), WorkerFactory.create()
    for began, ended in ((2, 6), (3, 5), (5, 8)):
        chunk_of(run, began, ended, worker=worker)

    lanes = timeline_of(run).lanes

    assert [(lane.thread, [c.index for c in lane.chunks]) for lane in lanes] == [
        (1, [0]),
        (2, [1, 2]),
    ]


def test_speed_up_and_efficiency_are_those_of_the_lanes() -> None:
    timeline, *_ = two_workers()

    assert timeline.worker_count == 2
    assert timeline.waited_seconds == 2
    assert timeline.working_seconds == 10
    assert timeline.speed_up == pytest.approx(1.8)
    assert timeline.efficiency == pytest.approx(0.9)
    assert timeline.speed == pytest.approx(0.2)


def test_what_no_engine_was_asked_for_has_no_speed_up() -> None:
    run = run_of()
    chunk_of(run, 3, 4, is_reused=True, busy_seconds=None)

    assert timeline_of(run).speed_up is None
    assert timeline_of(run).efficiency is None


def test_a_run_that_waits_has_waited_until_now() -> None:
    run = ProcessingTaskFactory.create(created_at=timezone.now() - timedelta(seconds=50))

    timeline = timeline_of(run)

    assert timeline.waited_seconds == pytest.approx(50, abs=5)
    assert timeline.cutting is None
    assert timeline.lanes == []
    assert timeline.speed is None


def test_cutting_and_merging_are_those_of_its_jobs() -> None:
    run, worker = run_of(), WorkerFactory.create()
    job_of(run, TRANSCRIPTION_JOB, 2, 4, worker=worker)
    job_of(run, MERGE_JOB, 10, 12, worker=worker)

    timeline = timeline_of(run)

    assert timeline.cutting is not None
    assert (timeline.cutting.ended_at, timeline.cutting.worker) == (after(4), str(worker))
    assert timeline.merging is not None
    assert (timeline.merging.began_at, timeline.merging.ended_at) == (after(10), after(12))


def test_cutting_whose_job_is_forgotten_ended_with_the_last_chunk() -> None:
    run = run_of()
    chunk_of(run, 3, 4)

    timeline = timeline_of(run)

    assert timeline.cutting is not None
    assert timeline.cutting.ended_at == after(2)
    assert timeline.merging is None


# What happened, in order


def test_the_history_of_a_run_is_in_order_and_says_who_did_what() -> None:
    ann = User.objects.create_user("ann")
    recording = RecordingFactory.create(created_by=ann)
    run = run_of(total_chunks=2, transcript__recording=recording)
    worker = WorkerFactory.create()
    job_of(run, TRANSCRIPTION_JOB, 1, 3, worker=worker, created_by=ann)
    chunk_of(run, 4, 5, worker=worker)
    chunk_of(run, 6, 8, worker=worker, trait="failed")
    job_of(run, MERGE_JOB, 9, 12, worker=worker)

    assert texts(run) == [
        "The recording was stored by ann.",
        "Asked for from scripted in en by ann: queued.",
        f"Cutting began by {worker} into chunks of about 1 s.",
        "Chunks 0 to 1: cut and queued.",
        "Cutting ended: 2 chunks.",
        f"Chunk 0, 0:00 to 0:01: begun by {worker} with scripted.",
        f"Chunk 0, 0:00 to 0:01: heard in 1.0 s by {worker}.",
        f"Chunk 1, 0:01 to 0:02: begun by {worker} with scripted.",
        f"Chunk 1, 0:01 to 0:02: failed by {worker} (permanent: the engine gave up).",
        f"Merging began by {worker}.",
        "The run is COMPLETED.",
    ]


def test_what_followed_a_run_is_in_its_history() -> None:
    run = run_of()
    document = DocumentFactory.create(transcript=run.transcript)
    JobFactory.create(job_type="SUMMARIZATION", subject_id=document.pk, status=JobStatus.QUEUED)
    DocumentVersion.objects.create(
        document=document, number=1, note="names", replaced_by=User.objects.create_user("bob")
    )

    said = texts(run)

    assert "Summarization was queued." in said
    assert said[-1] == "Corrected by bob: names; what it said before is version 1."


def test_a_run_that_was_tried_again_ends_with_that() -> None:
    run = run_of("partial")
    ProcessingTaskFactory.create(transcript=run.transcript, completed=True, created_at=after(20))

    assert texts(run)[-1] == "Another run was asked for: the gaps heard again."


@pytest.mark.parametrize(
    "named",
    [
        lambda run: {"object_id": str(run.transcript_id)},
        lambda run: {"details": {"selected": [str(uuid4()), str(run.pk)]}},
    ],
    ids=["by itself", "among others"],
)
def test_who_cancelled_a_run_is_in_its_history(named: Any) -> None:
    run = run_of("cancelled")
    event = AuditEvent.objects.create(
        action="run.cancel", object_type="run", actor_name="eve", **named(run)
    )
    AuditEvent.objects.filter(pk=event.pk).update(created_at=after(12.1))

    assert texts(run)[-1] == "eve asked for run.cancel."


def test_what_was_done_to_others_is_not_in_it() -> None:
    run = run_of("cancelled")
    event = AuditEvent.objects.create(action="run.cancel", object_type="run", object_id="other")
    AuditEvent.objects.filter(pk=event.pk).update(created_at=after(12))

    assert texts(run)[-1] == "The run is CANCELLED."


def test_the_account_asks_as_often_for_many_chunks_as_for_one() -> None:
    run = run_of()
    chunk_of(run, 3, 4)
    few = queries_of(lambda: texts(run))

    chunk_of(run, 4, 5, trait="failed")
    chunk_of(run, 5, 6, attempt=2)

    assert len(queries_of(lambda: texts(run))) == len(few)
