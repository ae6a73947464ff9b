"""The whole life of a processing, with a scripted engine and the real machinery."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from pytest_django import Settings

from jobs.choices import JobPriority, JobStatus
from jobs.models import Job
from processing.choices import MERGE_JOB, TRANSCRIPTION_JOB, ProcessingStatus
from processing.engines.base import SAMPLE_RATE, AudioClip, Speech
from processing.exceptions import UnknownEngine, UnsupportedLanguage
from processing.models import ChunkTask, ProcessingTask, Transcript, Workspace
from processing.services import joining, planner
from processing.services.orchestrator import cancel_processing
from processing.services.requesting import TranscriptRequest, request_transcript
from tests.audio import ScriptedAudio, make_scripted_audio
from tests.factories.jobs import WorkerFactory
from tests.factories.processing import WorkspaceFactory
from tests.fakes.speech import ScriptedEngine
from tests.processing import media
from tests.processing.runs import (
    CHUNKS,
    TRANSCRIPTION,
    drain,
    made,
    stored_recording,
    word_times,
    work_off,
)

#: A runner looks after its connection between jobs, which it can only outside of a transaction.
pytestmark = pytest.mark.django_db(transaction=True)

OnStore = Callable[[Callable[[str], object]], None]


class MoodyEngine(ScriptedEngine):
    """Raises where it is told to, as long as the file ``moody`` exists."""

    name = "moody"

    def transcribe(
        self, clip: AudioClip, *, language: str, parameters: Mapping[str, Any]
    ) -> Speech:
        mood = {} if Path(parameters["moody"]).exists() else {"raise_at": ()}
        return super().transcribe(clip, language=language, parameters={**parameters, **mood})


@pytest.fixture(autouse=True)
def stored(tmp_path: Path, settings: Settings) -> Path:
    """A media root of the test's own."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def audio(tmp_path: Path) -> ScriptedAudio:
    """40 s: four chunks."""
    return make_scripted_audio(tmp_path, 40.0)


def request(
    audio: ScriptedAudio, *, workspace: Workspace | None = None, engine: str = "scripted", **kw: Any
) -> TranscriptRequest:
    """Ask for a transcript of ``audio``; what is not for the request is for the engine."""
    options = {name: kw.pop(name) for name in ("priority", "created_by", "language") if name in kw}
    return request_transcript(
        recording=stored_recording(audio.path, workspace=workspace),
        engine=engine,
        parameters={"script": str(audio.script_path), **kw},
        **options,
    )


def run(audio: ScriptedAudio, **kw: Any) -> tuple[Transcript, ProcessingTask]:
    """Ask for a transcript, have it made, and return it with its run as they are stored."""
    return made(request(audio, **kw))


def chunk_files(stored: Path) -> list[Path]:
    return [path for path in (stored / "chunks").rglob("*") if path.is_file()]


# To the end


@pytest.mark.parametrize("pause_every", [6, 0], ids=["pauses", "no pauses"])
def test_a_recording_becomes_its_transcript_word_by_word(tmp_path: Path, pause_every: int) -> None:
    audio = make_scripted_audio(tmp_path, 60.0, pause_every=pause_every)

    transcript, processing = run(audio)

    assert processing.status == ProcessingStatus.COMPLETED
    assert ChunkTask.objects.completed().count() == processing.total_chunks
    assert (processing.total_chunks or 0) >= 4
    assert transcript.text == audio.text
    assert transcript.gaps == []


def test_times_are_those_of_the_recording(audio: ScriptedAudio) -> None:
    transcript, _ = run(audio)

    drift = [
        max(abs(start - heard_start), abs(end - heard_end))
        for (_, start, end), (_, heard_start, heard_end) in zip(
            audio.script, word_times(transcript), strict=True
        )
    ]
    assert max(drift) < 0.002
    assert transcript.duration_seconds == 40.0


def test_a_run_counts_all_of_its_audio(audio: ScriptedAudio) -> None:
    _, processing = run(audio)

    assert processing.total_samples == processing.done_samples == 40 * SAMPLE_RATE
    assert (processing.completed_chunks, processing.failed_chunks) == (processing.total_chunks, 0)
    assert processing.started_at is not None
    assert processing.completed_at is not None


def test_one_planner_and_one_merger_did_it(audio: ScriptedAudio) -> None:
    transcript, _ = run(audio)

    jobs = Job.objects.about(transcript.pk)
    assert sorted(jobs.values_list("job_type", "status")) == [
        (MERGE_JOB, JobStatus.COMPLETED),
        (TRANSCRIPTION_JOB, JobStatus.COMPLETED),
    ]


def test_the_files_of_the_chunks_are_gone_and_the_recording_is_kept(
    audio: ScriptedAudio, stored: Path
) -> None:
    transcript, _ = run(audio)

    assert chunk_files(stored) == []
    assert not ChunkTask.objects.exclude(audio="").exists()
    with transcript.recording.file.open("rb") as file:
        assert file.read() == audio.path.read_bytes()


def test_silence_is_a_complete_transcript_without_words(audio: ScriptedAudio) -> None:
    audio.script_path.write_text("[]")

    transcript, processing = run(audio)

    assert processing.status == ProcessingStatus.COMPLETED
    assert (transcript.text, transcript.segments, transcript.gaps) == ("", [], [])


def test_a_chunk_whose_file_is_gone_is_cut_from_the_recording_again(
    audio: ScriptedAudio, stored: Path
) -> None:
    made = request(audio)
    drain(TRANSCRIPTION)
    for path in chunk_files(stored)[1:3]:
        path.unlink()

    work_off()

    made.transcript.refresh_from_db()
    assert (made.transcript.text, made.transcript.gaps) == (audio.text, [])


def test_a_merge_that_is_run_again_changes_nothing(audio: ScriptedAudio) -> None:
    transcript, processing = run(audio)
    ended_at = processing.completed_at
    ChunkTask.objects.update(result={"language": "en", "timing": "word", "segments": []})

    joining.merge(Job.objects.get(job_type=MERGE_JOB))

    transcript.refresh_from_db()
    processing.refresh_from_db()
    assert (transcript.text, processing.completed_at) == (audio.text, ended_at)


# Fan-out


def test_the_first_chunks_can_be_claimed_while_cutting_goes_on(
    audio: ScriptedAudio, on_store: OnStore
) -> None:
    ready: list[int] = []
    on_store(lambda name: ready.append(ChunkTask.objects.ready().count()))
    request(audio)

    drain(TRANSCRIPTION)

    assert ready == list(range(len(ready)))
    assert len(ready) >= 4


def test_a_run_is_not_merged_while_cutting_goes_on(audio: ScriptedAudio, on_store: OnStore) -> None:
    on_store(lambda name: drain(CHUNKS))
    requested = request(audio)

    work_off()

    requested.transcript.refresh_from_db()
    assert requested.transcript.text == audio.text
    assert Job.objects.filter(job_type=MERGE_JOB).count() == 1


def test_chunks_are_due_in_their_order_by_the_priority_of_the_request(
    audio: ScriptedAudio,
) -> None:
    requested = request(audio, priority=JobPriority.HIGH)

    drain(TRANSCRIPTION)

    due = [chunk.due_by for chunk in ChunkTask.objects.in_order()]
    assert due == sorted(set(due))
    assert (due[0] - requested.processing.created_at).total_seconds() == 30
    assert Job.objects.get().priority == JobPriority.HIGH


def test_a_planner_that_broke_off_goes_on_where_it_was(
    audio: ScriptedAudio, on_store: OnStore
) -> None:
    kept: list[Any] = []

    def break_once(name: str) -> None:
        if "/000002-" in name and not kept:
            kept.extend(ChunkTask.objects.in_order().values_list("pk", flat=True))
            raise ConnectionError("the storage is away")

    on_store(break_once)

    transcript, processing = run(audio)

    assert len(kept) == 2
    assert list(ChunkTask.objects.in_order().values_list("pk", flat=True))[:2] == kept
    assert (processing.status, transcript.text) == (ProcessingStatus.COMPLETED, audio.text)
    assert Job.objects.get(job_type=TRANSCRIPTION_JOB).attempt == 2


def test_a_planner_whose_run_is_past_cutting_changes_nothing(audio: ScriptedAudio) -> None:
    request(audio)
    drain(TRANSCRIPTION)
    before = list(ChunkTask.objects.in_order().values())

    planner.plan(Job.objects.get(job_type=TRANSCRIPTION_JOB))

    assert list(ChunkTask.objects.in_order().values()) == before


# Gaps and failures


def test_a_chunk_that_fails_is_a_gap_and_the_rest_is_the_transcript(
    audio: ScriptedAudio, stored: Path
) -> None:
    transcript, processing = run(audio, raise_at=[15.0])

    failed = ChunkTask.objects.failed().get()
    assert processing.status == ProcessingStatus.PARTIAL
    assert (processing.failed_chunks, failed.attempt) == (1, 3)
    assert transcript.gaps == [
        {
            "start": round(failed.start_seconds, 3),
            "end": round(failed.end_seconds, 3),
            "reason": "error: RuntimeError: the script says so",
        }
    ]
    heard = [
        word
        for word, start, end in audio.script
        if end <= failed.start_seconds or start >= failed.end_seconds
    ]
    assert transcript.text == " ".join(heard)
    assert chunk_files(stored) == []


def test_when_every_chunk_fails_the_run_fails_for_their_reason(
    audio: ScriptedAudio, stored: Path
) -> None:
    transcript, processing = run(audio, raise_at=list(range(40)))

    assert processing.status == ProcessingStatus.FAILED
    assert processing.error_code == "error"
    assert processing.error_message == "RuntimeError: the script says so"
    assert (transcript.text, transcript.segments) == ("", [])
    assert chunk_files(stored) == []


def test_a_file_that_ends_early_is_a_gap_to_the_end_it_declares(tmp_path: Path) -> None:
    whole = media.encoded("flac", 40.0)
    audio = make_scripted_audio(tmp_path, 40.0)
    audio.path.write_bytes(whole[: len(whole) // 2])
    audio.script_path.write_text("[]")

    transcript, processing = run(audio)

    [gap] = transcript.gaps
    assert processing.status == ProcessingStatus.PARTIAL
    assert (gap["start"], gap["end"]) == (round(transcript.duration_seconds or 0, 3), 40.0)
    assert 10.0 < gap["start"] < 30.0
    assert gap["reason"] == "truncated: the file ends before the length it declares"


def test_a_raw_stream_that_declares_no_length_is_not_called_truncated(tmp_path: Path) -> None:
    audio = make_scripted_audio(tmp_path, 20.0)
    audio.path.write_bytes(media.encoded("aac", 20.0))
    audio.script_path.write_text("[]")

    _, processing = run(audio)

    assert processing.status == ProcessingStatus.COMPLETED


def test_a_recording_without_any_sound_fails_with_its_reason(tmp_path: Path) -> None:
    audio = make_scripted_audio(tmp_path, 1.0)
    audio.path.write_bytes(media.wav(b""))

    _, processing = run(audio)

    assert processing.status == ProcessingStatus.FAILED
    assert (processing.error_code, processing.error_message) == (
        "unreadable_audio",
        "the file holds no sound that can be decoded",
    )
    assert Job.objects.get().attempt == 1


def test_a_planner_that_fails_for_good_leaves_neither_chunks_to_do_nor_files(
    audio: ScriptedAudio, stored: Path, on_store: OnStore
) -> None:
    def break_always(name: str) -> None:
        if "/000002-" in name:
            raise ConnectionError("the storage is away")

    on_store(break_always)
    requested = request(audio)

    for _ in range(3):
        drain(TRANSCRIPTION)
        Job.objects.promote()

    requested.processing.refresh_from_db()
    assert requested.processing.status == ProcessingStatus.FAILED
    assert requested.processing.error_message == "ConnectionError: the storage is away"
    assert set(ChunkTask.objects.values_list("status", flat=True)) == {JobStatus.CANCELLED}
    assert chunk_files(stored) == []


# Asking again


def test_an_equal_request_is_answered_from_what_is_there(audio: ScriptedAudio) -> None:
    transcript, processing = run(audio)

    again = request(audio)

    assert again == TranscriptRequest(transcript, processing, is_cached=True, is_started=False)
    assert Job.objects.active().count() == 0


def test_an_equal_request_joins_the_run_that_goes_on(audio: ScriptedAudio) -> None:
    first = request(audio)

    second = request(audio)

    assert second == replace(first, is_started=False)
    assert (first.is_started, second.is_cached) == (True, False)
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [{"language": "de"}, {"beam": 7}, {"engine": "broken"}],
    ids=["language", "parameter", "engine"],
)
def test_another_question_has_another_transcript(
    audio: ScriptedAudio, changes: dict[str, Any]
) -> None:
    first = request(audio)

    second = request(audio, **changes)

    assert second.transcript != first.transcript


def test_another_version_of_an_engine_is_asked_again(
    audio: ScriptedAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = request(audio)
    monkeypatch.setattr(ScriptedEngine, "version", "2")

    assert request(audio).transcript != first.transcript


def test_only_the_gap_is_heard_again(
    audio: ScriptedAudio, tmp_path: Path, settings: Settings
) -> None:
    settings.ENGINES = settings.ENGINES | {"moody": f"{MoodyEngine.__module__}.MoodyEngine"}
    mood = tmp_path / "moody"
    mood.touch()
    question = {"engine": "moody", "moody": str(mood), "raise_at": [15.0]}
    first, partial = run(audio, **question)
    mood.unlink()

    second, complete = run(audio, **question)

    assert (first, partial.status) == (second, ProcessingStatus.PARTIAL)
    assert (complete.status, second.text) == (ProcessingStatus.COMPLETED, audio.text)
    assert second.gaps == []
    chunks = ChunkTask.objects.of(complete.pk)
    assert chunks.filter(is_reused=False).count() == 1
    assert chunks.filter(is_reused=True).count() == (partial.total_chunks or 0) - 1


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_run_that_came_to_nothing_can_be_asked_for_again(audio: ScriptedAudio, end: str) -> None:
    first = request(audio)
    endings: dict[str, Callable[[], bool]] = {
        "failed": lambda: ProcessingTask.objects.fail(first.processing.pk, code="x", message=""),
        "cancelled": lambda: cancel_processing(first.processing),
    }
    endings[end]()

    transcript, processing = run(audio)

    assert processing != first.processing
    assert (transcript, transcript.text) == (first.transcript, audio.text)


def test_workspaces_share_nothing_that_was_heard(audio: ScriptedAudio) -> None:
    run(audio)

    transcript, processing = run(audio, workspace=WorkspaceFactory.create())

    assert transcript.text == audio.text
    assert not ChunkTask.objects.of(processing.pk).filter(is_reused=True).exists()


def test_a_request_names_who_made_it(audio: ScriptedAudio) -> None:
    user = get_user_model().objects.create_user("ada")

    requested = request(audio, created_by=user)

    job = Job.objects.get()
    assert (job.created_by, job.subject_id) == (user, requested.transcript.pk)
    assert job.workspace_id == requested.transcript.recording.workspace_id


def test_an_unknown_engine_is_refused_and_leaves_no_transcript(audio: ScriptedAudio) -> None:
    with pytest.raises(UnknownEngine, match="unknown engine 'oracle'; known: "):
        request(audio, engine="oracle")

    assert not Transcript.objects.exists()


def test_a_language_the_engine_does_not_know_is_refused(audio: ScriptedAudio) -> None:
    with pytest.raises(UnsupportedLanguage, match="does not understand 'tlh'; it knows en, de"):
        request(audio, language="tlh")

    assert not Transcript.objects.exists()


# Cancelling


def test_a_run_that_is_cancelled_before_it_begins_never_does(audio: ScriptedAudio) -> None:
    requested = request(audio)

    answer = cancel_processing(requested.processing)
    work_off()

    assert answer is True
    assert ProcessingTask.objects.get().status == ProcessingStatus.CANCELLED
    assert Job.objects.get().status == JobStatus.CANCELLED
    assert not ChunkTask.objects.exists()


def test_a_run_that_is_cancelled_in_the_middle_leaves_nothing_to_do(
    audio: ScriptedAudio, stored: Path
) -> None:
    requested = request(audio)
    drain(TRANSCRIPTION)
    assert len(chunk_files(stored)) >= 4

    cancel_processing(requested.processing)
    work_off()

    requested.transcript.refresh_from_db()
    assert set(ChunkTask.objects.values_list("status", flat=True)) == {JobStatus.CANCELLED}
    assert ProcessingTask.objects.get().status == ProcessingStatus.CANCELLED
    assert requested.transcript.text == ""
    assert chunk_files(stored) == []


def test_a_run_that_is_cancelled_while_it_is_cut_stops_cutting(
    audio: ScriptedAudio, stored: Path, on_store: OnStore
) -> None:
    requested = request(audio)
    on_store(lambda name: "/000001-" in name and cancel_processing(requested.processing))

    work_off()

    assert ChunkTask.objects.get().status == JobStatus.CANCELLED
    assert ProcessingTask.objects.get().status == ProcessingStatus.CANCELLED
    assert chunk_files(stored) == []


def test_what_a_worker_heard_of_a_cancelled_run_is_refused(audio: ScriptedAudio) -> None:
    requested = request(audio)
    drain(TRANSCRIPTION)
    [claimed] = ChunkTask.objects.claim(queue_name=CHUNKS, worker=WorkerFactory.create())
    cancel_processing(requested.processing)

    accepted = ChunkTask.objects.complete(claimed, result=[])

    assert accepted is False
    assert ProcessingTask.objects.get().completed_chunks == 0


def test_a_run_that_is_over_cannot_be_cancelled(audio: ScriptedAudio) -> None:
    transcript, processing = run(audio)

    answer = cancel_processing(processing)

    processing.refresh_from_db()
    transcript.refresh_from_db()
    assert answer is False
    assert (processing.status, transcript.text) == (ProcessingStatus.COMPLETED, audio.text)


def test_cancelling_one_run_leaves_others_alone(audio: ScriptedAudio, tmp_path: Path) -> None:
    other = make_scripted_audio(tmp_path, 20.0, seed=7)
    cancelled, kept = request(audio), request(other)

    cancel_processing(cancelled.processing)
    work_off()

    kept.transcript.refresh_from_db()
    assert kept.transcript.text == other.text


def test_a_script_path_is_part_of_what_is_asked(audio: ScriptedAudio, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text("[]")

    assert request(audio).transcript != (request(replace(audio, script_path=elsewhere)).transcript)


def test_cancelling_a_run_leaves_the_next_run_of_the_same_transcript_alone(
    audio: ScriptedAudio,
) -> None:
    first = request(audio)
    ProcessingTask.objects.cancel(first.processing.pk)
    second = request(audio)

    assert not cancel_processing(first.processing)

    second.processing.refresh_from_db()
    [job] = Job.objects.carrying(processing_id=str(second.processing.pk))
    assert (job.status, second.processing.is_active) == (JobStatus.QUEUED, True)


def test_a_run_whose_job_is_cancelled_is_cancelled(audio: ScriptedAudio) -> None:
    requested = request(audio)

    Job.objects.carrying(processing_id=str(requested.processing.pk)).cancel()

    requested.processing.refresh_from_db()
    assert requested.processing.status == ProcessingStatus.CANCELLED


def test_asking_again_takes_nothing_away_from_who_reads(audio: ScriptedAudio) -> None:
    cut = audio.path.read_bytes()
    audio.path.write_bytes(cut[: len(cut) // 2])
    first = request(audio)
    work_off()
    again = request(audio)

    cancel_processing(again.processing)

    transcript = Transcript.objects.get(pk=first.transcript.pk)
    assert transcript.gaps
    assert transcript.is_readable
    assert transcript.text
