"""How fast a large recording is taken in, beside writing its bytes to the same disk."""

import hashlib
import http.client
import time
import wave
from pathlib import Path

import numpy as np
from django.conf import settings

from processing.models import Recording
from tests.bench.api.rows import Corpus, address
from tests.bench.api.web import HOST, web_server
from tests.bench.table import Row, Table

#: One that takes hours to speak, and one in which what every request costs weighs more.
SIZES_BYTES = (1024 * 1024**2, 256 * 1024**2)
ROUNDS = 4

#: The share of the speed of writing and hashing the larger file that ours has at least.
LIMIT = 0.8

BLOCK_BYTES = 1 << 20
#: As long as those of clients: the search for a shorter one takes longer.
BOUNDARY = "c0a1f5e2d94b47b88e7a3b1d6c2f9e04"


def bench_uploads(table: Table, corpus: Corpus) -> None:
    with web_server(address()) as port:
        for size_bytes, limit in zip(SIZES_BYTES, (LIMIT, None), strict=True):
            ours, theirs = speeds(size_bytes, port, corpus)
            figure = f"a recording of {size_bytes >> 20:,} MB, beside write and SHA-256"
            table.add(Row(figure, ours, theirs, "MB/s", limit, is_less_better=False))


def speeds(size_bytes: int, port: int, corpus: Corpus) -> tuple[float, float]:
    """Return how fast we take in a file of that size, and how fast it is written and hashed."""
    source = Path(settings.MEDIA_ROOT) / "source.wav"
    ours = theirs = 0.0
    for number in range(ROUNDS + 1):
        size_mb = write_wav(source, size_bytes, seed=number + size_bytes) / 1e6
        written, uploaded = write(source), upload(source, port, corpus.token)
        if number:  # the first is to warm up
            theirs += size_mb / written / ROUNDS
            ours += size_mb / uploaded / ROUNDS
    source.unlink()
    return ours, theirs


def write_wav(path: Path, size_bytes: int, *, seed: int) -> int:
    """Write noise that nobody has uploaded; return its size."""
    noise = np.random.default_rng(seed).integers(-8_000, 8_000, size_bytes // 2, np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(noise.tobytes())
    return path.stat().st_size


def write(source: Path) -> float:
    """Return how many seconds it takes to write a file where recordings are, and to hash it."""
    target = Path(settings.MEDIA_ROOT) / "written.wav"
    digest = hashlib.sha256()
    started = time.perf_counter()
    with source.open("rb") as file, target.open("wb") as copy:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            copy.write(block)
    seconds = time.perf_counter() - started
    target.unlink()
    return seconds


def upload(source: Path, port: int, token: str) -> float:
    """Return how many seconds it takes to upload a file, until it is answered."""
    head = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
        f'name="file"; filename="{source.name}"\r\nContent-Type: audio/wav\r\n\r\n'
    ).encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    connection = http.client.HTTPConnection(HOST, port, timeout=300, blocksize=BLOCK_BYTES)
    started = time.perf_counter()
    connection.putrequest("POST", "/api/v1/recordings/")
    connection.putheader("Authorization", f"Bearer {token}")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    connection.putheader("Content-Length", str(len(head) + source.stat().st_size + len(tail)))
    connection.endheaders(head)
    with source.open("rb") as file:
        connection.send(file)
    connection.send(tail)
    answer = connection.getresponse()
    body = answer.read()
    seconds = time.perf_counter() - started
    connection.close()
    assert answer.status == 201, (answer.status, body[:500])
    [recording] = Recording.objects.filter(name=source.name)
    Path(recording.file.path).unlink()
    Recording.objects.filter(pk=recording.pk).update(name="measured")
    return seconds
