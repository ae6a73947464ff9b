"""``make bench-transcribe``: the main job against a bare process pool and its own limits.

Everything runs on an installation of its own in a temporary folder. The 10-minute recording is
the bundled one looped, with noise of one bit so that no chunk is like another; the 10-hour one
is the same again, heard by an engine that costs nothing.
"""

import base64
import http.client
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(tempfile.mkdtemp(prefix="longhand-bench-"))
os.environ["LONGHAND_VAR"] = str(ROOT / "var")
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.settings"
os.environ.pop("DATABASE_URL", None)
os.environ.pop("REDIS_URL", None)

import django  # noqa: E402  after the environment it reads

from config import embedded  # noqa: E402

embedded.hold()
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402

from jobs.models import Worker  # noqa: E402
from processing.audio.decode import decode, decode_all  # noqa: E402
from processing.audio.splitter import PauseSplitter  # noqa: E402
from processing.choices import ProcessingStatus  # noqa: E402
from processing.engines.base import SAMPLE_RATE, AudioClip  # noqa: E402
from processing.engines.registry import get_engine  # noqa: E402
from processing.models import ChunkTask, ProcessingTask, Workspace  # noqa: E402
from processing.services.inputs.ingestion import store_recording  # noqa: E402
from processing.services.requesting import request_transcript  # noqa: E402
from tests.bench.table import Row, Table  # noqa: E402
from tests.waiting import wait_for  # noqa: E402

PROJECT = Path(__file__).resolve().parent.parent.parent
DEMO = PROJECT / "processing" / "demo" / "longhand.flac"
PORT = 18_765

#: How often to look whether a run is over: looking costs what the workers could use.
LOOK_SECONDS = 0.25


@cache
def demo_samples() -> "np.ndarray[tuple[int, ...], np.dtype[np.int16]]":
    return decode_all(DEMO.read_bytes())


def looped_wav(path: Path, seconds: int, *, seed: int) -> Path:
    """Write the bundled recording over and over, no two loops the same."""
    random = np.random.default_rng(seed)
    left = seconds * SAMPLE_RATE
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        while left > 0:
            samples = demo_samples()[:left]
            noise = random.integers(0, 2, len(samples), dtype=np.int16)
            file.writeframes((samples + noise).tobytes())
            left -= len(samples)
    return path


@contextmanager
def workers(count: int, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a pool and yield once its workers are there."""
    running = Worker.objects.live().count()
    with subprocess.Popen(
        [sys.executable, "manage.py", "work", "--concurrency", str(count)],
        cwd=PROJECT,
        env=os.environ | {"LOG_LEVEL": "WARNING"} | env,
    ) as process:
        try:
            wait_for(lambda: Worker.objects.live().count() > running + count)
            yield process
        finally:
            process.terminate()


def measure_run(path: Path, worker_count: int) -> tuple[float, ProcessingTask]:
    """Return the seconds from request to COMPLETED with workers that wait for work."""
    with workers(worker_count):
        with path.open("rb") as file:
            recording, _ = store_recording(
                source=file, name=path.name, workspace=Workspace.objects.default()
            )
        started = time.monotonic()
        processing = request_transcript(recording=recording).processing
        wait_for(
            lambda: not ProcessingTask.objects.get(pk=processing.pk).is_active,
            seconds=3600,
            every=LOOK_SECONDS,
        )
        elapsed = time.monotonic() - started
    processing.refresh_from_db()
    assert processing.status == ProcessingStatus.COMPLETED, processing.error_message
    return elapsed, processing


def _hear(samples: bytes) -> int:
    clip = AudioClip(np.frombuffer(samples, np.int16))
    speech = get_engine("sphinx").transcribe(clip, language="en", parameters={})
    return sum(len(segment.words) for segment in speech.segments)


def measure_pool(path: Path, chunk_seconds: float) -> float:
    """Return the seconds a bare Pool(2) takes for the same chunks with the same engine."""
    with path.open("rb") as file:
        chunks = [c.samples.tobytes() for c in PauseSplitter(chunk_seconds).split(decode(file))]
    get_engine("sphinx").load()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(int, range(2))
        started = time.monotonic()
        pool.map(_hear, chunks, chunksize=1)
        return time.monotonic() - started


def bench_parallel(table: Table) -> None:
    paths = [looped_wav(ROOT / f"ten-minutes-{n}.wav", 600, seed=n) for n in range(2)]
    two, processing = measure_run(paths[0], 2)
    pool = measure_pool(paths[0], processing.chunk_seconds or 0.0)
    one, _ = measure_run(paths[1], 1)
    table.add(Row("10 min, 2 workers / bare Pool(2), same chunks", two, pool, "s", 1.10))
    table.add(Row("10 min, 1 worker / 2 workers", one, two, "s", 1.80, is_less_better=False))


def peak_mb(process: psutil.Process) -> float:
    """Return the most memory a process ever had resident, in MB (10**6 bytes)."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("no VmHWM")


def upload(path: Path, authorization: str) -> tuple[str, float]:
    """POST a file as multipart, streamed; return its transcript's id and when it was sent."""
    head = (
        b'--bench\r\nContent-Disposition: form-data; name="engine"\r\n\r\nmetronome\r\n'
        b'--bench\r\nContent-Disposition: form-data; name="file"; filename="long.wav"\r\n'
        b"Content-Type: audio/wav\r\n\r\n"
    )
    tail = b"\r\n--bench--\r\n"
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=600)
    connection.putrequest("POST", "/api/v1/recordings/")
    connection.putheader("Authorization", authorization)
    connection.putheader("Content-Type", "multipart/form-data; boundary=bench")
    connection.putheader("Content-Length", str(len(head) + path.stat().st_size + len(tail)))
    connection.endheaders()
    connection.send(head)
    with path.open("rb") as file:
        connection.send(file)
    connection.send(tail)
    sent = time.time()
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 201, (answer.status, body[:500])
    return json.loads(body)["transcript"]["id"], sent


@contextmanager
def web(authorized: str) -> Iterator[psutil.Process]:
    name, password = authorized.split(":")
    get_user_model().objects.create_superuser(name, password=password)
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{PORT}"),
            *("--worker-class", "gthread", "--threads", "4", "--timeout", "600"),
            *("--log-level", "warning"),
        ],
        cwd=PROJECT,
    ) as process:
        try:
            wait_for(lambda: psutil.Process(process.pid).children())
            wait_for(_answers)
            yield psutil.Process(process.pid).children()[0]
        finally:
            process.terminate()


def _answers() -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
    try:
        connection.request("GET", "/admin/login/")
        return connection.getresponse().status == 200
    except OSError:
        return False


def bench_ten_hours(table: Table) -> None:
    path = looped_wav(ROOT / "ten-hours.wav", 10 * 3600, seed=7)
    login = "bench:bench-password"
    with web(login) as server, workers(2, ENGINE="metronome") as pool:
        authorization = "Basic " + base64.b64encode(login.encode()).decode()
        transcript_id, sent = upload(path, authorization)
        processing = ProcessingTask.objects.get(transcript_id=transcript_id)
        chunks = ChunkTask.objects.of(processing.pk).exclude(started_at=None)
        first = wait_for(lambda: chunks.order_by("started_at").first())
        assert first is not None
        assert first.started_at is not None
        wait_for(
            lambda: not ProcessingTask.objects.get(pk=processing.pk).is_active,
            seconds=3600,
            every=LOOK_SECONDS,
        )
        web_mb = peak_mb(server)
        worker_mb = max(peak_mb(child) for child in psutil.Process(pool.pid).children())
        supervisor_mb = peak_mb(psutil.Process(pool.pid))
    processing.refresh_from_db()
    assert processing.status == ProcessingStatus.COMPLETED, processing.error_message
    assert processing.completed_at is not None
    finished = processing.completed_at.timestamp() - sent
    chunk_count = processing.total_chunks
    sys.stderr.write(f"10 h: {chunk_count} chunks, done {finished:.1f} s after the upload\n")
    started = first.started_at.timestamp() - sent
    table.add(Row("10 h, first chunk starts after the upload", started, 3.0, "s", 1.0))
    table.add(Row("10 h, peak memory of the web process", web_mb, 300.0, "MB", 1.0))
    table.add(Row("10 h, peak memory of a worker", worker_mb, 300.0, "MB", 1.0))
    table.add(Row("10 h, peak memory of the supervisor", supervisor_mb, 300.0, "MB", 1.0))


def bench_demo(table: Table) -> None:
    clone = ROOT / "clone"
    subprocess.run(
        ["/usr/bin/env", "git", "clone", "--quiet", str(PROJECT), str(clone)], check=True
    )
    environment = {k: v for k, v in os.environ.items() if k not in OURS}
    seconds = []
    for _ in range(2):
        started = time.monotonic()
        subprocess.run(
            ["/usr/bin/env", "make", "demo"],
            cwd=clone,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds.append(time.monotonic() - started)
    table.add(Row("make demo in a fresh clone, installing included", seconds[0], 180.0, "s", 1.0))
    table.add(Row("make demo again", seconds[1], 20.0, "s", 1.0))


#: What this benchmark set for itself and a fresh clone must not see.
OURS = ("LONGHAND_VAR", "DJANGO_SETTINGS_MODULE")


def main() -> None:
    call_command("migrate", verbosity=0)
    table = Table()
    wanted = sys.argv[1:] or list(BENCHES)
    try:
        for name in wanted:
            BENCHES[name](table)
    finally:
        shutil.rmtree(ROOT, ignore_errors=True)
    table.finish()


BENCHES = {"parallel": bench_parallel, "ten_hours": bench_ten_hours, "demo": bench_demo}

if __name__ == "__main__":
    main()
