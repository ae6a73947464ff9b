"""Recordings that are unlike each other, and what a splitter makes of them."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from processing.audio.splitter import Cut, PauseSplitter
from processing.engines.base import SAMPLE_RATE
from tests.audio import Script, make_script, samples_of

Samples = NDArray[np.int16]

#: What becomes of speech in another room, or what else is as long.
KINDS: dict[str, Callable[[Samples], Samples]] = {
    "speech": lambda s: s,
    "very quiet": lambda s: s // 300,
    "clipped": lambda s: (s * 30.0).clip(-32_768, 32_767).astype(np.int16),
    "DC offset": lambda s: (s // 4 + 12_000).astype(np.int16),
    "noise 10 dB below": lambda s: with_noise(s, 5_000 / 10**0.5),
    "noise alone": lambda s: with_noise(np.zeros_like(s), 3_000),
    "music": lambda s: music(len(s)),
    "digital silence": np.zeros_like,
    "the lowest sample": lambda s: np.full_like(s, -32_768),
}


def with_noise(samples: Samples, level: float) -> Samples:
    noise = np.random.default_rng(3).normal(0, level, len(samples))
    return (samples + noise).clip(-32_768, 32_767).astype(np.int16)


def music(count: int) -> Samples:
    """Return a chord that never ends, with a beat each 0.4 s."""
    times = np.arange(count) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * pitch * times) for pitch in (220.0, 277.2, 329.6))
    beat = 1 + np.exp(-8 * (times % 0.4))
    return (chord * beat * 3_000).clip(-32_768, 32_767).astype(np.int16)


def audio(seconds: float, *, seed: int = 0, pause_every: int = 6) -> tuple[Script, Samples]:
    script = make_script(seconds, seed=seed, pause_every=pause_every)
    return script, samples_of(script, seconds, seed=seed)


def blocks_of(samples: Samples, size: int) -> Iterator[Samples]:
    return (samples[i : i + size] for i in range(0, len(samples), size))


def split(samples: Samples, target_seconds: float = 4.5, *, block_size: int = 8_000) -> list[Cut]:
    return list(PauseSplitter(target_seconds).split(blocks_of(samples, block_size)))


def places(cuts: list[Cut]) -> list[tuple[int, int, int, int, int]]:
    return [(c.index, c.start, c.core_start, c.core_end, c.end) for c in cuts]


def levels(cut: Cut) -> tuple[list[int], float]:
    return cut.envelope.tolist(), cut.pause_db
