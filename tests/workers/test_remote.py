"""Chunks that are heard by a provider: real workers, a real server, nothing lost on the way."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from django.conf import settings as project
from django.db import transaction
from pytest_django import Settings

from config import env
from jobs.choices import JobStatus
from jobs.managers.work import DEFAULT_MAX_ATTEMPTS
from processing.choices import REMOTE_CHUNK_QUEUE, TRANSCRIPTION_QUEUE, ProcessingStatus
from processing.engines.base import SAMPLE_RATE
from processing.engines.remote import breaker_of
from processing.management.commands.demo import normalized
from processing.models import ChunkTask, ProcessingTask, Transcript, Workspace
from processing.providers.circuit import CircuitStatus
from processing.services.inputs.ingestion import store_recording
from processing.services.joining import heard_so_far
from processing.services.orchestrator import cancel_processing
from processing.services.requesting import TranscriptRequest, request_transcript, retry_gaps
from tests.audio import ScriptedAudio, make_scripted_audio
from tests.bench.cache.processes import Remote
from tests.processes import WorkerPool, worker_pool
from tests.providers.speech_server import Asked, SpeechServer
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

DURATION_SECONDS = 60.0

#: Shorter than a provider is usually sent: about 15 of them.
CHUNK_SECONDS = 4.0

#: A second of the recording, in one chunk only: its neighbours do not overlap it.
ABOUT = 35.0

LESSON = Path(project.BASE_DIR) / "processing" / "demo" / "lesson.flac"

Serve = Callable[..., Remote]


@pytest.fixture
def audio(tmp_path: Path) -> ScriptedAudio:
    return make_scripted_audio(tmp_path, DURATION_SECONDS)


@pytest.fixture
def serve(
    audio: ScriptedAudio, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Serve]:
    """Start a server that hears ``audio``, and make it an engine of ours and our workers'."""

    def start(name: str = "stub", *, seconds_per_clip: float = 0.0, **knobs: object) -> Remote:
        known = (str(audio.path), str(audio.script_path))
        server = stack.enter_context(Remote(SpeechServer, *known, seconds_per_clip))
        knobs = {"BASE_URL": server.ask("url"), "MODEL": "whisper-1", **knobs}
        for knob, value in knobs.items():
            monkeypatch.setenv(f"{name.upper()}_{knob}", str(value))
        settings.PROVIDERS = {**settings.PROVIDERS, name: env.provider(name)}
        monkeypatch.setenv("PROVIDERS", ",".join(settings.PROVIDERS))
        return server

    with ExitStack() as stack:
        yield start


def two_workers() -> AbstractContextManager[WorkerPool]:
    """Run two workers that do everything but local chunks."""
    queues = ("--queues", TRANSCRIPTION_QUEUE, REMOTE_CHUNK_QUEUE)
    # None of these is heavy, so that there is no worker besides, which a pool is waited for with.
    return worker_pool(*queues, "--concurrency", "2", concurrency=1)


def request(
    path: Path, *, workspace: Workspace | None = None, chunk_seconds: float = CHUNK_SECONDS
) -> TranscriptRequest:
    """Ask the first of a workspace's engines, or ``stub``, for a transcript in short chunks."""
    workspace = workspace or Workspace.objects.default()
    with path.open("rb") as file:
        recording, _ = store_recording(source=file, name=path.name, workspace=workspace)
    with transaction.atomic():
        requested = request_transcript(recording=recording, engine="stub", language="en")
        run = ProcessingTask.objects.filter(pk=requested.processing.pk)
        run.update(chunk_seconds=chunk_seconds)
    return requested


def workspace_asking(*engines: str) -> Workspace:
    return Workspace.objects.create(name="With a second", slug="second", engines=list(engines))


def finished(requested: TranscriptRequest) -> ProcessingTask:
    def over() -> ProcessingTask | None:
        processing = ProcessingTask.objects.get(pk=requested.processing.pk)
        return None if processing.is_active else processing

    processing = wait_for(over)
    assert processing is not None
    return processing


def text(requested: TranscriptRequest) -> str:
    return Transcript.objects.get(pk=requested.transcript.pk).text


def chunks(requested: TranscriptRequest) -> list[ChunkTask]:
    wait_for(lambda: total_chunks(requested))
    return list(ChunkTask.objects.of(requested.processing.pk).in_order())


def total_chunks(requested: TranscriptRequest) -> int | None:
    return ProcessingTask.objects.get(pk=requested.processing.pk).total_chunks


def failures(chunk: ChunkTask) -> int:
    """Return how many attempts have failed: neither those given back nor those postponed."""
    is_over = chunk.status == JobStatus.COMPLETED
    return chunk.attempt - (chunk.max_attempts - DEFAULT_MAX_ATTEMPTS) - is_over


def has_breaker_status(*statuses: CircuitStatus) -> bool:
    return breaker_of("stub").state().status in statuses


def test_two_workers_have_six_chunks_at_a_provider_at_once(
    audio: ScriptedAudio, serve: Serve
) -> None:
    server = serve(MAX_CONCURRENCY=6)
    server.ask("hold")

    with two_workers():
        requested = request(audio.path)
        wait_for(lambda: server.ask("in_flight") == 6)
        server.ask("release")
        processing = finished(requested)

    assert processing.status == ProcessingStatus.COMPLETED
    assert text(requested) == audio.text


def test_workers_together_ask_for_no_more_at_once_than_is_allowed(
    audio: ScriptedAudio, serve: Serve
) -> None:
    server = serve(MAX_CONCURRENCY=4, seconds_per_clip=0.5)

    with two_workers():
        requested = request(audio.path)
        processing = finished(requested)

    assert server.ask("most_in_flight") == 4
    assert len(server.ask("asked")) == processing.total_chunks
    assert processing.status == ProcessingStatus.COMPLETED
    assert text(requested) == audio.text


def test_retry_after_makes_all_workers_wait_and_costs_one_attempt_of_one_chunk(
    audio: ScriptedAudio, serve: Serve
) -> None:
    server = serve(MAX_CONCURRENCY=2, seconds_per_clip=0.2)
    server.ask("refuse", 429, 1, None, {"Retry-After": "4"})

    with two_workers():
        requested = request(audio.path)
        processing = finished(requested)

    asked: list[Asked] = server.ask("asked")
    refused = next(one for one in asked if one.status == 429)
    waited = [one for one in asked if refused.at + 1.0 < one.at < refused.at + 3.9]
    assert waited == []
    assert len(asked) == (processing.total_chunks or 0) + 1
    assert sum(map(failures, chunks(requested))) == 1
    assert processing.status == ProcessingStatus.COMPLETED
    assert text(requested) == audio.text


def test_a_failing_provider_is_left_alone_until_one_probe_has_succeeded(
    audio: ScriptedAudio, serve: Serve
) -> None:
    server = serve()
    server.ask("refuse", 500)

    with two_workers():
        requested = request(audio.path)
        wait_for(lambda: has_breaker_status(CircuitStatus.OPEN))
        wait_for(lambda: postponed(requested, but=0))
        failed: list[Asked] = server.ask("asked")
        server.ask("accept")
        server.ask("hold")
        wait_for(lambda: server.ask("in_flight") == 1)
        waiting = wait_for(lambda: postponed(requested, but=1))
        most = server.ask("most_in_flight")
        server.ask("release")
        processing = finished(requested)

    asked: list[Asked] = server.ask("asked")
    assert 5 <= len(failed) < (processing.total_chunks or 0)
    assert most == 1
    assert {chunk.error_code for chunk in waiting} <= {"breaker_open", "provider_unavailable"}
    assert Counter(one.status for one in asked)[200] == processing.total_chunks
    assert has_breaker_status(CircuitStatus.CLOSED)
    assert processing.status == ProcessingStatus.COMPLETED
    assert text(requested) == audio.text


def postponed(requested: TranscriptRequest, *, but: int) -> list[ChunkTask]:
    """Return the chunks that wait for a time, once these are all that were cut but so many."""
    scheduled = [one for one in chunks(requested) if one.status == JobStatus.SCHEDULED]
    return scheduled if len(scheduled) == len(chunks(requested)) - but else []


def test_what_a_provider_refuses_is_heard_by_the_next_engine_of_the_workspace(
    audio: ScriptedAudio, serve: Serve
) -> None:
    server, spare = serve(), serve("spare")
    server.ask("refuse", 401, 1_000, ABOUT)

    with two_workers():
        requested = request(audio.path, workspace=workspace_asking("stub", "spare"))
        processing = finished(requested)

    heard_by_spare = [one for one in chunks(requested) if one.engine == "spare"]
    assert [one.start_seconds <= ABOUT < one.end_seconds for one in heard_by_spare] == [True]
    assert len(spare.ask("asked")) == 1
    assert {one.engine for one in chunks(requested)} == {"stub", "spare"}
    assert processing.status == ProcessingStatus.COMPLETED
    assert text(requested) == audio.text


def test_an_engine_here_hears_what_a_provider_refuses_to_anybody_with_our_key(
    serve: Serve,
) -> None:
    server = serve()
    server.ask("refuse", 401)

    with worker_pool(concurrency=1, ENGINE="sphinx"):
        requested = request(
            LESSON, workspace=workspace_asking("stub", "sphinx"), chunk_seconds=30.0
        )
        processing = finished(requested)

    assert {one.engine for one in chunks(requested)} == {"sphinx"}
    assert processing.status == ProcessingStatus.COMPLETED
    assert text(requested) == normalized(LESSON.with_suffix(".txt").read_text())


def test_without_another_engine_a_refused_chunk_is_a_gap_and_a_retry_asks_for_it_alone(
    audio: ScriptedAudio, serve: Serve
) -> None:
    server = serve()
    server.ask("refuse", 401, 1_000, ABOUT)

    with two_workers():
        requested = request(audio.path)
        partial = finished(requested)
        gap = ChunkTask.objects.of(partial.pk).failed().get()
        transcript = Transcript.objects.get(pk=requested.transcript.pk)
        asked_before = len(server.ask("asked"))
        server.ask("accept")
        again = retry_gaps(transcript)
        completed = finished(again)

    asked: list[Asked] = server.ask("asked")
    assert partial.status == ProcessingStatus.PARTIAL
    assert [one["start"] for one in transcript.gaps] == [gap.start_seconds]
    assert transcript.gaps[0]["reason"].startswith("provider_unauthorized: ")
    assert asked_before == partial.total_chunks
    assert [one.start for one in asked[asked_before:]] == [gap.start_sample / SAMPLE_RATE]
    assert completed.status == ProcessingStatus.COMPLETED
    assert text(requested) == audio.text


def test_a_cancelled_run_is_over_at_once_and_nothing_more_is_sent(
    audio: ScriptedAudio, serve: Serve
) -> None:
    server = serve(MAX_CONCURRENCY=4)
    server.ask("hold")

    with two_workers() as pool:
        requested = request(audio.path)
        wait_for(lambda: server.ask("in_flight") == 4)
        wait_for(lambda: total_chunks(requested))
        cancelled_at = time.monotonic()
        cancel_processing(requested.processing)
        processing = finished(requested)
        took = time.monotonic() - cancelled_at
        server.ask("release")
        wait_for(lambda: server.ask("in_flight") == 0)
        code = pool.stop()

    assert code == 0
    assert took < 2.0
    assert processing.status == ProcessingStatus.CANCELLED
    assert len(server.ask("asked")) == 4
    assert {one.status for one in chunks(requested)} == {JobStatus.CANCELLED}


def test_a_worker_killed_with_several_chunks_at_a_provider_loses_none(
    audio: ScriptedAudio, serve: Serve
) -> None:
    server = serve(MAX_CONCURRENCY=20)
    server.ask("hold")

    with two_workers() as pool:
        requested = request(audio.path)
        wait_for(lambda: server.ask("in_flight") == total_chunks(requested))
        held = Counter(
            ChunkTask.objects.of(requested.processing.pk)
            .filter(status=JobStatus.PROCESSING)
            .values_list("worker__pid", flat=True)
        )
        victim, held_count = held.most_common(1)[0]
        assert victim in pool.worker_pids
        os.kill(victim, signal.SIGKILL)
        server.ask("release")
        processing = finished(requested)

    crashed = [one.crash_count for one in chunks(requested) if one.crash_count]
    assert held_count >= 2
    assert crashed == [1] * held_count
    assert processing.status == ProcessingStatus.COMPLETED
    assert processing.completed_chunks == processing.total_chunks
    assert text(requested) == audio.text


def test_a_stopped_pool_waits_for_the_answers_that_are_on_their_way(
    audio: ScriptedAudio, serve: Serve
) -> None:
    server = serve(MAX_CONCURRENCY=6, seconds_per_clip=2.0)

    with two_workers() as pool:
        requested = request(audio.path)
        wait_for(lambda: total_chunks(requested))
        wait_for(lambda: server.ask("in_flight") == 6)
        told_at = time.monotonic()
        code = pool.stop()
        took = time.monotonic() - told_at

        completed = [one for one in chunks(requested) if one.status == JobStatus.COMPLETED]
        assert code == 0
        assert took < 10.0
        assert len(completed) == len(server.ask("asked"))
        assert not ChunkTask.objects.filter(status=JobStatus.PROCESSING).exists()
        with two_workers():
            assert finished(requested).status == ProcessingStatus.COMPLETED
    assert text(requested) == audio.text


def test_a_stopped_pool_gives_back_what_a_provider_does_not_answer(
    audio: ScriptedAudio, serve: Serve
) -> None:
    server = serve(MAX_CONCURRENCY=20)
    server.ask("hold")

    with two_workers() as pool:
        requested = request(audio.path)
        wait_for(lambda: server.ask("in_flight") == total_chunks(requested))
        told_at = time.monotonic()
        code = pool.stop()
        took = time.monotonic() - told_at

        given_back = chunks(requested)
        assert code == 0
        assert took < 13.0
        assert {one.status for one in given_back} == {JobStatus.QUEUED}
        assert {failures(one) for one in given_back} == {0}
        server.ask("release")
        with two_workers():
            assert finished(requested).status == ProcessingStatus.COMPLETED
    assert text(requested) == audio.text


def test_what_was_heard_so_far_grows_while_a_run_goes_on(
    audio: ScriptedAudio, serve: Serve
) -> None:
    server = serve(MAX_CONCURRENCY=3)
    server.ask("hold")

    with two_workers():
        requested = request(audio.path)
        first = heard_after(3, requested, server)
        second = heard_after(3, requested, server)
        server.ask("release")
        finished(requested)

    assert 0 < len(first) < len(second) < len(audio.script)
    assert set(first) < set(second) < set(audio.text.split())
    assert text(requested) == audio.text


def heard_after(count: int, requested: TranscriptRequest, server: Remote) -> list[str]:
    """Let so many more chunks be answered, and return the words that are there then.

    Without those broken at the edge of a chunk whose neighbour, which has them whole, is not
    heard yet.
    """
    completed = ChunkTask.objects.of(requested.processing.pk).completed()
    wanted = completed.count() + count
    server.ask("allow", count)
    wait_for(lambda: completed.count() == wanted)
    so_far = heard_so_far(ProcessingTask.objects.get(pk=requested.processing.pk))
    assert {gap["reason"] for gap in so_far.gaps} == {"not heard yet"}
    words = [word["word"] for segment in so_far.segments for word in segment["words"]]
    return [word for word in words if not word.endswith("~")]
