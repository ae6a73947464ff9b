"""PocketSphinx behind the engine Protocol: works offline, its English model is in its wheel."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version as package_version
from typing import Any

import numpy as np
import pocketsphinx
from numpy.typing import NDArray

from processing.engines.base import SAMPLE_RATE, AudioClip, EngineLimits, Segment, Speech, Word
from processing.exceptions import UnsupportedLanguage

#: Samples in one frame of the decoder and of the pause detector (10 ms).
FRAME_SAMPLES = SAMPLE_RATE // 100

#: Part of the version; to be raised when a change of this file changes what is heard.
REVISION = 1

#: What the dictionary writes behind the second and later pronunciations of a word.
PRONUNCIATION_MARK = re.compile(r"\(\d+\)$")
#: Silence, sentence ends and noises, which the decoder reports among the words.
FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")


@dataclass(frozen=True, slots=True)
class PauseFinder:
    """Cuts a clip into utterances at its pauses, by the loudness of 10 ms frames."""

    min_pause_seconds: float = 0.3
    #: Kept on both sides of the sound; a cut inside a pause then leaves the utterance as it is.
    padding_seconds: float = 0.12
    #: A frame sounds when it is this far above the clip's floor (its 10th percentile) ...
    above_floor_db: float = 10.0
    #: ... but the limit stays between these two distances below its loud parts (95th percentile)
    min_below_peak_db: float = 15.0
    max_below_peak_db: float = 40.0
    #: ... and nothing softer than this, relative to full scale, ever sounds.
    silence_db: float = -70.0

    def utterances(self, samples: NDArray[np.int16]) -> Iterator[tuple[int, int]]:
        """Yield the first sample of each utterance and the one after its last."""
        sounding = np.flatnonzero(self._is_sounding(samples))
        if not len(sounding):
            return
        padding = round(self.padding_seconds * SAMPLE_RATE)
        gaps = np.flatnonzero(np.diff(sounding) > self.min_pause_seconds * 100)
        starts = sounding[np.concatenate(([0], gaps + 1))] * FRAME_SAMPLES
        ends = (sounding[np.concatenate((gaps, [-1]))] + 1) * FRAME_SAMPLES
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            yield max(0, start - padding), min(len(samples), end + padding)

    def _is_sounding(self, samples: NDArray[np.int16]) -> NDArray[np.bool_]:
        count = len(samples) // FRAME_SAMPLES
        if not count:
            return np.zeros(0, np.bool_)
        frames = samples[: count * FRAME_SAMPLES].reshape(count, FRAME_SAMPLES)
        power = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / FRAME_SAMPLES / 2**30
        loudness = 10 * np.log10(np.convolve(power, np.ones(3) / 3, "same") + 1e-10)
        floor, peak = np.percentile(loudness, (10, 95))
        limit = np.clip(
            floor + self.above_floor_db,
            peak - self.max_below_peak_db,
            peak - self.min_below_peak_db,
        )
        return np.asarray(loudness > max(limit, self.silence_db), np.bool_)


@dataclass
class SphinxEngine:
    """The embedded engine.

    It holds one decoder, made by ``load`` and inherited by forked workers; a decoder hears one
    utterance at a time, so an engine is for one thread.
    """

    name: str = "sphinx"
    languages: tuple[str, ...] = ("en",)
    is_remote: bool = False
    limits: EngineLimits = field(default_factory=EngineLimits)
    parameter_names: frozenset[str] = frozenset()
    pauses: PauseFinder = field(default_factory=PauseFinder)
    #: Options of the decoder that differ from PocketSphinx's own (see the commit for figures).
    options: Mapping[str, Any] = field(default_factory=lambda: {"maxhmmpf": 3000, "maxwpf": 5})
    #: The package's version and a digest of everything that shapes the output.
    version: str = field(init=False)
    _decoder: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        shape = repr((REVISION, sorted(self.options.items()), sorted(asdict(self.pauses).items())))
        digest = hashlib.sha256(shape.encode()).hexdigest()[:8]
        self.version = f"{package_version('pocketsphinx')}-{digest}"

    def load(self) -> None:
        """Make the decoder, unless this process has it already (0.3 s, 100 MB)."""
        if self._decoder is None:
            self._decoder = pocketsphinx.Decoder(loglevel="FATAL", **self.options)

    def transcribe(
        self, clip: AudioClip, *, language: str, parameters: Mapping[str, Any]
    ) -> Speech:
        """Return one segment for each utterance in which words were heard.

        There are no parameters of a call; those meant for other engines are ignored.
        """
        if language not in self.languages:
            raise UnsupportedLanguage(f"{self.name} understands {self.languages}, not {language!r}")
        self.load()
        samples = np.ascontiguousarray(clip.samples)
        heard = (self._hear(samples, *span) for span in self.pauses.utterances(samples))
        return Speech(tuple(Segment(words) for words in heard if words), language)

    def _hear(self, samples: NDArray[np.int16], start: int, end: int) -> tuple[Word, ...]:
        decoder = self._decoder
        # The noise estimate is carried over from utterance to utterance, and with it confidences
        # and times; only this and the deprecated start_stream() clear it.
        decoder.reinit_feat()
        decoder.start_utt()
        try:
            # full_utt: the cepstral mean is that of this utterance alone. In pieces it would be
            # carried over from what this process heard before, and the words would depend on it.
            decoder.process_raw(samples[start:end].tobytes(), full_utt=True)
        finally:
            decoder.end_utt()  # also after a time-out, or the next start_utt would be refused
        if decoder.hyp() is None:
            return ()
        return tuple(
            Word(
                PRONUNCIATION_MARK.sub("", piece.word),
                start=(start + piece.start_frame * FRAME_SAMPLES) / SAMPLE_RATE,
                end=min(start + (piece.end_frame + 1) * FRAME_SAMPLES, end) / SAMPLE_RATE,
                confidence=min(1.0, piece.prob),
            )
            for piece in decoder.seg()
            if not FILLER.fullmatch(piece.word)
        )
