"""How fast a recording is decoded and cut, and that its length costs no memory.

``python -m tests.bench.pipeline.splitting`` runs it alone; it needs no servers.
"""

import io
import multiprocessing
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from processing.audio.decode import decode
from processing.audio.splitter import PauseSplitter
from processing.engines.base import SAMPLE_RATE
from tests.audio import make_script, samples_of
from tests.bench.table import Row, Table

#: At least so many seconds of audio in a second of one processor.
REAL_TIMES = 200.0

#: What people upload: container, codec, sample rate, channels.
FORMATS = {
    "WAV, 16 kHz mono": ("wav", "pcm_s16le", SAMPLE_RATE, "mono"),
    "WAV, 44.1 kHz stereo": ("wav", "pcm_s16le", 44_100, "stereo"),
    "MP3, 44.1 kHz stereo": ("mp3", "libmp3lame", 44_100, "stereo"),
    "Opus, 48 kHz mono": ("ogg", "libopus", 48_000, "mono"),
}

#: What local and what remote engines get of a long recording; the longest hold the most.
TARGETS = (30.0, 600.0)

#: A recording to measure speed with, and how often.
SECONDS = 1_200
ROUNDS = 3

#: Recordings to measure memory with.
HOURS = (1, 10)
LIMIT_MB = 300.0
GROWTH_MB = 10.0


def loops(seconds: int) -> Iterator[NDArray[np.int16]]:
    """Yield a minute of words and pauses over and over."""
    minute = samples_of(make_script(60.0), 60.0)
    return (minute for _ in range(seconds // 60))


def encoded(name: str) -> bytes:
    """Return a recording as a file of that format."""
    container_name, codec, rate, layout = FORMATS[name]
    buffer = io.BytesIO()
    with av.open(buffer, mode="w", format=container_name) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        resampler = av.AudioResampler(
            format=stream.format.name,
            layout=layout,
            rate=rate,
            frame_size=stream.codec_context.frame_size or 4_096,
        )
        for samples in loops(SECONDS):
            frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
            frame.rate = SAMPLE_RATE
            for piece in resampler.resample(frame):
                container.mux(stream.encode(piece))
        for piece in resampler.resample(None):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def real_times(content: bytes, target: float) -> float:
    """Return how many seconds of audio a second of one processor decodes and cuts."""
    took = []
    for _ in range(ROUNDS):
        started = time.process_time()
        end = 0
        for cut in PauseSplitter(target).split(decode(io.BytesIO(content))):
            end = cut.core_end
        took.append(time.process_time() - started)
        assert abs(end / SAMPLE_RATE - SECONDS) < 1
    return SECONDS / median(took)


class Endless(io.RawIOBase):
    """A WAV file of so many hours that is nowhere: its bytes are made as they are read."""

    def __init__(self, hours: int) -> None:
        minute = samples_of(make_script(60.0), 60.0).tobytes()
        size = hours * 60 * len(minute)
        self._head = wav_head(size)
        self._minute = minute
        self._size = len(self._head) + size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        position, head = self._position, len(self._head)
        begin = (position - head) % len(self._minute)
        piece = self._head[position:] if position < head else self._minute[begin:]
        count = min(len(piece), len(buffer), max(self._size - position, 0))
        buffer[:count] = piece[:count]
        self._position += count
        return count


def wav_head(byte_count: int) -> bytes:
    """Return the header of a mono WAV file at ``SAMPLE_RATE`` with so many bytes of sound."""
    sound = struct.pack("<HHIIHH", 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    layout = (b"RIFF", 36 + byte_count, b"WAVE", b"fmt ", len(sound), sound, b"data", byte_count)
    return struct.pack("<4sI4s4sI16s4sI", *layout)


def peak_mb(hours: int) -> float:
    """Return the most memory this process had resident, in MB, once so many hours are cut."""
    file: Any = Endless(hours)
    end = 0
    for cut in PauseSplitter(TARGETS[-1]).split(decode(io.BufferedReader(file))):
        end = cut.core_end
    assert end == hours * 3600 * SAMPLE_RATE
    # Not ru_maxrss: a process begins with that of the one which started it.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def bench_splitting(table: Table) -> None:
    for name in FORMATS:
        content = encoded(name)
        for target in TARGETS:
            figure = f"decoded and cut at {target:g} s, one core: {name}"
            speed = real_times(content, target)
            table.add(Row(figure, speed, REAL_TIMES, "x", 1.0, is_less_better=False))
    peaks = []
    for hours in HOURS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            peaks.append(pool.apply(peak_mb, (hours,)))
        table.add(Row(f"{hours} h cut, peak memory", peaks[-1], LIMIT_MB, "MB", 1.0))
    table.add(Row("peak memory, 10 h less 1 h", peaks[1] - peaks[0], GROWTH_MB, "MB", 1.0))


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.bench.settings")
    table = Table()
    bench_splitting(table)
    table.finish()


if __name__ == "__main__":
    main()
