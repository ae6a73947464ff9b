"""Which files browsers play as they are, and as which content type."""

from typing import IO

from processing.audio.probe import first_mp3_frames

#: container -> content type, and what browsers decode in it; named as ``AudioProbe`` names them
PLAYED: dict[str, tuple[str, tuple[str, ...]]] = {
    "wav": ("audio/wav", ("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_mulaw", "pcm_alaw")),
    "mp3": ("audio/mpeg", ("mp3", "mp3float")),
    "flac": ("audio/flac", ("flac",)),
    "ogg": ("audio/ogg", ("opus", "libopus", "vorbis", "libvorbis", "flac")),
    "mov": ("audio/mp4", ("aac", "mp3", "mp3float", "opus", "libopus", "flac")),
    "matroska": ("audio/webm", ("opus", "libopus", "vorbis", "libvorbis")),
}


def played_type(file: IO[bytes], *, container: str, codec: str) -> str | None:
    """Return the content type of what browsers play, and find every moment of, as it is.

    They do not know where a moment is in an mp3 whose bit rate varies: Chromium was 5 s off in
    one of 30 minutes. None for what is to be rendered; what is declared nowhere, as in raw
    AAC, they can only guess.
    """
    content_type, codecs = PLAYED.get(container, ("", ()))
    if codec not in codecs:
        return None
    if container == "mp3" and not _has_constant_rate(file):
        return None
    if container == "matroska" and not _is_webm(file):
        return None
    return content_type


def _has_constant_rate(file: IO[bytes]) -> bool:
    """Say whether the first frame says so: encoders write ``Info`` there, and else ``Xing``."""
    return b"Info" in first_mp3_frames(file)


def _is_webm(file: IO[bytes]) -> bool:
    """Say whether a Matroska file calls itself WebM (RFC 8794: DocType is in the first bytes)."""
    file.seek(0)
    return b"webm" in file.read(64)
