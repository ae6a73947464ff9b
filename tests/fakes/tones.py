"""An engine that hears tones, so that what it says depends on the samples and on nothing else."""

import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from processing.audio.splitter import longest_run
from processing.engines.base import (
    AUTO,
    SAMPLE_RATE,
    AudioClip,
    EngineLimits,
    Segment,
    Speech,
    Timing,
    Word,
)

#: What is heard is measured in frames of 10 ms.
FRAME = SAMPLE_RATE // 100

#: A clip longer than this can be slept through in part.
AWAKE_SECONDS = 5.0

Tone = tuple[int, float, float]


@dataclass(frozen=True)
class Asked:
    """What an engine was asked."""

    engine: str
    clip: AudioClip
    language: str
    parameters: dict[str, Any]


class ToneEngine:
    """Hears each tone as a word that names its frequency, to 50 Hz: ``t450``.

    ``troubles`` has for the name of an engine what is called with each clip, to raise; in
    ``sleeps``, times on the recording's clock, it hears nothing of a long clip. ``asked`` is all
    that engines of this kind were asked.
    """

    name = "tones"
    version = "1"
    languages: tuple[str, ...] = ("en", "de")
    is_remote = False
    limits = EngineLimits()
    parameter_names = frozenset({"beam", "prompt"})
    timing = Timing.WORD
    #: Words further apart than this are in different segments.
    segment_pause_seconds = 0.5

    asked: ClassVar[list[Asked]] = []
    troubles: ClassVar[dict[str, Callable[[AudioClip], object]]] = {}
    sleeps: ClassVar[list[tuple[float, float]]] = []

    def load(self) -> None:
        """Nothing to load."""

    def transcribe(
        self, clip: AudioClip, *, language: str, parameters: Mapping[str, Any]
    ) -> Speech:
        self.asked.append(Asked(self.name, clip, language, dict(parameters)))
        self.troubles.get(self.name, id)(clip)
        words = [word for word in words_in(clip.samples) if not self._sleeps(clip, word)]
        return Speech(self._segments(words), language, self.timing)

    def _sleeps(self, clip: AudioClip, word: Word) -> bool:
        at = clip.start_sample / SAMPLE_RATE + word.start
        is_asleep = any(begin <= at < end for begin, end in self.sleeps)
        return is_asleep and clip.duration_seconds > AWAKE_SECONDS

    def _segments(self, words: list[Word]) -> tuple[Segment, ...]:
        segments: list[list[Word]] = []
        for word in words:
            if not segments or word.start - segments[-1][-1].end > self.segment_pause_seconds:
                segments.append([])
            segments[-1].append(word)
        return tuple(Segment(tuple(line)) for line in segments)


class SecondEngine(ToneEngine):
    """Is asked by threads, and knows other parameters."""

    name = "second"
    is_remote = True
    parameter_names = frozenset({"prompt"})


class AutomaticEngine(ToneEngine):
    """Finds out the language, and is told of none."""

    name = "automatic"
    languages = (AUTO,)


class ShortEngine(ToneEngine):
    """Takes no more than 2 seconds at once."""

    name = "short"
    limits = EngineLimits(max_clip_seconds=2.0)


#: The engines of this module, as ``settings.ENGINES`` names them.
ENGINES = {
    engine.name: f"{__name__}.{engine.__name__}"
    for engine in (ToneEngine, SecondEngine, AutomaticEngine, ShortEngine)
}


def tones(seconds: float, *, channel: int = 0, of: int = 1) -> list[Tone]:
    """Return words of 0.3 s, five in a turn and then a pause; channels take turns.

    No two words are the same, of all channels; there is room for 60 of each.
    """
    turn = 3.2
    words: list[Tone] = []
    begin = 0.5 + channel * turn
    while begin + turn < seconds:
        for beat in range(5):
            start = begin + 0.5 * beat
            words.append((200 + 100 * len(words) + 50 * channel, start, start + 0.3))
        begin += turn * of
    return words


def samples_of(tones: Sequence[Tone], seconds: float) -> NDArray[np.int16]:
    """Return the sound of tones over a little noise."""
    samples = np.random.default_rng(0).normal(0, 20, round(seconds * SAMPLE_RATE))
    for frequency, start, end in tones:
        first, last = round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)
        at = np.arange(last - first) / SAMPLE_RATE
        samples[first:last] += 8_000 * np.sin(2 * np.pi * frequency * at)
    return samples.astype(np.int16)


def write_tones(path: Path, channels: Sequence[Sequence[Tone]], seconds: float) -> Path:
    """Write a WAV file with the tones of each channel and return its path."""
    samples = np.stack([samples_of(tones, seconds) for tones in channels], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.tobytes())
    return path


def words_in(samples: NDArray[np.int16]) -> list[Word]:
    """Return the tones of a clip, in order."""
    count = len(samples) // FRAME
    frames = samples[: count * FRAME].reshape(count, FRAME).astype(np.float64)
    loud = np.sqrt((frames**2).mean(axis=1)) > 1_000
    words: list[Word] = []
    while (run := longest_run(loud)) is not None:
        first, last = run
        loud[first:last] = False
        spectrum = np.abs(np.fft.rfft(samples[first * FRAME : last * FRAME], SAMPLE_RATE))
        frequency = round(int(spectrum.argmax()) / 50) * 50
        words.append(Word(f"t{frequency}", first * 0.01, last * 0.01, 0.9))
    return sorted(words, key=lambda word: word.start)
