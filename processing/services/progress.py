"""How far a run is, in the words of those who wait for it."""

from dataclasses import dataclass

from processing.models import ProcessingTask


@dataclass(frozen=True)
class Progress:
    """Seconds of audio done and in all (None while not known), and chunks settled and cut."""

    done_seconds: float
    total_seconds: float | None
    settled_chunks: int
    chunk_count: int | None

    @classmethod
    def of(cls, processing: ProcessingTask) -> "Progress":
        return cls(
            processing.done_seconds,
            processing.total_seconds,
            processing.completed_chunks + processing.failed_chunks,
            processing.total_chunks,
        )

    def __str__(self) -> str:
        """Return for example ``0:42 of 4:00``."""
        total = "?" if self.total_seconds is None else clock(self.total_seconds)
        return f"{clock(self.done_seconds)} of {total}"


def clock(seconds: float) -> str:
    """Return ``m:ss``, or ``h:mm:ss`` from an hour on."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
