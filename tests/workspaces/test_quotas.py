"""What a workspace may have at most, and what of it is counted."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db.models.functions import Now

from jobs.choices import JobPriority
from jobs.exceptions import Postponed
from jobs.models import Job
from processing.choices import TRANSCRIPTION_QUEUE, ProcessingStatus
from processing.exceptions import QuotaReached
from processing.knowledge.uploading import submit_document
from processing.models import (
    Document,
    ProcessingTask,
    Recording,
    Transcript,
    Workspace,
    WorkspaceUsage,
)
from processing.services.inputs.ingestion import store_recording
from processing.services.inputs.submission import submit_recording
from processing.services.planner import plan
from processing.services.requesting import choose_engine, request_transcript
from processing.workspaces.quotas import (
    charge_rest,
    current_month,
    refuse_over_storage,
    stored_bytes,
    take_turn,
)
from tests.concurrency.threads import at_once
from tests.factories.audio import wav_bytes
from tests.factories.jobs import WorkerFactory
from tests.factories.knowledge import DocumentFactory
from tests.factories.processing import (
    ProcessingTaskFactory,
    RecordingFactory,
    TranscriptFactory,
    WorkspaceFactory,
)
from tests.processing.runs import drain
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

StoredFiles = Callable[[], set[Path]]

#: Two seconds of sound, as RecordingFactory declares them.
WAV = wav_bytes(2.0)
MINUTE = 60.0


def store(workspace: Workspace, content: bytes = WAV) -> tuple[Recording, bool]:
    return store_recording(source=BytesIO(content), name="a.wav", workspace=workspace)


def submit(workspace: Workspace, content: bytes = WAV, **asked: Any) -> Any:
    return submit_recording(
        source=BytesIO(content),
        name="a.wav",
        workspace=workspace,
        **({"engine": "scripted"} | asked),
    )


def used_seconds(workspace: Workspace) -> float:
    return WorkspaceUsage.objects.audio_seconds(workspace, current_month())


def is_refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except QuotaReached:
        return True
    return False


# Storage


def test_recordings_and_uploaded_documents_count_and_those_of_others_do_not() -> None:
    workspace = WorkspaceFactory.create()
    recording = RecordingFactory.create(workspace=workspace)
    document, _ = submit_document(source=BytesIO(b"Words."), name="a.txt", workspace=workspace)
    DocumentFactory.create(transcript__recording=recording, spoken=True)
    RecordingFactory.create()

    assert stored_bytes(workspace) == recording.size_bytes + document.size_bytes


def test_what_fits_to_the_byte_is_stored() -> None:
    workspace = WorkspaceFactory.create(max_storage_bytes=len(WAV))

    _, is_new = store(workspace)

    assert is_new


def test_what_does_not_fit_is_refused_with_the_limit_and_kept_nowhere(
    stored_files: StoredFiles,
) -> None:
    workspace = WorkspaceFactory.create(max_storage_bytes=100_000)
    store(workspace)
    files = stored_files()

    with pytest.raises(QuotaReached) as refusal:
        store(workspace, wav_bytes(2.0, frequency=500.0))

    assert str(refusal.value) == (
        "the workspace may store 100,000 bytes (max_storage_bytes); 64,044 are used, and "
        "64,044 more are needed"
    )
    assert Recording.objects.in_workspace(workspace).count() == 1
    assert stored_files() == files


def test_content_that_is_there_costs_nothing() -> None:
    workspace = WorkspaceFactory.create(max_storage_bytes=len(WAV))
    store(workspace)

    _, is_new = store(workspace)

    assert not is_new


def test_document_that_does_not_fit_is_refused(stored_files: StoredFiles) -> None:
    workspace = WorkspaceFactory.create(max_storage_bytes=5)
    files = stored_files()

    with pytest.raises(QuotaReached):
        submit_document(source=BytesIO(b"Words."), name="a.txt", workspace=workspace)

    assert not Document.objects.exists()
    assert stored_files() == files


def test_deleting_makes_room() -> None:
    workspace = WorkspaceFactory.create(max_storage_bytes=len(WAV))
    store(workspace)[0].delete()

    refuse_over_storage(workspace, len(WAV))


def test_workspace_without_a_limit_is_asked_nothing_more() -> None:
    workspace = WorkspaceFactory.create()

    assert queries_of(lambda: refuse_over_storage(workspace, 10**15)) == []


@pytest.mark.django_db(transaction=True)
def test_of_files_that_come_at_once_no_more_are_stored_than_fit(stored_files: StoredFiles) -> None:
    workspace = WorkspaceFactory.create(max_storage_bytes=2 * len(WAV) + 10)
    contents = [wav_bytes(2.0, frequency=300.0 + 50 * n) for n in range(6)]
    files = stored_files()

    refused = at_once(
        [partial(is_refused, partial(store, workspace, content)) for content in contents]
    )

    assert refused.count(False) == 2
    assert stored_bytes(workspace) == 2 * len(WAV)
    assert len(stored_files() - files) == 2


# Minutes of audio


def test_transcript_is_charged_once_for_what_its_recording_declares() -> None:
    workspace = WorkspaceFactory.create()
    first = submit(workspace).request

    submit(workspace)
    ProcessingTask.objects.cancel(first.processing.pk)
    submit(workspace)

    assert ProcessingTask.objects.in_workspace(workspace).count() == 2
    assert used_seconds(workspace) == 2.0
    assert Transcript.objects.get().charged_seconds == 2.0


def test_another_language_is_another_transcript_and_charged() -> None:
    workspace = WorkspaceFactory.create()

    submit(workspace, language="en")
    submit(workspace, language="de")

    assert used_seconds(workspace) == 4.0


def test_each_channel_counts_where_each_is_heard_by_itself() -> None:
    recording = RecordingFactory.create(channels=2)

    request_transcript(recording=recording, engine="scripted", parameters={"channels": "separate"})

    assert used_seconds(recording.workspace) == 4.0


def test_answer_that_is_there_costs_nothing() -> None:
    workspace = WorkspaceFactory.create()
    submit(workspace)
    ProcessingTask.objects.update(status=ProcessingStatus.COMPLETED, completed_at=Now())

    assert submit(workspace).request.is_cached
    assert used_seconds(workspace) == 2.0


def test_too_much_audio_is_refused_with_the_limit_and_kept_nowhere(
    stored_files: StoredFiles,
) -> None:
    workspace = WorkspaceFactory.create(max_audio_minutes_per_month=1)
    WorkspaceUsage.objects.charge(workspace.pk, current_month(), seconds=59.0, limit_seconds=MINUTE)
    files = stored_files()

    with pytest.raises(QuotaReached) as refusal:
        submit(workspace)

    assert str(refusal.value) == (
        "the workspace may have 1 min of audio transcribed in a month "
        "(max_audio_minutes_per_month); 0.98 min are used, and 0.03 min more are needed"
    )
    assert not Recording.objects.exists()
    assert not Transcript.objects.exists()
    assert not Job.objects.exists()
    assert stored_files() == files
    assert used_seconds(workspace) == 59.0


def test_what_is_used_to_the_second_is_granted() -> None:
    workspace = WorkspaceFactory.create(max_audio_minutes_per_month=1)
    WorkspaceUsage.objects.charge(workspace.pk, current_month(), seconds=58.0, limit_seconds=MINUTE)

    submit(workspace)

    assert used_seconds(workspace) == MINUTE


def test_workspace_that_may_have_no_minute_has_none() -> None:
    workspace = WorkspaceFactory.create(max_audio_minutes_per_month=0)

    assert is_refused(partial(submit, workspace))


def test_month_ends_in_utc_and_the_next_begins_with_nothing() -> None:
    workspace = WorkspaceFactory.create(max_audio_minutes_per_month=1)
    with time_machine.travel(datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC), tick=False):
        charge_rest(TranscriptFactory.create(recording__workspace=workspace).pk, heard_seconds=60.0)
        is_refused_in_january = is_refused(partial(submit, workspace))

    with time_machine.travel(datetime(2026, 2, 1, tzinfo=UTC), tick=False):
        is_refused_in_february = is_refused(partial(submit, workspace))

    months = WorkspaceUsage.objects.in_workspace(workspace).values_list("month", "audio_seconds")
    assert (is_refused_in_january, is_refused_in_february) == (True, False)
    assert [(str(month), seconds) for month, seconds in months] == [
        ("2026-02-01", 2.0),
        ("2026-01-01", 60.0),
    ]


@pytest.mark.django_db(transaction=True)
def test_of_those_who_ask_at_once_no_more_are_granted_than_there_are_minutes() -> None:
    workspace = WorkspaceFactory.create(max_audio_minutes_per_month=1)
    WorkspaceUsage.objects.charge(workspace.pk, current_month(), seconds=55.0, limit_seconds=MINUTE)
    contents = [wav_bytes(2.0, frequency=300.0 + 50 * n) for n in range(6)]

    refused = at_once(
        [partial(is_refused, partial(submit, workspace, content)) for content in contents]
    )

    assert refused.count(False) == 2
    assert used_seconds(workspace) == 59.0
    assert Transcript.objects.count() == Recording.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_those_who_ask_first_in_a_month_no_more_are_granted_than_there_are_minutes() -> None:
    workspace = WorkspaceFactory.create(max_audio_minutes_per_month=1)
    charge = partial(
        WorkspaceUsage.objects.charge,
        workspace.pk,
        current_month(),
        seconds=25.0,
        limit_seconds=MINUTE,
    )

    assert at_once([charge] * 6).count(True) == 2


# A length that nobody declared, or that was not true


@pytest.mark.django_db(transaction=True)
def test_recording_of_unknown_length_is_charged_when_it_has_been_cut() -> None:
    workspace = WorkspaceFactory.create(max_audio_minutes_per_month=1)
    recording = RecordingFactory.create(workspace=workspace, duration_seconds=None)
    transcript = request_transcript(recording=recording, engine="scripted").transcript
    assert used_seconds(workspace) == 0.0

    drain(TRANSCRIPTION_QUEUE)

    transcript.refresh_from_db()
    assert used_seconds(workspace) == transcript.charged_seconds == 2.0


def test_recording_of_unknown_length_is_refused_when_nothing_is_left() -> None:
    workspace = WorkspaceFactory.create(max_audio_minutes_per_month=1)
    recording = RecordingFactory.create(workspace=workspace, duration_seconds=None)
    charge_rest(TranscriptFactory.create(recording__workspace=workspace).pk, heard_seconds=60.0)

    with pytest.raises(QuotaReached, match=r"1\.00 min are used, and more is needed"):
        request_transcript(recording=recording, engine="scripted")


@pytest.mark.django_db(transaction=True)
def test_what_a_container_kept_quiet_is_charged_when_it_has_been_cut() -> None:
    recording = RecordingFactory.create(duration_seconds=0.1)
    request_transcript(recording=recording, engine="scripted")

    drain(TRANSCRIPTION_QUEUE)

    assert used_seconds(recording.workspace) == 2.0


def test_planner_that_is_run_again_charges_nothing() -> None:
    transcript = TranscriptFactory.create()

    charge_rest(transcript.pk, heard_seconds=3.5)
    charge_rest(transcript.pk, heard_seconds=3.5)

    assert used_seconds(transcript.workspace) == 3.5


def test_transcript_that_is_gone_is_charged_nothing() -> None:
    transcript = TranscriptFactory.create()
    pk = transcript.pk
    transcript.delete()

    charge_rest(pk, heard_seconds=3.5)

    assert not WorkspaceUsage.objects.exists()


# Recordings at once


def waiting_run(workspace: Workspace, **run: Any) -> ProcessingTask:
    made = ProcessingTaskFactory.create(transcript__recording__workspace=workspace, **run)
    return ProcessingTask.objects.with_recordings().get(pk=made.pk)


def is_postponed(run: ProcessingTask) -> bool:
    try:
        take_turn(run)
    except Postponed:
        return True
    return False


def test_recording_waits_while_as_many_are_transcribed_as_may() -> None:
    workspace = WorkspaceFactory.create(max_concurrent_recordings=1)
    running = waiting_run(workspace, processing=True)
    waiting = waiting_run(workspace)

    with pytest.raises(Postponed, match="transcribes 1 recordings at once"):
        take_turn(waiting)
    ProcessingTask.objects.fail(running.pk, code="error", message="")

    assert not is_postponed(waiting)


def test_recordings_of_other_workspaces_do_not_count() -> None:
    waiting_run(WorkspaceFactory.create(), processing=True)

    run = waiting_run(WorkspaceFactory.create(max_concurrent_recordings=1))

    assert not is_postponed(run)


def test_planner_that_takes_over_from_a_dead_one_does_not_wait() -> None:
    workspace = WorkspaceFactory.create(max_concurrent_recordings=1)
    waiting_run(workspace, processing=True)

    assert not is_postponed(waiting_run(workspace, splitting=True))


def test_runs_begin_by_their_deadlines_whoever_asks_first() -> None:
    workspace = WorkspaceFactory.create(max_concurrent_recordings=2)
    waiting_run(workspace, processing=True)
    first, second = waiting_run(workspace), waiting_run(workspace)
    urgent = waiting_run(workspace, priority=JobPriority.URGENT)

    assert [is_postponed(run) for run in (second, first, urgent)] == [True, True, False]


def test_the_longer_the_line_the_later_it_asks_again() -> None:
    workspace = WorkspaceFactory.create(max_concurrent_recordings=1)
    for _ in range(8):
        waiting_run(workspace)

    with pytest.raises(Postponed) as postponed:
        take_turn(waiting_run(workspace))

    assert 4.0 <= postponed.value.seconds <= 8.0


@pytest.mark.django_db(transaction=True)
def test_planner_waits_without_spending_an_attempt_and_goes_on() -> None:
    workspace = WorkspaceFactory.create(max_concurrent_recordings=1)
    running = waiting_run(workspace, processing=True)
    run = submit(workspace).request.processing

    drain(TRANSCRIPTION_QUEUE)

    job = Job.objects.get()
    assert (job.status, job.error_code) == ("SCHEDULED", "in_line")
    assert job.max_attempts - job.attempt == Job._meta.get_field("max_attempts").default
    ProcessingTask.objects.cancel(running.pk)
    Job.objects.update(status="QUEUED")
    drain(TRANSCRIPTION_QUEUE)
    run.refresh_from_db()
    assert run.status == ProcessingStatus.PROCESSING


@pytest.mark.django_db(transaction=True)
def test_of_planners_that_ask_at_once_no_more_begin_than_may() -> None:
    workspace = WorkspaceFactory.create(max_concurrent_recordings=2)
    for n in range(5):
        submit(workspace, wav_bytes(2.0, frequency=300.0 + 50 * n))
    worker = WorkerFactory.create()
    jobs = Job.objects.claim(queue_name=TRANSCRIPTION_QUEUE, worker=worker, limit=5)

    def begins(job: Job) -> bool:
        try:
            plan(job)
        except Postponed:
            return False
        return True

    assert at_once([partial(begins, job) for job in jobs]).count(True) == 2
    assert ProcessingTask.objects.begun().count() == 2


def test_workspace_without_a_limit_locks_nothing() -> None:
    run = waiting_run(WorkspaceFactory.create())

    asked = queries_of(lambda: take_turn(run))

    assert not [sql for sql in asked if "FOR NO KEY UPDATE" in sql]


# The workspace's language


@pytest.mark.parametrize(
    ("own", "asked", "meant"),
    [("de", "", "de"), ("de", "en", "en"), ("", "", "en"), ("mt", "", "en")],
    ids=["own", "asked for", "none", "not understood"],
)
def test_language_of_a_request_that_names_none(own: str, asked: str, meant: str) -> None:
    workspace = WorkspaceFactory.create(language=own)

    _, language = choose_engine("scripted", asked, workspace=workspace)

    assert language == meant
