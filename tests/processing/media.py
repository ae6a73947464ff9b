"""Files of every format we read, made by PyAV, and headers that lie, made by hand."""

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

#: suffix -> container, codec, sample rate: what people upload.
FORMATS = {
    "wav": ("wav", "pcm_s16le", 44_100),
    "mp3": ("mp3", "libmp3lame", 44_100),
    "m4a": ("mp4", "aac", 44_100),
    "flac": ("flac", "flac", 44_100),
    "ogg": ("ogg", "libopus", 48_000),
    "webm": ("webm", "libopus", 48_000),
    "aac": ("adts", "aac", 22_050),
    "mka": ("matroska", "aac", 44_100),
    "mov": ("mov", "alac", 44_100),
    "w64": ("w64", "pcm_s16le", 16_000),
}


def tone(seconds: float, sample_rate: int) -> NDArray[np.int16]:
    """Return a tone of 440 Hz."""
    times = np.arange(int(seconds * sample_rate)) / sample_rate
    return (np.sin(2 * np.pi * 440 * times) * 8_000).astype(np.int16)


def melody(seconds: float, sample_rate: int) -> NDArray[np.int16]:
    """Return a tone of another pitch every 50 ms: no two places in it sound alike."""
    pitches = np.random.default_rng(0).uniform(200, 1_500, int(seconds * 20) + 1)
    hertz = np.repeat(pitches, sample_rate // 20)[: int(seconds * sample_rate)]
    return (np.sin(np.cumsum(2 * np.pi * hertz / sample_rate)) * 8_000).astype(np.int16)


def encoded(
    suffix: str,
    seconds: float = 3.0,
    *,
    sample_rate: int = 0,
    layout: str = "mono",
    sound: Callable[[float, int], NDArray[np.int16]] = tone,
    quality: int | None = None,
) -> bytes:
    """Return a sound as a file of the format that ``suffix`` names.

    With a ``quality``, in units of FFmpeg's lambda, the bit rate varies.
    """
    container_name, codec, usual_rate = FORMATS[suffix]
    sample_rate = sample_rate or usual_rate
    samples = sound(seconds, sample_rate)
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.rate = sample_rate
    buffer = BytesIO()
    with av.open(buffer, mode="w", format=container_name) as container:
        stream = container.add_stream(codec, rate=sample_rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        if quality is not None:
            stream.codec_context.flags |= av.codec.context.Flags.qscale
            stream.codec_context.global_quality = quality
        resampler = av.AudioResampler(
            format=stream.format.name,
            layout=layout,
            rate=sample_rate,
            frame_size=stream.codec_context.frame_size or 4_096,
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def wav(
    data: bytes = b"\0\1" * 16_000,
    *,
    sample_rate: int = 16_000,
    channels: int = 1,
    codec_tag: int = 1,
    declared_bytes: int | None = None,
) -> bytes:
    """Return a 16-bit WAV file whose header says what it is told to say."""
    declared = len(data) if declared_bytes is None else declared_bytes
    layout = struct.pack(
        "<HHIIHH", codec_tag, channels, sample_rate, 2 * sample_rate * channels, 2 * channels, 16
    )
    head = struct.pack("<I", min(36 + declared, 0xFFFF_FFFF))
    return b"".join(
        [
            *(b"RIFF", head, b"WAVE"),
            *(b"fmt ", struct.pack("<I", len(layout)), layout),
            *(b"data", struct.pack("<I", declared), data),
        ]
    )


def silent_video() -> bytes:
    """Return an MP4 file with a picture and no sound."""
    buffer = BytesIO()
    with av.open(buffer, mode="w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=5)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        picture = np.zeros((32, 32, 3), dtype=np.uint8)
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def playlist(target: Path | str) -> bytes:
    """Return an HLS playlist of one file or address."""
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n".encode()


def concatenation(target: Path | str) -> bytes:
    """Return FFmpeg's own kind of playlist."""
    return f"ffconcat version 1.0\nfile '{target}'\n".encode()


#: What is not audio, however it is called.
NOT_AUDIO = [
    pytest.param(b"This is a letter, not a recording.\n" * 50, id="text"),
    pytest.param(bytes(range(256)) * 200, id="bytes"),
    pytest.param(playlist("/etc/passwd"), id="playlist"),
    pytest.param(concatenation("/etc/passwd"), id="concatenation"),
    pytest.param(b"RIFF", id="four letters"),
    pytest.param(encoded("m4a")[:4_000], id="m4a without its index"),
]
