"""What the pipeline adds to the answers of a provider: many chunks, each answered in a second.

``REMOTE_THREADS`` requests of each of two workers are just as many as the provider allows, so the
chunks cannot be heard in less than ``CHUNKS / AT_ONCE`` seconds. The clock runs from the commit
of the chunks, which workers that have nothing to do wait for, to the end of the last of them.

What a chunk costs outside its engine is told twice. Alone, it is what the pipeline does for it;
that is limited. One of many it also waits for others, which end at the same moment, because all
answers take just as long: for its worker's interpreter, which the chunks at its side need just
then, and for a processor, which this server, PostgreSQL and Redis need, too. What all of them lose
by that is in the total, which is limited.
"""

import asyncio
import json
import os
import re
import tempfile
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean

import numpy as np
import psutil
from django.conf import settings
from django.db import transaction

from config import env
from jobs.models import Job
from processing.choices import REMOTE_CHUNK_QUEUE, ProcessingStatus
from processing.engines.base import SAMPLE_RATE
from processing.models import ChunkTask, ProcessingTask, Workspace
from processing.services.inputs.ingestion import store_recording
from processing.services.planner import plan
from processing.services.requesting import request_transcript
from tests.audio import make_script, samples_of
from tests.bench.cache.processes import Remote
from tests.bench.table import Row, Table
from tests.processes import WorkerPool, worker_pool
from tests.waiting import wait_for

NAME = "punctual"
ANSWER_SECONDS = 1.0
WORKERS = 2
AT_ONCE = 20
CHUNKS = 200

#: The shortest chunks that are cut for providers; the last second of each is silent.
CHUNK_SECONDS = 20
SPEECH_SECONDS = 19.0

#: Chunks that are heard one after the other.
ALONE_CHUNKS = 5

#: Chunks after which a worker has connected to everything and knows how long a chunk takes.
WARM_UP_CHUNKS = 60

#: Wall time over the ideal one; and the mean time from the claim of a chunk to its end, without the
#: engine's: of waiting for a thread, of the cache, of the record of what was heard.
LIMIT = 1.10
OUTSIDE_LIMIT_MS = 25.0

#: How often to look whether a run is over: looking costs what the workers could use.
LOOK_SECONDS = 0.1

#: A worker's settings as an installation has them.
ORDINARY = {"LEASE_SECONDS": "10", "HEARTBEAT_SECONDS": "2", "SWEEP_SECONDS": "5"}


class PunctualProvider:
    """Answers each request ``ANSWER_SECONDS`` after the last byte of it, whatever it was.

    It hears a word every 0.4 s, so that nothing in a clip seems to have been missed.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0)
        server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        self._port = server.sockets[0].getsockname()[1]
        self._answer = _answer()
        self._count = 0

    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def count(self) -> int:
        """Return how many requests were answered."""
        return self._count

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break  # the client closed its connection
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            assert length is not None
            await reader.readexactly(int(length[1]))
            await asyncio.sleep(ANSWER_SECONDS)
            writer.write(self._answer)
            self._count += 1
        writer.close()


def _answer() -> bytes:
    times = np.arange(0, CHUNK_SECONDS, 0.4).tolist()
    words = [{"word": "tick", "start": at, "end": at + 0.2} for at in times]
    body = json.dumps({"text": "tick " * len(words), "words": words}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def bench_providers(table: Table) -> None:
    with (
        Remote(PunctualProvider) as provider,
        tempfile.TemporaryDirectory() as directory,
        workers_for(provider) as pool,
    ):
        fan_out(recording(Path(directory) / "warm-up.wav", WARM_UP_CHUNKS, seed=1), WARM_UP_CHUNKS)
        path = recording(Path(directory) / "measured.wav", CHUNKS, seed=2)
        processes = [psutil.Process(pid) for pid in pool.worker_pids]
        cpu_before, count_before = cpu_seconds(processes), provider.ask("count")
        seconds, run = fan_out(path, CHUNKS)
        cpu = cpu_seconds(processes) - cpu_before
        asked = provider.ask("count") - count_before
        alone = [
            fan_out(recording(Path(directory) / "alone.wav", 1, seed=seed), 1)[1]
            for seed in range(WARM_UP_CHUNKS, WARM_UP_CHUNKS + ALONE_CHUNKS)
        ]
    assert asked == CHUNKS, f"{asked} requests for {CHUNKS} chunks"
    ideal = CHUNKS / AT_ONCE * ANSWER_SECONDS
    name = f"{CHUNKS} answers of {ANSWER_SECONDS:g} s, {AT_ONCE} at once, {WORKERS} workers"
    table.add(Row(f"{name}, / ideal", seconds, ideal, "s", LIMIT))
    for kind, runs, limit in (("alone", alone, 1.0), (f"one of {AT_ONCE}", [run], None)):
        chunks = ChunkTask.objects.filter(processing__in=runs)
        outside = 1000 * mean(map(seconds_outside, chunks))
        table.add(
            Row(f"a chunk, {kind}, outside its engine", outside, OUTSIDE_LIMIT_MS, "ms", limit)
        )
    spent = 1000 * cpu / CHUNKS
    table.add(Row("a chunk, a worker's CPU / its answer", spent, 1000 * ANSWER_SECONDS, "ms"))


@contextmanager
def workers_for(provider: Remote) -> Iterator[WorkerPool]:
    """Run workers that have nothing to do but ask the provider, which is an engine from now on."""
    variables = {
        "PROVIDERS": NAME,
        f"{NAME.upper()}_BASE_URL": provider.ask("url"),
        f"{NAME.upper()}_MODEL": "tick",
        f"{NAME.upper()}_MAX_CONCURRENCY": str(AT_ONCE),
        "REMOTE_THREADS": str(AT_ONCE // WORKERS),
    }
    os.environ |= variables
    settings.PROVIDERS[NAME] = env.provider(NAME)
    own = {"DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"], **ORDINARY}
    arguments = ("--queues", REMOTE_CHUNK_QUEUE, "--concurrency", str(WORKERS))
    with worker_pool(*arguments, concurrency=WORKERS - 1, **own) as pool:
        yield pool


def recording(path: Path, chunk_count: int, *, seed: int) -> Path:
    """Write speech with a pause after every ``CHUNK_SECONDS``, no two stretches of it the same."""
    random = np.random.default_rng(seed)
    words = samples_of(make_script(SPEECH_SECONDS), CHUNK_SECONDS)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        for _ in range(chunk_count):
            file.writeframes((words + random.integers(0, 2, len(words), np.int16)).tobytes())
    return path


def fan_out(path: Path, chunk_count: int) -> tuple[float, ProcessingTask]:
    """Have a recording heard; return the seconds from the commit of its chunks to their end."""
    with path.open("rb") as file:
        recorded, _ = store_recording(
            source=file, name=path.name, workspace=Workspace.objects.default()
        )
    with transaction.atomic():  # all chunks at once, or the first would be done before the last
        requested = request_transcript(recording=recorded, engine=NAME, language="en")
        run = ProcessingTask.objects.get(pk=requested.processing.pk)
        ProcessingTask.objects.filter(pk=run.pk).update(chunk_seconds=CHUNK_SECONDS)
        plan(Job.objects.about(requested.transcript.pk).get())
        ready_at = time.time()
    chunks = ChunkTask.objects.of(run.pk)
    wait_for(lambda: has_ended(run), seconds=300, every=LOOK_SECONDS)
    assert chunks.completed().count() == chunk_count
    last = chunks.order_by("-completed_at")[0].completed_at
    assert last is not None
    return last.timestamp() - ready_at, run


def seconds_outside(chunk: ChunkTask) -> float:
    """Return how long a chunk was a worker's, without the time at its engine."""
    assert chunk.started_at is not None
    assert chunk.completed_at is not None
    assert chunk.busy_seconds is not None
    return (chunk.completed_at - chunk.started_at).total_seconds() - chunk.busy_seconds


def has_ended(run: ProcessingTask) -> bool:
    """Whether all chunks are settled; nobody is there to join them."""
    return ProcessingTask.objects.get(pk=run.pk).status not in (
        ProcessingStatus.SPLITTING,
        ProcessingStatus.PROCESSING,
    )


def cpu_seconds(processes: list[psutil.Process]) -> float:
    return sum(one.cpu_times().user + one.cpu_times().system for one in processes)
