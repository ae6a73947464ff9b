"""Audio made on the spot: bursts of noise where a script has words, silence between them."""

import json
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processing.engines.base import SAMPLE_RATE

Script = list[tuple[str, float, float]]


@dataclass(frozen=True)
class ScriptedAudio:
    """A WAV file, the words in it, and the file that tells ``ScriptedEngine`` about them."""

    path: Path
    script: Script
    script_path: Path

    @property
    def text(self) -> str:
        return " ".join(word for word, _, _ in self.script)


def make_script(duration_seconds: float, *, seed: int = 0, pause_every: int = 6) -> Script:
    """Return words of 0.15-0.45 s, close together, with a pause of 0.4-0.9 s every few words."""
    random = np.random.default_rng(seed)
    script: Script = []
    now = 0.3
    while True:
        length = random.uniform(0.15, 0.45)
        if now + length > duration_seconds - 0.2:
            return script
        script.append((f"w{len(script)}", round(now, 3), round(now + length, 3)))
        is_pause = pause_every and len(script) % pause_every == 0
        now += length + (random.uniform(0.4, 0.9) if is_pause else random.uniform(0.02, 0.06))


def samples_of(script: Script, duration_seconds: float, *, seed: int = 0) -> NDArray[np.int16]:
    """Return audio of shape ``(n,)`` at 16 kHz that is loud exactly where the script has words."""
    random = np.random.default_rng(seed)
    samples = random.normal(0, 20, int(duration_seconds * SAMPLE_RATE))
    for _, start, end in script:
        first, last = int(start * SAMPLE_RATE), int(end * SAMPLE_RATE)
        samples[first:last] += random.normal(0, 5000, last - first)
    return np.clip(samples, -32768, 32767).astype(np.int16)


def write_wav(path: Path, samples: NDArray[np.int16], *, sample_rate: int = SAMPLE_RATE) -> Path:
    """Write mono 16-bit samples as a WAV file and return its path."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.tobytes())
    return path


def make_scripted_audio(
    directory: Path, duration_seconds: float, *, seed: int = 0, pause_every: int = 6
) -> ScriptedAudio:
    """Write a recording and its script to ``directory``."""
    script = make_script(duration_seconds, seed=seed, pause_every=pause_every)
    samples = samples_of(script, duration_seconds, seed=seed)
    path = write_wav(directory / f"scripted-{seed}.wav", samples)
    script_path = directory / f"scripted-{seed}.json"
    script_path.write_text(json.dumps(script))
    return ScriptedAudio(path, script, script_path)
