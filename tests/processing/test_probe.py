"""What a file really is, and what is refused before it costs anything."""

import socket
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from threading import Thread

import pytest
from pytest_django import Settings

from processing.audio.probe import AudioProbe, probe
from processing.exceptions import AudioTooLarge, UnreadableAudio
from tests.processing import media


def probed(content: bytes) -> AudioProbe:
    return probe(BytesIO(content), size_bytes=len(content))


@pytest.mark.parametrize(
    ("suffix", "container", "codec", "sample_rate"),
    [
        ("wav", "wav", "pcm_s16le", 44_100),
        ("mp3", "mp3", "mp3float", 44_100),
        ("m4a", "mov", "aac", 44_100),
        ("flac", "flac", "flac", 44_100),
        ("ogg", "ogg", "opus", 48_000),
        ("webm", "matroska", "opus", 48_000),
    ],
)
def test_headers_are_read_from_the_content(
    suffix: str, container: str, codec: str, sample_rate: int
) -> None:
    found = probed(media.encoded(suffix, 3.0))

    assert (found.container, found.codec, found.channels) == (container, codec, 1)
    assert found.sample_rate == sample_rate
    assert found.duration_seconds == pytest.approx(3.0, abs=0.05)


def test_channels_are_counted() -> None:
    assert probed(media.encoded("flac", layout="stereo")).channels == 2


def test_a_raw_stream_does_not_say_how_long_it_is() -> None:
    assert probed(media.encoded("aac")).duration_seconds is None


def test_a_wav_without_data_does_not_say_how_long_it_is() -> None:
    assert probed(media.wav(b"")).duration_seconds is None


def test_an_empty_file_is_refused_and_called_empty() -> None:
    with pytest.raises(UnreadableAudio, match="the file is empty"):
        probed(b"")


@pytest.mark.parametrize("content", media.NOT_AUDIO)
def test_what_is_not_audio_is_refused_with_what_we_read(content: bytes) -> None:
    with pytest.raises(
        UnreadableAudio, match=r"we read wav, mp3, m4a/mp4, flac, ogg/opus, webm|without its index"
    ):
        probed(content)


def test_a_video_without_sound_is_refused_for_that() -> None:
    with pytest.raises(UnreadableAudio, match="the file has no sound"):
        probed(media.silent_video())


def test_sound_in_an_unknown_coding_is_refused_for_that() -> None:
    with pytest.raises(UnreadableAudio, match="in a coding that we cannot decode"):
        probed(media.wav(codec_tag=0x1234))


@pytest.mark.parametrize("sample_rate", [1, 3_999, 192_001, 4_000_000])
def test_a_sample_rate_out_of_bounds_is_refused_with_the_bounds(sample_rate: int) -> None:
    with pytest.raises(UnreadableAudio, match=f"declares {sample_rate} .* 4,000 to 192,000"):
        probed(media.wav(sample_rate=sample_rate))


@pytest.mark.parametrize("sample_rate", [4_000, 192_000])
def test_a_sample_rate_at_its_bounds_is_read(sample_rate: int) -> None:
    assert probed(media.wav(sample_rate=sample_rate)).sample_rate == sample_rate


def test_eight_channels_are_read_and_nine_refused() -> None:
    assert probed(media.wav(channels=8)).channels == 8
    with pytest.raises(UnreadableAudio, match="declares 9 channels; we read 1 to 8"):
        probed(media.wav(channels=9))


def test_more_audio_than_the_limit_is_refused_by_its_header(settings: Settings) -> None:
    settings.MAX_DURATION_SECONDS = 2

    with pytest.raises(AudioTooLarge, match=r"0\.0 hours of audio; the limit is"):
        probed(media.encoded("flac", 3.0))


def test_audio_of_just_the_limit_is_read(settings: Settings) -> None:
    settings.MAX_DURATION_SECONDS = 3

    assert probed(media.encoded("flac", 3.0)).duration_seconds == 3.0


def test_a_wav_is_as_long_as_its_data_whatever_it_declares() -> None:
    four_gigabytes = 0xFFFF_FFFE

    found = probed(media.wav(b"\0\1" * 16_000, declared_bytes=four_gigabytes))

    assert found.duration_seconds == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["song.mp3", "song.m3u8"])
@pytest.mark.parametrize("make", [media.playlist, media.concatenation])
def test_a_playlist_gets_no_other_file_read_whatever_it_is_called(
    tmp_path: Path, make: Callable[[str], bytes], name: str
) -> None:
    (tmp_path / "secret.wav").write_bytes(media.wav())
    path = tmp_path / name
    path.write_bytes(make("secret.wav"))

    with path.open("rb") as file, pytest.raises(UnreadableAudio, match="we read wav"):
        probe(file, size_bytes=path.stat().st_size)


@pytest.mark.parametrize("name", ["song.mp3", "song.m3u8"])
@pytest.mark.parametrize("make", [media.playlist, media.concatenation])
def test_a_playlist_does_not_make_us_call_anybody(
    tmp_path: Path, make: Callable[[str], bytes], name: str
) -> None:
    callers: list[tuple[str, int]] = []

    def hang_up_on_one_caller() -> None:
        call, address = server.accept()
        callers.append(address)
        call.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        phone = Thread(target=hang_up_on_one_caller)
        phone.start()
        path = tmp_path / name
        path.write_bytes(make(f"http://127.0.0.1:{server.getsockname()[1]}/song.mp3"))

        with path.open("rb") as file, suppress(UnreadableAudio):
            probe(file, size_bytes=path.stat().st_size)
        with socket.create_connection(server.getsockname()) as our_own_call:
            phone.join()

            assert callers == [our_own_call.getsockname()]


def test_a_file_is_read_from_its_beginning_wherever_it_stands() -> None:
    file = BytesIO(media.wav())
    file.seek(500)

    assert probe(file, size_bytes=1_000).container == "wav"
