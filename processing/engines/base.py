"""What every speech engine promises, so that the pipeline never asks which one it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

#: Samples per second of all audio after decoding; engines receive nothing else.
SAMPLE_RATE = 16_000


@dataclass(frozen=True, slots=True)
class AudioClip:
    """A stretch of decoded mono audio.

    ``samples`` has shape ``(n,)`` and holds signed 16-bit PCM at ``SAMPLE_RATE``;
    ``start_sample`` is where the clip begins on the recording's clock.
    """

    samples: NDArray[np.int16]
    start_sample: int = 0

    @property
    def duration_seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word; times are seconds from the first sample of its clip."""

    word: str
    start: float
    end: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """Words spoken without a long pause between them, in order."""

    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Speech:
    """All that an engine heard in one clip; no segments when it was silent."""

    segments: tuple[Segment, ...]
    language: str


class SpeechEngine(Protocol):
    """Turns a clip into words.

    An engine is deterministic: the same samples and parameters give the same words,
    whatever it heard before, in whichever process. It raises ``jobs.exceptions.TransientError``
    for what may pass and ``jobs.exceptions.PermanentError`` for what will not.
    """

    #: The name users choose it by.
    name: str
    #: Changes whenever its output may change; part of every cache key.
    version: str
    #: ISO 639-1 codes it understands.
    languages: tuple[str, ...]

    def load(self) -> None:
        """Load models into memory; called once before worker processes are forked."""
        ...

    def transcribe(
        self, clip: AudioClip, *, language: str, parameters: Mapping[str, Any]
    ) -> Speech:
        """Return the words of ``clip`` with times relative to it."""
        ...
