"""Kill whatever runs, in the middle of it: the transcript is the same."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from jobs.choices import JobStatus
from processing.choices import ProcessingStatus
from processing.management.commands.demo import normalized
from processing.models import ChunkTask, ProcessingTask, Transcript, Workspace
from processing.services.inputs.ingestion import store_recording
from processing.services.inputs.submission import submit_recording
from processing.services.requesting import TranscriptRequest, request_transcript
from tests.audio import ScriptedAudio, make_scripted_audio
from tests.processes import empty_redis, worker_pool
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

DURATION_SECONDS = 60.0

DEMO = Path(settings.BASE_DIR) / "processing" / "demo" / "longhand.flac"


@pytest.fixture
def audio(tmp_path: Path) -> ScriptedAudio:
    return make_scripted_audio(tmp_path, DURATION_SECONDS)


def request(audio: ScriptedAudio, **parameters: Any) -> TranscriptRequest:
    with audio.path.open("rb") as file:
        recording, _ = store_recording(
            source=file, name=audio.path.name, workspace=Workspace.objects.default()
        )
    return request_transcript(
        recording=recording,
        engine="scripted",
        parameters={"script": str(audio.script_path), "seconds_per_clip": 0.4} | parameters,
    )


def running_chunk() -> ChunkTask | None:
    chunks = ChunkTask.objects.filter(status=JobStatus.PROCESSING)
    return chunks.select_related("worker").first()


def finished(request: TranscriptRequest) -> ProcessingTask:
    def over() -> ProcessingTask | None:
        processing = ProcessingTask.objects.get(pk=request.processing.pk)
        return None if processing.is_active else processing

    processing = wait_for(over)
    assert processing is not None
    return processing


def text(request: TranscriptRequest) -> str:
    return Transcript.objects.get(pk=request.transcript.pk).text


def test_undisturbed_workers_hear_every_word_once(audio: ScriptedAudio) -> None:
    with worker_pool():
        requested = request(audio)

        processing = finished(requested)

    assert processing.status == ProcessingStatus.COMPLETED
    assert processing.total_chunks == 6
    assert text(requested) == audio.text


def test_a_killed_worker_process_changes_nothing_in_the_transcript(audio: ScriptedAudio) -> None:
    with worker_pool() as pool:
        requested = request(audio)
        victim = wait_for(running_chunk)
        assert victim is not None
        assert victim.worker is not None
        assert victim.worker.pid in pool.worker_pids

        os.kill(victim.worker.pid, signal.SIGKILL)
        processing = finished(requested)

    victim.refresh_from_db()
    assert (victim.status, victim.attempt, victim.crash_count) == (JobStatus.COMPLETED, 2, 1)
    assert processing.status == ProcessingStatus.COMPLETED
    assert text(requested) == audio.text


def test_a_killed_supervisor_takes_its_workers_along_and_loses_nothing(
    audio: ScriptedAudio,
) -> None:
    with worker_pool() as pool:
        requested = request(audio)
        victim = wait_for(running_chunk)
        assert victim is not None
        workers = pool.worker_pids

        os.kill(pool.process.pid, signal.SIGKILL)
        wait_for(lambda: not any(is_running(pid) for pid in workers))
        with worker_pool():
            processing = finished(requested)

    victim.refresh_from_db()
    assert victim.attempt == 2
    assert processing.status == ProcessingStatus.COMPLETED
    assert text(requested) == audio.text


def test_an_emptied_redis_changes_nothing_in_the_transcript(audio: ScriptedAudio) -> None:
    with worker_pool():
        requested = request(audio)
        wait_for(running_chunk)

        empty_redis()
        processing = finished(requested)

    assert processing.status == ProcessingStatus.COMPLETED
    assert text(requested) == audio.text


def test_a_host_that_was_frozen_past_its_leases_cannot_double_a_word(
    audio: ScriptedAudio,
) -> None:
    with worker_pool() as frozen:
        requested = request(audio)
        held = wait_for(running_chunk)
        assert held is not None

        frozen.signal(signal.SIGSTOP)
        with worker_pool():
            processing = finished(requested)
            frozen.signal(signal.SIGCONT)
            code = frozen.stop()

    held.refresh_from_db()
    processing.refresh_from_db()
    assert code == 0
    assert (held.status, held.attempt) == (JobStatus.COMPLETED, 2)
    assert processing.status == ProcessingStatus.COMPLETED
    assert processing.completed_chunks == processing.total_chunks
    assert text(requested) == audio.text


def test_a_worker_that_hangs_is_killed_and_its_chunk_is_heard_by_another(
    audio: ScriptedAudio,
) -> None:
    with worker_pool(CHUNK_TIME_LIMIT_SECONDS="3"):
        requested = request(audio)
        victim = wait_for(running_chunk)
        assert victim is not None
        assert victim.worker is not None
        assert victim.worker.pid is not None

        os.kill(victim.worker.pid, signal.SIGSTOP)
        processing = finished(requested)

    victim.refresh_from_db()
    assert (victim.attempt, victim.crash_count) == (2, 1)
    assert processing.status == ProcessingStatus.COMPLETED
    assert text(requested) == audio.text


def test_a_chunk_that_kills_its_worker_once_is_heard_by_the_next(
    audio: ScriptedAudio, tmp_path: Path
) -> None:
    with worker_pool():
        requested = request(audio, kill_at=[30.0], once=str(tmp_path))

        processing = finished(requested)

    assert processing.status == ProcessingStatus.COMPLETED
    assert text(requested) == audio.text


def test_a_chunk_that_kills_every_worker_becomes_a_gap(audio: ScriptedAudio) -> None:
    with worker_pool():
        requested = request(audio, kill_at=[30.0])

        processing = finished(requested)

    poison = ChunkTask.objects.of(processing.pk).failed().get()
    transcript = Transcript.objects.get(pk=requested.transcript.pk)
    outside = [
        word
        for word, start, _ in audio.script
        if not poison.start_seconds <= start < poison.end_seconds
    ]
    assert (poison.error_code, poison.crash_count) == ("poison", 3)
    assert processing.status == ProcessingStatus.PARTIAL
    assert [gap["start"] for gap in transcript.gaps] == [poison.start_seconds]
    assert transcript.text.split() == outside


def test_a_stopped_pool_leaves_no_process_and_gives_its_work_back(audio: ScriptedAudio) -> None:
    with worker_pool() as pool:
        requested = request(audio)
        wait_for(running_chunk)
        workers = pool.worker_pids

        code = pool.stop()

        assert code == 0
        assert not any(is_running(pid) for pid in workers)
        assert not ChunkTask.objects.filter(status=JobStatus.PROCESSING).exists()
        with worker_pool():
            assert finished(requested).status == ProcessingStatus.COMPLETED
    assert text(requested) == audio.text


def test_a_worker_that_is_told_to_stop_finishes_the_chunk_it_is_at(audio: ScriptedAudio) -> None:
    with worker_pool() as pool:
        request(audio, seconds_per_clip=1.0)
        chunk = wait_for(running_chunk)
        assert chunk is not None
        pool.stop()

    chunk.refresh_from_db()
    assert (chunk.status, chunk.attempt) == (JobStatus.COMPLETED, 1)


def test_real_speech_killed_in_three_ways_comes_out_word_for_word() -> None:
    with DEMO.open("rb") as file:
        requested = submit_recording(
            source=file, name=DEMO.name, workspace=Workspace.objects.default()
        ).request

    with worker_pool(ENGINE="sphinx") as pool:
        victim = wait_for(running_chunk)
        assert victim is not None
        assert victim.worker is not None
        assert victim.worker.pid is not None
        os.kill(victim.worker.pid, signal.SIGKILL)
        wait_for(lambda: ChunkTask.objects.completed().count() >= 2)
        empty_redis()
        wait_for(lambda: ChunkTask.objects.completed().count() >= 4)
        os.kill(pool.process.pid, signal.SIGKILL)
    with worker_pool(ENGINE="sphinx"):
        processing = finished(requested)

    assert processing.status == ProcessingStatus.COMPLETED
    assert text(requested) == normalized(DEMO.with_suffix(".txt").read_text())


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
