"""What a file really is, judged by its content and refused before it costs anything."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import av
from av.container import InputContainer
from django.conf import settings

from processing.audio.riff import FileWindow, find_sound
from processing.exceptions import AudioTooLarge, UnreadableAudio

#: The demuxers we let FFmpeg use, by the names it gives them. Playlists, concatenations and
#: everything else that opens further files is not among them.
CONTAINERS = ("wav", "w64", "mp3", "flac", "ogg", "mov", "matroska", "aac")

#: Containers that do not say how long they are; FFmpeg guesses from their first frames.
UNDECLARED = ("aac",)

#: What people call them, for messages.
FORMAT_NAMES = "wav, mp3, m4a/mp4, flac, ogg/opus, webm"

#: How much of a wav FFmpeg reads to find out whether its samples are DTS in disguise: a few
#: frames of that, in a tenth of the time of its own 5 MB.
WAV_PROBE_BYTES = 64 * 1024

MIN_SAMPLE_RATE = 4_000
MAX_SAMPLE_RATE = 192_000
MAX_CHANNELS = 8


@dataclass(frozen=True)
class AudioProbe:
    """What a file's headers say; ``duration_seconds`` is None when they do not say."""

    container: str
    codec: str
    sample_rate: int
    channels: int
    duration_seconds: float | None


@contextmanager
def open_audio(file: IO[bytes]) -> Iterator[InputContainer]:
    """Open a seekable binary file for decoding; raise ``UnreadableAudio`` when it is not audio.

    Only ever from a file object: a name could be a protocol to FFmpeg (``http:``, ``concat:``).
    """
    size_bytes = file.seek(0, io.SEEK_END)
    sound = find_sound(file, size_bytes=size_bytes)
    file.seek(0)
    options = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": ""}
    if sound is not None:
        options["probesize"] = str(WAV_PROBE_BYTES)
    try:
        container = av.open(
            file if sound is None else FileWindow(file, sound.end),
            mode="r",
            options=options,
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError, OverflowError) as error:
        file.seek(0)
        if file.read(8)[4:] == b"ftyp":
            raise UnreadableAudio(
                "an m4a/mp4 file without its index (moov); the end of the file is missing"
            ) from error
        raise UnreadableAudio(f"not audio we can read (we read {FORMAT_NAMES})") from error
    with container:
        yield container


def probe(file: IO[bytes], *, size_bytes: int) -> AudioProbe:
    """Read the headers of ``file``; raise ``UnreadableAudio`` or ``AudioTooLarge``."""
    if size_bytes == 0:
        raise UnreadableAudio("the file is empty")
    is_declared = _declares_length(file)
    with open_audio(file) as container:
        if not container.streams.audio:
            raise UnreadableAudio("the file has no sound")
        stream = container.streams.audio[0]
        codec = stream.codec_context
        if codec is None:
            raise UnreadableAudio("the sound is in a coding that we cannot decode")
        if not MIN_SAMPLE_RATE <= (codec.sample_rate or 0) <= MAX_SAMPLE_RATE:
            raise UnreadableAudio(
                f"declares {codec.sample_rate} samples per second; we read "
                f"{MIN_SAMPLE_RATE:,} to {MAX_SAMPLE_RATE:,}"
            )
        if not 1 <= codec.channels <= MAX_CHANNELS:
            raise UnreadableAudio(
                f"declares {codec.channels} channels; we read 1 to {MAX_CHANNELS}"
            )
        is_estimated = container.format.name == "mp3" and not is_declared
        duration = None if is_estimated else declared_seconds(container, stream)
        sound = find_sound(file, size_bytes=size_bytes)
        if sound is not None:
            duration = sound.declared_seconds
        limit = settings.MAX_DURATION_SECONDS
        if duration is not None and duration > limit:
            raise AudioTooLarge(
                f"{duration / 3600:.1f} hours of audio; the limit is {limit / 3600:g} hours"
            )
        return AudioProbe(
            container.format.name.split(",")[0],
            codec.name,
            codec.sample_rate,
            codec.channels,
            duration,
        )


def declared_seconds(container: InputContainer, stream: Any) -> float | None:
    """Return how long a container says that a stream is; None when it does not say."""
    if container.format.name in UNDECLARED:
        return None
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        seconds = container.duration / av.time_base
    else:
        return None
    return seconds if seconds > 0 else None


def _declares_length(file: IO[bytes]) -> bool:
    """Say whether an mp3 begins with a frame that counts its frames.

    Without one FFmpeg estimates the duration from the bit rate of the first frames, which is
    wrong by any factor when the bit rate varies.
    """
    first_frames = first_mp3_frames(file)
    return any(name in first_frames for name in (b"Xing", b"Info", b"VBRI"))


def first_mp3_frames(file: IO[bytes]) -> bytes:
    """Return how the sound of an mp3 begins, a tag before it left out."""
    file.seek(0)
    head = file.read(10)
    # An ID3v2 tag comes first; its size is in 4 bytes of 7 bits (id3.org, ID3v2.4, 6.2).
    tag_size = sum(byte << 7 * place for place, byte in enumerate(reversed(head[6:10])))
    file.seek(10 + tag_size if head[:3] == b"ID3" else 0)
    return file.read(4096)
