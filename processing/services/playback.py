"""How a recording is heard by people: as it is where browsers play that, or else rendered."""

from dataclasses import dataclass
from typing import IO

from processing.audio.playable import played_type
from processing.audio.rendition import CONTENT_TYPE, Rendition
from processing.engines.base import SAMPLE_RATE
from processing.models import ProcessingTask, Recording


@dataclass(frozen=True)
class Playback:
    """What is sent of a recording; ``rendition`` is None for the file as it is.

    ``etag`` is a strong one: the same bytes have it, and no others.
    """

    content_type: str
    size_bytes: int
    etag: str
    rendition: Rendition | None = None

    def read(self, file: IO[bytes], start: int, end: int) -> bytes:
        """Return the bytes ``[start, end)``; ``file`` is the recording's."""
        if self.rendition is not None:
            return self.rendition.read(file, start, end)
        file.seek(start)
        return file.read(end - start)


def playback_of(recording: Recording, file: IO[bytes]) -> Playback | None:
    """Return how a recording is sent; None while it is not known how long a rendition would be.

    ``file`` is the recording's.
    """
    played = played_type(file, container=recording.container, codec=recording.codec)
    if played is not None:
        return Playback(played, recording.size_bytes, f'"{recording.sha256}"')
    sample_count = sample_count_of(recording)
    if sample_count is None:
        return None
    rendition = Rendition(sample_count)
    etag = f'"{recording.sha256}-{sample_count}"'
    return Playback(CONTENT_TYPE, rendition.size_bytes, etag, rendition)


def sample_count_of(recording: Recording) -> int | None:
    """Return how many samples a channel of a recording has: as counted, or else as declared."""
    cut = ProcessingTask.objects.of_recording(recording).filter(total_samples__isnull=False)
    run = cut.with_recordings().first()
    if run is not None and run.total_samples:
        return run.total_samples // (recording.channels if run.has_separate_channels else 1)
    declared = recording.duration_seconds
    return None if declared is None else round(declared * SAMPLE_RATE)
