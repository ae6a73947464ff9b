"""What cutting and joining costs in words, on real speech heard by PocketSphinx.

Each recording is heard twice: in one piece, and by two workers as the pipeline cuts and joins it.
The measure is the difference of the word error rates (jiwer) against what was said. The engine's
own errors are in both; what differs is ours.
"""

import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import jiwer
import numpy as np
from numpy.typing import NDArray

from processing.audio.decode import decode_all
from processing.choices import CHUNK_QUEUE, TRANSCRIPTION_QUEUE, ProcessingStatus
from processing.engines.base import SAMPLE_RATE, AudioClip
from processing.engines.registry import get_engine
from processing.management.commands.demo import normalized
from processing.models import ProcessingTask, Workspace
from processing.services.inputs.ingestion import store_recording
from processing.services.requesting import request_transcript
from tests.audio import write_wav
from tests.bench.pipeline.sentences import sentences
from tests.bench.table import Row, Table
from tests.processes import worker_pool
from tests.waiting import wait_for

#: Of speech by flite, whose sentences are all different; and of clips, which are few and repeat.
FLITE_MINUTES = 30.0
CLIPS_MINUTES = 10.0

#: Percentage points that the word error rate may grow by.
LIMIT = 0.5

#: Speakers of Debian's ``flite`` (what each says next is its own), and of whom a directory of
#: pairs ``name.wav`` and ``name.txt`` has recordings.
VOICES = ("slt", "rms", "awb", "kal16")
DIRECTORY_VARIABLE = "LONGHAND_SPEECH_DIR"

#: Between two sentences, by chance: some pauses are too short to be cut at.
PAUSE_SECONDS = (0.1, 0.8)
ENGINE = "sphinx"

#: How long a run may take, as a part of its audio, and how often to look whether it is over.
PATIENCE = 3.0
LOOK_SECONDS = 0.5

Samples = NDArray[np.int16]
Spoken = tuple[Samples, str]


class Speech(NamedTuple):
    """A recording, and what is said in it, in lower case without punctuation."""

    name: str
    path: Path
    text: str

    @property
    def minutes(self) -> float:
        with wave.open(str(self.path), "rb") as file:
            return file.getnframes() / file.getframerate() / 60


def bench_speech(table: Table) -> None:
    with tempfile.TemporaryDirectory() as directory:
        recordings = list(available(Path(directory)))
        with get_context("fork").Pool(2) as pool:
            in_one_piece = pool.map(heard_in_one_piece, [one.path for one in recordings])
        for speech, whole in zip(recordings, in_one_piece, strict=True):
            cut, chunk_count = heard_in_chunks(speech)
            errors = [100 * jiwer.wer(speech.text, text) for text in (whole, cut)]
            apart = 100 * jiwer.wer(whole, cut)
            sys.stderr.write(
                f"{speech.name}: {speech.minutes:.1f} min in {chunk_count} chunks, WER "
                f"{errors[0]:.2f} % in one piece, {errors[1]:.2f} % cut; apart {apart:.2f} %\n"
            )
            name = f"{speech.name}, {speech.minutes:.0f} min: WER cut less WER in one piece"
            table.add(Row(name, errors[1] - errors[0], LIMIT, "points", 1.0))


def available(directory: Path) -> Iterator[Speech]:
    """Yield what there is to hear; say what is missing."""
    if shutil.which("flite"):
        yield kept("flite", spoken_by_flite())
    else:
        sys.stderr.write("no speech by flite: it is not there (apt-get install flite)\n")
    clips = os.environ.get(DIRECTORY_VARIABLE)
    if clips:
        yield recorded("clips", directory, spoken_in(Path(clips)), minutes=CLIPS_MINUTES)
    else:
        sys.stderr.write(f"no recorded speech: {DIRECTORY_VARIABLE} names no directory of it\n")


def heard_in_one_piece(path: Path) -> str:
    clip = AudioClip(decode_all(path.read_bytes()))
    speech = get_engine(ENGINE).transcribe(clip, language="en", parameters={})
    return " ".join(word.word for segment in speech.segments for word in segment.words)


def heard_in_chunks(speech: Speech) -> tuple[str, int]:
    """Return the text of a transcript made by workers, and of how many chunks it is."""
    own = {"DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"], "LEASE_SECONDS": "10"}
    with worker_pool("--queues", TRANSCRIPTION_QUEUE, CHUNK_QUEUE, concurrency=2, **own):
        with speech.path.open("rb") as file:
            recording, _ = store_recording(
                source=file, name=speech.path.name, workspace=Workspace.objects.default()
            )
        requested = request_transcript(recording=recording, engine=ENGINE, language="en")
        runs = ProcessingTask.objects.filter(pk=requested.processing.pk)
        wait_for(
            lambda: not runs.get().is_active,
            seconds=PATIENCE * 60 * speech.minutes,
            every=LOOK_SECONDS,
        )
    run = runs.get()
    assert run.status == ProcessingStatus.COMPLETED, run.error_message
    requested.transcript.refresh_from_db()
    return requested.transcript.text, run.total_chunks or 0


def spoken_by_flite() -> Iterator[Spoken]:
    """Yield sentences as the voices speak them in turn, for ever."""
    speakers = cycle((voice, sentences(seed)) for seed, voice in enumerate(VOICES))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "sentence.wav"
        for voice, said in speakers:
            sentence = next(said)
            subprocess.run(["flite", "-voice", voice, "-t", sentence, "-o", str(path)], check=True)  # noqa: S607
            yield decode_all(path.read_bytes()), sentence


def spoken_in(directory: Path) -> Iterator[Spoken]:
    """Yield the clips of a directory one after the other, over and over."""
    clips = sorted(path for path in directory.glob("*.wav") if path.with_suffix(".txt").exists())
    if not clips:
        raise FileNotFoundError(f"{directory} has no pairs of .wav and .txt")
    for path in cycle(clips):
        yield decode_all(path.read_bytes()), path.with_suffix(".txt").read_text()


def kept(name: str, spoken: Iterator[Spoken]) -> Speech:
    """Return a recording that is made once for each version of what makes it."""
    code = b"".join(Path(__file__).with_name(f"{one}.py").read_bytes() for one in SOURCES)
    digest = hashlib.sha256(code).hexdigest()[:12]
    directory = Path(tempfile.gettempdir()) / f"longhand-speech-{digest}"
    if not directory.is_dir():
        draft = Path(tempfile.mkdtemp(prefix="longhand-speech-"))
        recorded(name, draft, spoken, minutes=FLITE_MINUTES)
        draft.rename(directory)
    path = directory / f"{name}.wav"
    return Speech(name, path, path.with_suffix(".txt").read_text())


#: What a recording by flite depends on.
SOURCES = ("speech", "sentences")


def recorded(name: str, directory: Path, spoken: Iterator[Spoken], *, minutes: float) -> Speech:
    """Write a recording of so many minutes, with pauses between what is spoken, and its text.

    One bit of noise makes what is said twice two recordings.
    """
    chance = np.random.default_rng(7)
    pauses = random.Random(7)  # noqa: S311  no secrets here
    pieces: list[Samples] = []
    texts: list[str] = []
    left = minutes * 60 * SAMPLE_RATE
    while left > 0:
        samples, text = next(spoken)
        pause = np.zeros(round(pauses.uniform(*PAUSE_SECONDS) * SAMPLE_RATE), np.int16)
        pieces += [samples, pause]
        texts.append(normalized(text))
        left -= len(samples) + len(pause)
    samples = np.concatenate(pieces)
    samples = samples // 2 + chance.integers(0, 2, len(samples), np.int16)
    path = write_wav(directory / f"{name}.wav", samples)
    path.with_suffix(".txt").write_text(" ".join(texts))
    return Speech(name, path, " ".join(texts))
