"""Any audio to 16 kHz mono, whatever is wrong with it."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_django import Settings

from processing.audio.decode import decode, decode_all
from processing.audio.flac import encode_flac
from processing.engines.base import SAMPLE_RATE
from processing.exceptions import AudioTooLarge, UnreadableAudio
from tests.processing import media


def seconds_of(content: bytes) -> float:
    return len(decode_all(content)) / SAMPLE_RATE


def pitch(samples: NDArray[np.int16]) -> float:
    """Return the strongest frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / len(samples)


@pytest.mark.parametrize("suffix", ["wav", "mp3", "m4a", "flac", "ogg", "webm"])
@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_every_format_comes_out_as_long_as_it_is_and_at_its_pitch(suffix: str, layout: str) -> None:
    samples = decode_all(media.encoded(suffix, 3.0, layout=layout))

    assert (samples.dtype.name, samples.ndim) == ("int16", 1)
    assert len(samples) / SAMPLE_RATE == pytest.approx(3.0, abs=0.05)
    assert pitch(samples) == pytest.approx(440, abs=1)


def test_audio_at_our_rate_comes_out_sample_by_sample() -> None:
    samples = media.tone(1.0, SAMPLE_RATE)

    assert np.array_equal(decode_all(media.wav(samples.tobytes())), samples)


@pytest.mark.parametrize("count", [1, 160, 4_095, 4_096, 4_097, 50_000])
def test_a_chunk_survives_being_stored_sample_by_sample(count: int) -> None:
    samples = np.random.default_rng(count).integers(-32_768, 32_767, count, dtype=np.int16)

    assert np.array_equal(decode_all(encode_flac(samples)), samples)


def test_audio_comes_in_blocks_and_not_all_at_once() -> None:
    blocks = [len(block) for block in decode(BytesIO(media.encoded("flac", 30.0)))]

    assert len(blocks) > 50
    assert max(blocks) < SAMPLE_RATE


@pytest.mark.parametrize("content", media.NOT_AUDIO)
def test_what_is_not_audio_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableAudio):
        decode_all(content)


def test_a_header_without_any_sound_is_refused() -> None:
    with pytest.raises(UnreadableAudio, match="no sound that can be decoded"):
        decode_all(media.wav(b""))


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "webm", "aac"])
def test_a_truncated_file_ends_where_its_data_ends(suffix: str) -> None:
    content = media.encoded(suffix, 6.0)

    seconds = seconds_of(content[: len(content) // 2])

    assert 1.5 < seconds < 3.5


def test_a_wav_that_declares_four_gigabytes_gives_what_is_there() -> None:
    samples = media.tone(1.0, SAMPLE_RATE)

    content = media.wav(samples.tobytes(), declared_bytes=0xFFFF_FFFE)

    assert np.array_equal(decode_all(content), samples)


def test_a_damaged_stretch_costs_that_stretch() -> None:
    content = bytearray(media.encoded("mp3", 10.0))
    middle = len(content) // 2
    content[middle : middle + 400] = b"\x55" * 400

    assert seconds_of(bytes(content)) == pytest.approx(10.0, abs=0.3)


def joined(suffix: str) -> bytes:
    first = media.encoded(suffix, 2.0, sample_rate=44_100, layout="mono")
    return first + media.encoded(suffix, 2.0, sample_rate=22_050, layout="stereo")


@pytest.mark.parametrize("suffix", ["mp3", "aac"])
def test_files_that_were_joined_are_read_to_their_end_whatever_their_rates(suffix: str) -> None:
    samples = decode_all(joined(suffix))

    assert len(samples) / SAMPLE_RATE == pytest.approx(4.0, abs=0.2)
    assert pitch(samples[-SAMPLE_RATE:]) == pytest.approx(440, abs=2)


def test_more_audio_than_the_limit_is_refused_as_soon_as_it_comes_out(settings: Settings) -> None:
    settings.MAX_DURATION_SECONDS = 2
    seconds = 0.0

    with pytest.raises(AudioTooLarge, match="more audio than the limit of"):  # noqa: PT012
        for block in decode(BytesIO(media.encoded("aac", 30.0))):
            seconds += len(block) / SAMPLE_RATE

    assert seconds <= 2.0


def test_audio_of_just_the_limit_is_decoded(settings: Settings) -> None:
    settings.MAX_DURATION_SECONDS = 2

    assert seconds_of(media.wav(b"\0\1" * 2 * SAMPLE_RATE)) == 2.0


@pytest.mark.parametrize("cut", [lambda b: b[:-1], lambda b: b[:100]], ids=["last", "most"])
def test_a_wav_that_ends_early_gives_whole_samples(cut: Callable[[bytes], bytes]) -> None:
    assert len(decode_all(cut(media.wav()))) > 0
