"""Small files of audio, and of what only looks like audio, as bytes."""

import io
import wave

import av
import numpy as np


def wav_bytes(
    seconds: float = 2.0, *, sample_rate: int = 16_000, frequency: float = 440.0
) -> bytes:
    """Return a WAV file with a mono tone; another frequency makes another content."""
    times = np.arange(int(seconds * sample_rate)) / sample_rate
    samples = (np.sin(2 * np.pi * frequency * times) * 8_000).astype(np.int16)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


def silent_video_bytes() -> bytes:
    """Return an MP4 file with a picture and no sound track."""
    buffer = io.BytesIO()
    with av.open(buffer, mode="w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        picture = np.zeros((32, 32, 3), dtype=np.uint8)
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()
