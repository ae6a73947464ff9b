"""A database of an older release, after it was migrated."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from processing.choices import ProcessingStatus
from processing.engines.base import SAMPLE_RATE
from processing.models import ChunkTask, ProcessingTask
from processing.services.hearing import speech_of, text_of
from processing.services.joining import heard_so_far

pytestmark = pytest.mark.django_db

BEFORE = ("processing", "0003_ids_in_order_of_time")

#: Two segments, as chunks had them before they were objects.
OLD_RESULT = [[["so", 0.1, 0.3, 0.9], ["it", 0.4, 0.5, None]], [["was", 0.7, 0.9, 0.5]]]


def migrate(*targets: tuple[str, str]) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate(list(targets) or executor.loader.graph.leaf_nodes())
    return executor.loader.project_state(list(targets)).apps if targets else None


@pytest.fixture(scope="module", autouse=True)
def _migrated(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Fill the tables as they were, and migrate them, once: each time takes some seconds."""
    with django_db_blocker.unblock():
        try:
            old = migrate(BEFORE)
            for fill in (heard, failed, over, going_on):
                fill(old)
        finally:
            migrate()
            connection.close()
    yield
    with django_db_blocker.unblock():
        call_command("flush", verbosity=0, interactive=False)


def run_now(name: str) -> ProcessingTask:
    """Return what became of the run in the workspace of this name."""
    return ProcessingTask.objects.get(transcript__recording__workspace__slug=name)


def run_of_old(old: Any, name: str, **fields: Any) -> Any:
    """Return a run of an older release over 2 s of audio, in a workspace of this name."""
    model = old.get_model
    workspace = model("processing", "Workspace").objects.create(name=name, slug=name)
    recording = model("processing", "Recording").objects.create(
        workspace=workspace,
        name="old.wav",
        file=f"recordings/{name}",
        sha256="0" * 64,
        size_bytes=1,
        container="wav",
        codec="pcm_s16le",
        sample_rate=SAMPLE_RATE,
        channels=1,
        duration_seconds=2.0,
    )
    transcript = model("processing", "Transcript").objects.create(
        recording=recording,
        engine="sphinx",
        language="en",
        cache_key=f"transcript:{name}",
        text="so it was",
        duration_seconds=2.0,
    )
    return model("processing", "ProcessingTask").objects.create(
        transcript=transcript,
        total_chunks=2,
        total_samples=2 * SAMPLE_RATE,
        chunk_seconds=1.0,
        **fields,
    )


def chunk_of_old(old: Any, run: Any, index: int, **fields: Any) -> None:
    old.get_model("processing", "ChunkTask").objects.create(
        processing=run,
        queue_name="chunks",
        index=index,
        start_sample=index * SAMPLE_RATE,
        core_start_sample=index * SAMPLE_RATE,
        core_end_sample=(index + 1) * SAMPLE_RATE,
        end_sample=(index + 1) * SAMPLE_RATE,
        cache_key=f"chunk:{run.pk}:{index}",
        **fields,
    )


def completed(result: Any) -> dict[str, Any]:
    return {"status": "COMPLETED", "completed_at": timezone.now(), "result": result}


def heard(old: Any) -> None:
    run = run_of_old(old, "heard", status="COMPLETED", completed_at=timezone.now())
    chunk_of_old(old, run, 0, **completed(OLD_RESULT))
    chunk_of_old(old, run, 1, **completed([]))


def test_what_chunks_had_heard_reads_as_it_was_said() -> None:
    run = run_now("heard")

    first, second = ChunkTask.objects.of(run.pk).in_order()
    assert [[word.word for word in s.words] for s in speech_of(first.result or {}).segments] == [
        ["so", "it"],
        ["was"],
    ]
    assert text_of(second.result or {}) == ""
    segments = heard_so_far(run).segments
    assert [(s["text"], s["start"]) for s in segments] == [("so it", 0.1), ("was", 0.7)]
    assert segments[0]["words"][1] == {"word": "it", "start": 0.4, "end": 0.5, "confidence": None}


def failed(old: Any) -> None:
    run = run_of_old(old, "failed", status="PROCESSING")
    chunk_of_old(old, run, 0)
    chunk_of_old(old, run, 1, status="FAILED", completed_at=timezone.now(), error_code="error")


def test_chunks_know_their_engine_and_their_workspace() -> None:
    chunks = ChunkTask.objects.of(run_now("failed").pk).in_order()

    assert [(chunk.engine, chunk.workspace.slug) for chunk in chunks] == [("sphinx", "failed")] * 2
    assert [(chunk.result, chunk.channel, chunk.loudness) for chunk in chunks] == [
        (None, None, b"")
    ] * 2


def over(old: Any) -> None:
    ended = {"status": "COMPLETED", "completed_at": timezone.now()}
    run_of_old(old, "over", done_samples=2 * SAMPLE_RATE, **ended)


def test_transcripts_and_runs_are_as_they_were() -> None:
    run = run_now("over")

    transcript = run.transcript
    assert (transcript.text, transcript.heard_language, transcript.seams) == ("so it was", "", [])
    assert (run.status, run.progress) == (ProcessingStatus.COMPLETED, 1.0)
    assert run.max_concurrent_chunks is None
    assert transcript.workspace == transcript.recording.workspace
    assert transcript.status == run.status
    assert transcript.workspace.engines == []


def going_on(old: Any) -> None:
    run = run_of_old(old, "going-on", status="PROCESSING")
    lease = {"status": "PROCESSING", "attempt": 1, "lease_expires_at": timezone.now()}
    chunk_of_old(old, run, 0, **lease)


def test_a_run_that_goes_on_meanwhile_is_not_handed_to_other_engines() -> None:
    run = run_now("going-on")
    chunk = ChunkTask.objects.of(run.pk).get()
    chunk.workspace.engines = ["sphinx", "scripted"]
    chunk.workspace.save()

    ChunkTask.objects.fail(chunk, code="provider_refused", message="")

    run.refresh_from_db()
    assert run.failed_chunks == 1
