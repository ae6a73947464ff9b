"""Any audio to 16 kHz mono, whatever is wrong with it."""

from collections.abc import Callable, Sequence
from io import BytesIO

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_django import Settings

from processing.audio.decode import decode, decode_all, decode_span
from processing.audio.flac import encode_flac, seconds_within
from processing.engines.base import SAMPLE_RATE
from processing.exceptions import AudioTooLarge, UnreadableAudio
from tests.factories.audio import wav_bytes
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


@pytest.mark.parametrize("count", [1, 4_096, 16_000, 1_600_000])
def test_a_stored_chunk_of_the_hardest_sound_is_no_larger_than_reckoned(count: int) -> None:
    samples = np.random.default_rng(count).integers(-32_768, 32_768, count, dtype=np.int16)

    assert seconds_within(len(encode_flac(samples))) <= count / SAMPLE_RATE


def test_a_long_chunk_is_nearly_as_large_as_reckoned() -> None:
    samples = np.random.default_rng(0).integers(-32_768, 32_768, 1_600_000, dtype=np.int16)

    assert seconds_within(len(encode_flac(samples))) == pytest.approx(100.0, rel=0.01)


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


# One channel of several

#: The pitch of each channel, in Hz.
PITCHES = (300, 470, 640, 810, 980, 1_150)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg", "webm", "m4a"])
@pytest.mark.parametrize("channel", [0, 1])
def test_a_channel_is_decoded_alone(suffix: str, channel: int) -> None:
    samples = decode_all(with_pitches(suffix, PITCHES[:2]), channel=channel)

    assert len(samples) / SAMPLE_RATE == pytest.approx(3.0, abs=0.05)
    assert (samples.dtype.name, samples.flags.c_contiguous) == ("int16", True)
    assert loudness_at(samples, PITCHES[channel]) > 30 * loudness_at(samples, PITCHES[1 - channel])


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg"])
def test_without_a_channel_all_are_mixed(suffix: str) -> None:
    samples = decode_all(with_pitches(suffix, PITCHES[:2]))

    one, other = (loudness_at(samples, pitch) for pitch in PITCHES[:2])
    assert one == pytest.approx(other, rel=0.1)


@pytest.mark.parametrize("channel", range(6))
def test_each_of_many_channels_is_decoded_alone(channel: int) -> None:
    samples = decode_all(with_pitches("wav", PITCHES), channel=channel)

    assert pitch(samples) == pytest.approx(PITCHES[channel], abs=1)


def test_the_only_channel_is_the_first() -> None:
    content = media.wav(media.tone(1.0, SAMPLE_RATE).tobytes())

    assert np.array_equal(decode_all(content, channel=0), decode_all(content))


@pytest.mark.parametrize(
    ("layout", "channel", "message"),
    [
        ("mono", 1, "no channel 1 among 1, counted from 0"),
        ("stereo", 2, "no channel 2 among 2, counted from 0"),
        ("stereo", -1, "no channel -1 among 2, counted from 0"),
    ],
)
def test_a_channel_that_is_not_there_is_refused(layout: str, channel: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_all(media.encoded("flac", layout=layout), channel=channel)


@pytest.mark.parametrize("channel", [0, 1])
def test_a_channel_that_ends_on_the_way_is_mixed_from_then_on(channel: int) -> None:
    content = with_pitches("mp3", PITCHES[:2]) + media.encoded("mp3", 2.0, sample_rate=22_050)

    samples = decode_all(content, channel=channel)

    assert len(samples) / SAMPLE_RATE == pytest.approx(5.0, abs=0.2)
    assert pitch(samples[: 2 * SAMPLE_RATE]) == pytest.approx(PITCHES[channel], abs=1)
    assert pitch(samples[-SAMPLE_RATE:]) == pytest.approx(440, abs=2)


def test_a_channel_comes_in_blocks_too() -> None:
    content = BytesIO(media.encoded("flac", 30.0, layout="stereo"))

    blocks = [len(block) for block in decode(content, channel=1)]

    assert len(blocks) > 50
    assert max(blocks) < SAMPLE_RATE


def loudness_at(samples: NDArray[np.int16], hertz: int) -> float:
    """Return how much of a tone there is."""
    times = np.arange(len(samples)) / SAMPLE_RATE
    return float(abs(np.mean(samples * np.exp(-2j * np.pi * hertz * times))))


def with_pitches(suffix: str, pitches: Sequence[int]) -> bytes:
    """Return 3 s of a tone in each channel as a file of the format that ``suffix`` names."""
    container_name, codec, rate = media.FORMATS[suffix]
    layout = {2: "stereo", 6: "5.1"}[len(pitches)]
    turns = 2 * np.pi * np.outer(np.arange(3 * rate) / rate, pitches)
    samples = (np.sin(turns) * 8_000).astype(np.int16).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
    frame.rate = rate
    buffer = BytesIO()
    with av.open(buffer, mode="w", format=container_name) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        resampler = av.AudioResampler(
            format=stream.format.name,
            layout=layout,
            rate=rate,
            frame_size=stream.codec_context.frame_size or 4_096,
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("start", "end"), [(0, 10), (7_000, 23_457), (30_000, 10**9), (10**9, 10**9 + 5)]
)
def test_a_span_is_what_lies_between_its_ends(start: int, end: int) -> None:
    recording = wav_bytes(3.0)

    span = decode_span(BytesIO(recording), start, end)

    assert np.array_equal(span, decode_all(recording)[start:end])
