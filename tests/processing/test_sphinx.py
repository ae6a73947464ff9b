"""PocketSphinx itself, on the bundled recordings."""

import multiprocessing
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import processing
from processing.audio.decode import decode
from processing.engines.base import SAMPLE_RATE, AudioClip, Speech
from processing.engines.sphinx import PauseFinder, SphinxEngine
from tests.processing.engine_contract import SpeechEngineContract, hear, words_of

DEMO = Path(processing.__file__).parent / "demo"


def samples_of(file_name: str) -> NDArray[np.int16]:
    with (DEMO / file_name).open("rb") as file:
        return np.concatenate(list(decode(file)))


def text_of(file_name: str) -> list[str]:
    return re.findall(r"[a-z']+", (DEMO / file_name).with_suffix(".txt").read_text().lower())


def heard(speech: Speech) -> list[str]:
    return [word.word for word in words_of(speech)]


@pytest.fixture(scope="module")
def sphinx() -> SphinxEngine:
    engine = SphinxEngine()
    engine.load()
    return engine


@pytest.fixture(scope="module")
def river() -> AudioClip:
    return AudioClip(samples_of("river.opus")[: 10 * SAMPLE_RATE])


class TestSphinxEngineKeepsTheContract(SpeechEngineContract):
    @pytest.fixture
    def engine(self, sphinx: SphinxEngine) -> SphinxEngine:
        return sphinx

    @pytest.fixture
    def clip_with_speech(self, river: AudioClip) -> AudioClip:
        return AudioClip(river.samples[: 5 * SAMPLE_RATE])

    @pytest.fixture
    def other_clip(self) -> AudioClip:
        return AudioClip(samples_of("lesson.flac")[: 4 * SAMPLE_RATE] // 8)


@pytest.mark.parametrize("file_name", ["longhand.flac", "river.opus", "lesson.flac"])
def test_the_bundled_recordings_come_out_word_for_word(
    sphinx: SphinxEngine, file_name: str
) -> None:
    speech = hear(sphinx, AudioClip(samples_of(file_name)), {})

    assert heard(speech) == text_of(file_name)


def test_cuts_inside_pauses_change_no_word(sphinx: SphinxEngine) -> None:
    samples = samples_of("lesson.flac")
    spans = list(PauseFinder().utterances(samples))
    middles = [(end + start) // 2 for (_, end), (start, _) in pairwise(spans)]

    pieces = np.split(samples, middles)

    whole_again = [word for piece in pieces for word in heard(hear(sphinx, AudioClip(piece), {}))]
    assert whole_again == text_of("lesson.flac")


def test_a_new_process_hears_the_same(sphinx: SphinxEngine, river: AudioClip) -> None:
    hear(sphinx, AudioClip(samples_of("lesson.flac")[: 4 * SAMPLE_RATE]), {})

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        elsewhere = pool.apply(hear, (SphinxEngine(), river, {}))

    assert elsewhere == hear(sphinx, river, {})


def test_a_forked_worker_hears_the_same_with_the_inherited_decoder(
    sphinx: SphinxEngine, river: AudioClip
) -> None:
    here = hear(sphinx, river, {})

    with multiprocessing.get_context("fork").Pool(1, _inherit, (sphinx,)) as pool:
        assert pool.apply(_hear_inherited, (river,)) == here


def test_words_start_and_end_where_the_sound_does(sphinx: SphinxEngine) -> None:
    second = np.zeros(SAMPLE_RATE, np.int16)
    samples = samples_of("lesson.flac")
    start, end = next(PauseFinder(padding_seconds=0).utterances(samples))
    clip = AudioClip(np.concatenate((second, samples[start:end], second)))

    words = words_of(hear(sphinx, clip, {}))

    assert words[0].start == pytest.approx(1.0, abs=0.05)
    assert words[-1].end == pytest.approx(1.0 + (end - start) / SAMPLE_RATE, abs=0.05)


def test_soft_noise_gives_no_segments(sphinx: SphinxEngine) -> None:
    noise = np.random.default_rng(7).normal(0, 30, 5 * SAMPLE_RATE).astype(np.int16)

    assert hear(sphinx, AudioClip(noise), {}).segments == ()


def test_the_version_follows_the_options_and_the_pauses(sphinx: SphinxEngine) -> None:
    versions = {
        sphinx.version,
        SphinxEngine(options={"topn": 2}).version,
        SphinxEngine(pauses=replace(PauseFinder(), min_pause_seconds=0.5)).version,
    }

    assert len(versions) == 3
    assert SphinxEngine().version == sphinx.version


def _inherit(engine: SphinxEngine) -> None:
    global _inherited
    _inherited = engine


def _hear_inherited(clip: AudioClip) -> Speech:
    return hear(_inherited, clip, {})


_inherited: SphinxEngine
