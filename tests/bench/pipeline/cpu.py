"""What an hour of audio costs our processors when hearing it costs nothing."""

import os
import sys
import tempfile
from pathlib import Path

import psutil

from processing.choices import CHUNK_QUEUE, TRANSCRIPTION_QUEUE, ProcessingStatus
from processing.models import ProcessingTask, Workspace
from processing.services.inputs.ingestion import store_recording
from processing.services.requesting import request_transcript
from tests.bench.pipeline.providers import (
    CHUNK_SECONDS,
    LOOK_SECONDS,
    ORDINARY,
    cpu_seconds,
    recording,
)
from tests.bench.pipeline.splitting import REAL_TIMES
from tests.bench.table import Row, Table
from tests.processes import WorkerPool, worker_pool
from tests.waiting import wait_for

#: Hears a word every 0.4 s of whatever it is given, at once.
ENGINE = "metronome"
SECONDS = 3_600


def bench_cpu(table: Table) -> None:
    own = {"DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"], "ENGINE": ENGINE}
    queues = ("--queues", TRANSCRIPTION_QUEUE, CHUNK_QUEUE)
    with (
        tempfile.TemporaryDirectory() as directory,
        worker_pool(*queues, concurrency=2, **ORDINARY, **own) as pool,
    ):
        transcribe(recording(Path(directory) / "warm-up.wav", 30, seed=3))
        path = recording(Path(directory) / "hour.wav", SECONDS // CHUNK_SECONDS, seed=4)
        before = cpu_seconds(processes_of(pool))
        run = transcribe(path)
        spent = cpu_seconds(processes_of(pool)) - before
    name = "an hour cut, stored, heard at no cost and joined, one core"
    table.add(Row(name, SECONDS / spent, REAL_TIMES, "x", 1.0, is_less_better=False))
    sys.stderr.write(f"{run.total_chunks} chunks took {spent:.2f} s of CPU\n")


def transcribe(path: Path) -> ProcessingTask:
    """Have a recording heard, and return the run once it is over."""
    with path.open("rb") as file:
        stored, _ = store_recording(
            source=file, name=path.name, workspace=Workspace.objects.default()
        )
    requested = request_transcript(recording=stored, engine=ENGINE, language="en")
    runs = ProcessingTask.objects.filter(pk=requested.processing.pk)
    wait_for(lambda: not runs.get().is_active, seconds=300, every=LOOK_SECONDS)
    run = runs.get()
    assert run.status == ProcessingStatus.COMPLETED, run.error_message
    return run


def processes_of(pool: WorkerPool) -> list[psutil.Process]:
    """Return the supervisor and its workers."""
    return [psutil.Process(pid) for pid in (pool.process.pid, *pool.worker_pids)]
