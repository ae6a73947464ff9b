"""A database of an older release, after it was migrated."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from processing.choices import ProcessingStatus
from processing.engines.base import SAMPLE_RATE
from processing.models import ChunkTask, ProcessingTask, Transcript
from processing.services.hearing import speech_of, text_of
from processing.services.joining import heard_so_far

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = ("processing", "0003_ids_in_order_of_time")

#: Two segments, as chunks had them before they were objects.
OLD_RESULT = [[["so", 0.1, 0.3, 0.9], ["it", 0.4, 0.5, None]], [["was", 0.7, 0.9, 0.5]]]


def migrate(*targets: tuple[str, str]) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate(list(targets) or executor.loader.graph.leaf_nodes())
    return executor.loader.project_state(list(targets)).apps if targets else None


@pytest.fixture
def old() -> Iterator[Any]:
    """The models as they were, over their tables as they were; all is as it is now after it."""
    try:
        yield migrate(BEFORE)
    finally:
        migrate()
        connection.close()


def run_of_old(old: Any, **fields: Any) -> Any:
    """Return a run of an older release over 2 s of audio."""
    model = old.get_model
    workspace = model("processing", "Workspace").objects.create(name="Old", slug="old")
    recording = model("processing", "Recording").objects.create(
        workspace=workspace,
        name="old.wav",
        file="recordings/old",
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
        cache_key="transcript:old",
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
        cache_key=f"chunk:{index}",
        **fields,
    )


def completed(result: Any) -> dict[str, Any]:
    return {"status": "COMPLETED", "completed_at": timezone.now(), "result": result}


def test_what_chunks_had_heard_reads_as_it_was_said(old: Any) -> None:
    run = run_of_old(old, status="COMPLETED", completed_at=timezone.now())
    chunk_of_old(old, run, 0, **completed(OLD_RESULT))
    chunk_of_old(old, run, 1, **completed([]))

    migrate()

    first, second = ChunkTask.objects.in_order()
    assert [[word.word for word in s.words] for s in speech_of(first.result or {}).segments] == [
        ["so", "it"],
        ["was"],
    ]
    assert text_of(second.result or {}) == ""
    segments = heard_so_far(ProcessingTask.objects.get()).segments
    assert [(s["text"], s["start"]) for s in segments] == [("so it", 0.1), ("was", 0.7)]
    assert segments[0]["words"][1] == {"word": "it", "start": 0.4, "end": 0.5, "confidence": None}


def test_chunks_know_their_engine_and_their_workspace(old: Any) -> None:
    run = run_of_old(old, status="PROCESSING")
    chunk_of_old(old, run, 0)
    chunk_of_old(old, run, 1, status="FAILED", completed_at=timezone.now(), error_code="error")

    migrate()

    chunks = ChunkTask.objects.in_order()
    assert [(chunk.engine, chunk.workspace.slug) for chunk in chunks] == [("sphinx", "old")] * 2
    assert [(chunk.result, chunk.channel, chunk.loudness) for chunk in chunks] == [
        (None, None, b"")
    ] * 2


def test_transcripts_and_runs_are_as_they_were(old: Any) -> None:
    run_of_old(old, status="COMPLETED", completed_at=timezone.now(), done_samples=2 * SAMPLE_RATE)

    migrate()

    transcript, run = Transcript.objects.get(), ProcessingTask.objects.get()
    assert (transcript.text, transcript.heard_language, transcript.seams) == ("so it was", "", [])
    assert (run.status, run.progress) == (ProcessingStatus.COMPLETED, 1.0)
    assert run.max_concurrent_chunks is None
    assert run.transcript.recording.workspace.engines == []


def test_a_run_that_goes_on_meanwhile_is_not_handed_to_other_engines(old: Any) -> None:
    run = run_of_old(old, status="PROCESSING")
    lease = {"status": "PROCESSING", "attempt": 1, "lease_expires_at": timezone.now()}
    chunk_of_old(old, run, 0, **lease)
    migrate()
    chunk = ChunkTask.objects.get()
    chunk.workspace.engines = ["sphinx", "scripted"]
    chunk.workspace.save()

    ChunkTask.objects.fail(chunk, code="provider_refused", message="")

    assert ProcessingTask.objects.get().failed_chunks == 1
