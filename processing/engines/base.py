"""What every speech engine promises, so that the pipeline never asks which one it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

#: Samples per second of all audio after decoding; engines receive nothing else.
SAMPLE_RATE = 16_000

#: The language of a request that leaves it to the engine to find out.
AUTO = "auto"


class Timing(StrEnum):
    """How exactly an engine says when words were spoken.

    The times of words are always there and in order. ``SEGMENT``: those of each segment's first
    and last word are heard, those between are estimated. ``NONE``: all are estimated, from the
    length of the clip.
    """

    WORD = "word"
    SEGMENT = "segment"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What one call may ask of an engine, and how many calls at once; None for no limit.

    ``max_clip_bytes`` is of the encoded body of a request. ``max_concurrency`` is over all
    workers of all hosts. ``window_seconds`` is what the engine hears at once: it takes longer
    clips, too, but the rest of one costs as much as a whole window.
    """

    max_clip_seconds: float | None = None
    max_clip_bytes: int | None = None
    max_concurrency: int | None = None
    window_seconds: float | None = None


@dataclass(frozen=True, eq=False)
class AudioClip:
    """A stretch of decoded mono audio.

    ``samples`` has shape ``(n,)`` and holds signed 16-bit PCM at ``SAMPLE_RATE``;
    ``start_sample`` is where the clip begins on the recording's clock; ``flac`` is the same as a
    file, where one is at hand: who needs no samples should not ask for them then.
    """

    samples: NDArray[np.int16]
    start_sample: int = 0
    flac: bytes | None = None

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
    """Words spoken without a long pause between them, in order, by one ``speaker``.

    ``speaker`` is None where the engine does not tell speakers apart. ``avg_logprob`` (mean
    natural logarithm of the probabilities of its tokens) and ``no_speech_prob`` (0 to 1) are
    what Whisper says of a segment, None from other engines.
    """

    words: tuple[Word, ...]
    speaker: str | None = None
    avg_logprob: float | None = None
    no_speech_prob: float | None = None


@dataclass(frozen=True, slots=True)
class Speech:
    """All that an engine heard in one clip; no segments when it was silent.

    ``language`` is what it heard, also where it was left to the engine to find out.
    """

    segments: tuple[Segment, ...]
    language: str
    timing: Timing = Timing.WORD


class SpeechEngine(Protocol):
    """Turns a clip into words.

    An engine is deterministic: the same samples and parameters give the same words,
    whatever it heard before, in whichever process. It raises ``jobs.exceptions.TransientError``
    for what may pass, ``jobs.exceptions.Postponed`` for what has not begun, and
    ``jobs.exceptions.PermanentError`` for what will not.
    """

    #: The name users choose it by.
    name: str
    #: Changes whenever its output may change; part of every cache key.
    version: str
    #: ISO 639-1 codes it understands; ``AUTO`` among them when it finds out by itself. The first
    #: is meant by a request that names none.
    languages: tuple[str, ...]
    #: Whether a call waits on the network, so that a worker makes several at once, in threads.
    #: An engine that is not remote is for one thread.
    is_remote: bool
    limits: EngineLimits
    #: Names of the parameters of a call that it understands: ``prompt``, ``hotwords``, ...
    parameter_names: frozenset[str]

    def load(self) -> None:
        """Load models into memory; called once before worker processes are forked."""
        ...

    def transcribe(
        self, clip: AudioClip, *, language: str, parameters: Mapping[str, Any]
    ) -> Speech:
        """Return the words of ``clip`` with times relative to it."""
        ...
