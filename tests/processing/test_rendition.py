"""The WAV file that browsers get of what they do not play: the bytes of any part of it."""

import io
import wave
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from processing.audio.decode import decode_all, decode_from
from processing.audio.playable import played_type
from processing.audio.probe import probe
from processing.audio.rendition import HEADER_BYTES, Rendition
from processing.engines.base import SAMPLE_RATE
from tests.processing import media

SECONDS = 8.0

#: Each as a whole: the file, and what is decoded of it from its beginning.
FILES = {
    suffix: media.encoded(suffix, SECONDS, sound=media.melody)
    for suffix in ("w64", "mka", "mov", "aac", "webm", "ogg", "mp3", "flac", "m4a", "wav")
}
WHOLE = decode_all(FILES["w64"])


def rendered(content: bytes, *, sample_count: int | None = None) -> bytes:
    rendition = Rendition(len(decode_all(content)) if sample_count is None else sample_count)
    return rendition.read(BytesIO(content), 0, rendition.size_bytes)


def delay(samples: NDArray[np.int16], among: NDArray[np.int16], expected: int) -> int:
    """Return by how many samples the beginning of ``samples`` is later in ``among``."""
    reach = 2_000
    here = among[expected - reach : expected + reach + 4_000].astype(float)
    fits = np.correlate(here, samples[:4_000].astype(float), "valid")
    return int(np.argmax(fits)) - reach


def test_a_rendition_is_a_wav_file_of_what_engines_hear() -> None:
    content = rendered(FILES["mka"])

    with wave.open(io.BytesIO(content)) as file:
        shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert shape == (1, 2, SAMPLE_RATE)
    assert np.array_equal(samples, decode_all(FILES["mka"]))


@settings(max_examples=40, deadline=None)
@given(start=st.integers(0, 256_044), length=st.integers(1, 70_000))
def test_any_part_is_that_part_of_the_whole(start: int, length: int) -> None:
    rendition = Rendition(len(WHOLE))
    end = min(start + length, rendition.size_bytes)

    part = rendition.read(BytesIO(FILES["w64"]), start, end)

    assert part == (rendered(b"", sample_count=len(WHOLE))[:44] + WHOLE.tobytes())[start:end]


@pytest.mark.parametrize("suffix", FILES)
@pytest.mark.parametrize("seconds", [1.0, 3.217, 6.9])
def test_what_is_decoded_from_a_place_on_is_what_is_there(suffix: str, seconds: float) -> None:
    whole, start = decode_all(FILES[suffix]), int(seconds * SAMPLE_RATE)

    found = np.concatenate(
        list(decode_from(BytesIO(FILES[suffix]), start, sample_count=len(whole)))
    )

    assert abs(delay(found, whole, start)) <= SAMPLE_RATE // 1_000
    assert len(found) == pytest.approx(len(whole) - start, abs=SAMPLE_RATE // 100)


def test_where_times_and_samples_disagree_all_is_decoded() -> None:
    content = FILES["m4a"]

    found = decode_from(BytesIO(content), 50_000, sample_count=100_000)

    assert np.array_equal(np.concatenate(list(found)), decode_all(content)[50_000:])


def test_what_a_file_lacks_is_silent() -> None:
    content = rendered(FILES["w64"][:100_000], sample_count=len(WHOLE))

    samples = np.frombuffer(content[HEADER_BYTES:], np.int16)
    assert len(samples) == len(WHOLE)
    assert samples[:40_000].any()
    assert not samples[60_000:].any()


def test_what_is_no_audio_is_silent_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    content = rendered(b"This is a letter." * 50, sample_count=1_000)

    assert content[HEADER_BYTES:] == bytes(2_000)
    assert "silent from sample 0 on: not audio we can read" in caplog.text


def test_a_header_is_read_without_decoding() -> None:
    assert Rendition(16_000).read(BytesIO(b"no audio"), 0, 12)[:4] == b"RIFF"


def test_a_rendition_of_more_than_a_header_can_say_is_still_made() -> None:
    header = Rendition(3_000_000_000).read(BytesIO(b""), 0, HEADER_BYTES)

    assert header[40:] == b"\xff\xff\xff\xff"


# What browsers play


def type_of(content: bytes) -> str | None:
    found = probe(BytesIO(content), size_bytes=len(content))
    return played_type(BytesIO(content), container=found.container, codec=found.codec)


@pytest.mark.parametrize(
    ("suffix", "content_type"),
    [
        ("wav", "audio/wav"),
        ("mp3", "audio/mpeg"),
        ("flac", "audio/flac"),
        ("ogg", "audio/ogg"),
        ("m4a", "audio/mp4"),
        ("webm", "audio/webm"),
        ("mka", None),
        ("mov", None),
        ("w64", None),
        ("aac", None),
    ],
)
def test_what_browsers_play_goes_as_it_is(suffix: str, content_type: str | None) -> None:
    assert type_of(FILES[suffix]) == content_type


def test_an_mp3_whose_bit_rate_varies_is_rendered() -> None:
    assert type_of(media.encoded("mp3", sound=media.melody, quality=4 * 118)) is None
