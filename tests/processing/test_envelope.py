"""How loud a recording is from moment to moment."""

import numpy as np
import pytest

from processing.audio.envelope import (
    FRAME,
    SILENCE_DB,
    envelope_db,
    loudness_db,
    pause_threshold_db,
)
from tests.audio import Script, samples_of
from tests.processing.recordings import KINDS, audio, split


@pytest.mark.parametrize(
    ("level", "decibels"), [(32_767, 0.0), (3_277, -20.0), (33, -59.9), (0, -96.0)]
)
def test_loudness_is_in_decibels_below_full_scale(level: int, decibels: float) -> None:
    loudness = loudness_db(np.resize(np.array([level, -level], np.int16), 3 * FRAME))

    assert loudness == pytest.approx([decibels] * 3, abs=0.1)


@pytest.mark.parametrize("offset", [-32_768, -8_000, 1, 20_000])
def test_a_dc_offset_is_no_sound(offset: int) -> None:
    assert loudness_db(np.full(2 * FRAME, offset, np.int16)).tolist() == [SILENCE_DB] * 2


def test_a_sound_is_as_loud_with_a_dc_offset_as_without() -> None:
    quiet = np.random.default_rng(0).normal(0, 30, 10 * FRAME).astype(np.int16)

    assert loudness_db(quiet + np.int16(20_000)) == pytest.approx(loudness_db(quiet), abs=0.01)


@pytest.mark.parametrize(
    ("sample_count", "frame_count"), [(0, 0), (1, 1), (FRAME - 1, 1), (FRAME, 1), (FRAME + 1, 2)]
)
def test_every_sample_is_in_a_frame(sample_count: int, frame_count: int) -> None:
    assert loudness_db(np.ones(sample_count, np.int16)).shape == (frame_count,)


def test_what_is_measured_together_is_as_loud_as_apart() -> None:
    samples = np.random.default_rng(1).normal(0, 900, 100 * FRAME).astype(np.int16)

    parts = np.concatenate([loudness_db(part) for part in samples.reshape(-1, 4 * FRAME)])

    assert np.array_equal(loudness_db(samples), parts)


@pytest.mark.parametrize(
    ("loudness", "threshold"),
    [
        pytest.param([-60.0] * 5 + [-20.0] * 5, -50.0, id="quiet room"),
        pytest.param([-30.0] * 5 + [-10.0] * 5, -25.0, id="noisy room"),
        pytest.param([-96.0] * 10, -95.0, id="digital silence"),
        pytest.param([-30.0] * 10, -30.0, id="all equally loud"),
    ],
)
def test_the_threshold_of_a_pause_follows_the_noise(
    loudness: list[float], threshold: float
) -> None:
    assert pause_threshold_db(np.array(loudness, np.float32)) == pytest.approx(threshold)


@pytest.mark.parametrize(
    ("loudness", "before", "threshold"),
    [
        pytest.param([-60.0] * 10, -50.0, -50.0, id="a long pause"),
        pytest.param([-40.0] * 10, -50.0, -40.0, id="a noise that was not there before"),
        pytest.param([-70.0] * 5 + [-50.0] * 5, -40.0, -65.0, id="a quieter speaker"),
    ],
)
def test_where_all_is_equally_loud_the_threshold_does_not_fall(
    loudness: list[float], before: float, threshold: float
) -> None:
    levels = np.array(loudness, np.float32)

    assert pause_threshold_db(levels, before=before) == pytest.approx(threshold)


@pytest.mark.parametrize(
    ("loudness", "envelope"),
    [
        pytest.param([-96.0] * 20, [-96, -96], id="silence"),
        pytest.param([-20.0] * 10 + [-60.0] * 10, [-20, -60], id="each tenth of a second"),
        pytest.param([-20.0] * 5 + [-96.0] * 5, [-23], id="mean power, not mean decibels"),
        pytest.param([-20.0] * 10 + [-40.4] * 3, [-20, -40], id="what is left"),
        pytest.param([0.0], [0], id="full scale"),
    ],
)
def test_an_envelope_is_the_loudness_of_each_tenth_of_a_second(
    loudness: list[float], envelope: list[int]
) -> None:
    values = envelope_db(np.array(loudness, np.float32))

    assert values.dtype == np.int8
    assert values.tolist() == envelope


# Of a chunk


def test_the_envelope_tells_speech_from_pauses_in_noise() -> None:
    words: Script = [("a", 0.5, 4.0), ("b", 5.0, 9.0)]

    [cut] = split(KINDS["noise 10 dB below"](samples_of(words, 9.5)), 10.0)

    is_speech = cut.envelope > cut.pause_db
    spoken = [any(start <= i / 10 < end for _, start, end in words) for i in range(95)]
    assert is_speech.tolist() == spoken


def test_the_envelope_begins_where_the_overlap_does() -> None:
    _, samples = audio(30.0, pause_every=0)

    cuts = split(samples, 6.0)

    again = [envelope_db(loudness_db(samples[c.start : c.end])).tolist() for c in cuts]
    assert cuts[1].start < cuts[1].core_start
    assert [c.envelope.tolist() for c in cuts] == again


@pytest.mark.parametrize("kind", ["speech", "noise 10 dB below"])
def test_a_minute_without_a_word_is_all_pause(kind: str) -> None:
    words: Script = [("a", 0.5, 4.0), ("b", 62.0, 64.0)]

    cuts = split(KINDS[kind](samples_of(words, 65.0)), 6.0)

    middle = [cut for cut in cuts if cut.start > 10 * 16_000 and cut.end < 60 * 16_000]
    assert len(middle) >= 6
    assert all((cut.envelope <= cut.pause_db).all() for cut in middle)
