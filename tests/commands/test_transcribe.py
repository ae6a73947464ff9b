"""``manage.py transcribe`` as its users call it: a process, its output and its exit code."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from django.conf import settings

from jobs.choices import JobStatus
from processing.audio.decode import decode_all
from processing.audio.splitter import PauseSplitter
from processing.choices import ProcessingStatus
from processing.management.commands.demo import normalized
from processing.models import ChunkTask, ProcessingTask, Recording, Transcript
from tests.audio import make_scripted_audio, write_wav
from tests.processes import (
    environment,
    manage,
    manage_here,
    processes_of_this_test,
    worker_pool,
)
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

DEMO = Path(settings.BASE_DIR) / "processing" / "demo"
RIVER = DEMO / "river.opus"
BEGINNING = "every morning the old man walks down to the river"


@pytest.fixture(autouse=True)
def _empty_storage() -> None:
    for path in stored_files():
        path.unlink()


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """The first sentence of the river."""
    samples = decode_all(RIVER.read_bytes())
    first = next(PauseSplitter(target_seconds=4.5).split([samples]))
    return write_wav(tmp_path / "short.wav", first.samples)


def stored_files() -> list[Path]:
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def last_words(stderr: str) -> str:
    """Return the last line of a command; its workers may log theirs even after it."""
    return [line for line in stderr.splitlines() if not re.match(r"\d{4}-\d\d-\d\d ", line)][-1]


def test_the_transcript_alone_is_on_standard_output() -> None:
    done = manage("transcribe", str(RIVER))

    assert done.returncode == 0
    assert normalized(done.stdout) == normalized(RIVER.with_suffix(".txt").read_text())
    assert "No worker is running; starting some" in done.stderr


def test_a_second_time_comes_from_the_cache(short: Path) -> None:
    first = manage("transcribe", str(short))

    second = manage("transcribe", str(short))

    assert (second.returncode, second.stdout) == (0, first.stdout)
    assert "from the cache" in second.stderr
    assert "starting" not in second.stderr
    assert ProcessingTask.objects.count() == 1


def test_json_has_words_with_times_on_the_recordings_clock(short: Path) -> None:
    done = manage("transcribe", str(short), "--format", "json")

    document = json.loads(done.stdout)
    words = [word for segment in document["segments"] for word in segment["words"]]
    assert list(document) == ["text", "duration", "language", "engine", "segments", "gaps"]
    assert (document["language"], document["engine"], document["gaps"]) == ("en", "sphinx", [])
    assert list(words[0]) == ["word", "start", "end", "confidence"]
    assert [word["start"] for word in words] == sorted(word["start"] for word in words)
    assert words[-1]["end"] <= document["duration"]


def test_every_format_is_heard(short: Path, tmp_path: Path) -> None:
    suffixes = ["wav", "mp3", "m4a", "mp4", "flac", "ogg", "webm"]
    paths = [tmp_path / f"short.{suffix}" for suffix in suffixes]
    for path in paths:
        convert(short, path)

    done = manage("transcribe", *map(str, paths))

    assert done.returncode == 0
    beginnings = [line[: len(BEGINNING)] for line in done.stdout.splitlines()]
    assert beginnings == [BEGINNING] * len(paths)


def test_no_wait_prints_the_id_and_the_work_is_done_later(short: Path) -> None:
    queued = manage("transcribe", "--no-wait", str(short))

    transcript = Transcript.objects.get(pk=queued.stdout.strip())
    assert queued.returncode == 0
    assert "No worker is running yet" in queued.stderr
    with worker_pool(ENGINE="sphinx"):
        wait_for(lambda: not transcript.processings.get().is_active)
    assert transcript.processings.get().status == ProcessingStatus.COMPLETED


def test_several_files_are_written_in_the_order_given(short: Path, tmp_path: Path) -> None:
    silence = write_wav(tmp_path / "silence.wav", np.zeros(16_000, np.int16))

    done = manage("transcribe", str(silence), str(short))

    assert done.returncode == 0
    assert [line[: len(BEGINNING)] for line in done.stdout.splitlines()] == ["", BEGINNING]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("two words.opus", id="space"),
        pytest.param("two\nlines.opus", id="newline"),
        pytest.param("http:", id="protocol"),
        pytest.param("concat:a|b", id="concat"),
        pytest.param("-dash.opus", id="dash"),
    ],
)
def test_a_file_is_its_content_whatever_it_is_called(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(RIVER.read_bytes())
    monkeypatch.chdir(tmp_path)

    done = manage_here("transcribe", "--no-wait", "--", name)

    assert done.returncode == 0
    assert Recording.objects.get().name == name.replace("\n", " ")


def test_json_of_several_files_is_one_line_each_with_the_files_name(
    short: Path, tmp_path: Path
) -> None:
    silence = write_wav(tmp_path / "silence.wav", np.zeros(16_000, np.int16))

    done = manage("transcribe", "--format", "json", str(silence), str(short))

    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert [document["file"] for document in documents] == [str(silence), str(short)]
    assert "silence.wav: no speech was heard" in done.stderr


def test_subtitles_of_several_files_are_wrong_usage(short: Path) -> None:
    done = manage_here("transcribe", "--format", "srt", str(short), str(RIVER))

    assert done.returncode == 2
    assert "srt holds one recording" in done.stderr


def test_a_reader_that_has_had_enough_is_no_traceback(short: Path) -> None:
    done = subprocess.run(
        ["/bin/bash", "-c", '"$0" manage.py transcribe "$1" "$1" | true', sys.executable, short],
        cwd=settings.BASE_DIR,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_workers_that_are_gone_are_not_waited_for(short: Path) -> None:
    with worker_pool() as pool:
        os.kill(pool.process.pid, signal.SIGKILL)

    done = manage("transcribe", str(short))

    assert done.returncode == 0
    assert "No worker is running; starting some" in done.stderr


def test_a_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    done = manage("transcribe", str(RIVER), str(tmp_path / "missing.wav"))

    assert done.returncode == 2
    assert done.stdout == ""
    assert last_words(done.stderr).endswith("missing.wav: No such file or directory")
    assert not Recording.objects.exists()


def test_a_directory_without_recordings_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "agenda.txt").write_text("Welcome.")

    done = manage_here("transcribe", str(tmp_path))

    assert done.returncode == 2
    assert "Is a directory without recordings" in done.stderr


def test_a_directory_means_the_recordings_below_it_and_several_formats_files(
    short: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "may").mkdir(parents=True)
    (folder / "may" / "talk.wav").write_bytes(short.read_bytes())
    (folder / ".hidden.wav").write_bytes(short.read_bytes())
    (folder / "agenda.txt").write_text("Welcome.")
    write_wav(folder / "silence.WAV", np.zeros(16_000, np.int16))

    done = manage(
        *("transcribe", str(folder), "--output-dir", str(out)),
        *("--format", "txt,srt", "--format", "vtt,json"),
    )

    assert (done.returncode, done.stdout) == (0, "")
    assert last_words(done.stderr) == "2 done."
    assert written(out) == sorted(
        f"{stem}.{ending}"
        for stem in ("may/talk", "silence")
        for ending in ("txt", "srt", "vtt", "json")
    )
    assert (out / "may" / "talk.txt").read_text().startswith(BEGINNING)
    assert json.loads((out / "may" / "talk.json").read_text())["text"].startswith(BEGINNING)
    assert (out / "may" / "talk.srt").read_text().startswith("1\n00:00:0")
    assert (out / "silence.vtt").read_text() == "WEBVTT\n"


def test_transcripts_beside_their_recordings_never_meet(short: Path, tmp_path: Path) -> None:
    paths = [tmp_path / "in" / name for name in ("talk.mp3", "talk.wav", "b/talk.ogg")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        convert(short, path)

    done = manage("transcribe", "--beside", *map(str, paths))

    assert done.returncode == 0
    texts = [name for name in written(tmp_path / "in") if name.endswith(".txt")]
    assert texts == ["b/talk.txt", "talk.txt", "talk.wav.txt"]


def test_a_result_that_is_there_is_kept_and_the_others_are_written(
    short: Path, tmp_path: Path
) -> None:
    silence = write_wav(tmp_path / "silence.wav", np.zeros(16_000, np.int16))
    (tmp_path / "short.txt").write_text("mine")

    done = manage("transcribe", "--beside", str(short), str(silence))

    assert done.returncode == 1
    assert "short.txt exists; --force replaces it" in done.stderr
    assert last_words(done.stderr) == "1 done, 1 failed."
    assert (tmp_path / "short.txt").read_text() == "mine"
    assert (tmp_path / "silence.txt").exists()
    assert Recording.objects.get().name == "silence.wav"


def test_force_replaces_a_result(tmp_path: Path) -> None:
    silence = write_wav(tmp_path / "silence.wav", np.zeros(16_000, np.int16))
    (tmp_path / "silence.txt").write_text("mine")

    done = manage("transcribe", "--beside", "--force", str(silence))

    assert done.returncode == 0
    assert (tmp_path / "silence.txt").read_text() != "mine"


def test_a_result_that_cannot_be_written_fails_alone_and_leaves_no_part(tmp_path: Path) -> None:
    silence = write_wav(tmp_path / "silence.wav", np.zeros(16_000, np.int16))
    noise = write_wav(tmp_path / "noise.wav", np.ones(16_000, np.int16))
    (tmp_path / "silence.txt").mkdir()

    done = manage("transcribe", "--beside", "--force", str(silence), str(noise))

    assert done.returncode == 1
    assert "silence.wav: [Errno 21] Is a directory" in done.stderr
    assert written(tmp_path) == ["noise.txt", "noise.wav", "silence.wav"]


@contextmanager
def web_server(directory: Path) -> Iterator[int]:
    """Serve the files of ``directory`` on this machine; yields the port."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_url_is_fetched_and_transcribed(short: Path, tmp_path: Path) -> None:
    with web_server(short.parent) as port:
        url = f"http://127.0.0.1:{port}/{short.name}"
        allowing = ("--allow-host", "127.0.0.1", "--allow-port", str(port))
        done = manage(
            *("transcribe", f"{url}?token=secret", f"{url}.bad", *allowing),
            *("--output-dir", str(tmp_path / "out")),
        )

    assert done.returncode == 1
    assert written(tmp_path / "out") == ["short.txt"]
    assert f"{url}.bad: 127.0.0.1 answered with status 404" in done.stderr
    assert last_words(done.stderr) == "1 done, 1 failed."
    assert "secret" not in done.stderr
    assert Recording.objects.get().name == "short.wav"


def test_a_url_of_this_machine_is_refused_unless_it_is_allowed() -> None:
    done = manage_here("transcribe", "http://localhost/secret.wav")

    assert done.returncode == 1
    assert "localhost is not on the public internet" in done.stderr
    assert stored_files() == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(["--format", "txt,srt"], "several formats need", id="formats"),
        pytest.param(["--output-dir", "x", "--no-wait"], "writes no transcripts", id="no-wait"),
        pytest.param(["--output-dir", "x", "--beside"], "not allowed with", id="two-places"),
        pytest.param(["--beside", "http://a.example/"], "nothing lies beside", id="beside-url"),
        pytest.param(["--allow-host", "10.0.0.1/8"], "has host bits set", id="network"),
        pytest.param(["--format", "txt,docx"], "'docx' is no format", id="format"),
    ],
)
def test_wrong_usage_stores_nothing(arguments: list[str], reason: str) -> None:
    done = manage_here("transcribe", *arguments, str(RIVER))

    assert done.returncode == 2
    assert reason in done.stderr
    assert stored_files() == []


def test_an_unknown_engine_is_wrong_usage_and_stores_nothing() -> None:
    done = manage_here("transcribe", "--engine", "nonesuch", str(RIVER))

    assert done.returncode == 2
    assert "unknown engine 'nonesuch'" in done.stderr
    assert stored_files() == []


def test_a_language_the_engine_does_not_know_is_wrong_usage() -> None:
    done = manage_here("transcribe", "--language", "tlh", str(RIVER))

    assert done.returncode == 2
    assert "sphinx does not understand 'tlh'; it knows en" in done.stderr


def test_a_parameter_that_the_engine_does_not_have_is_wrong_usage_and_stores_nothing() -> None:
    done = manage_here("transcribe", "--prompt", "at the harbour", str(RIVER))

    assert done.returncode == 2
    assert "sphinx has no parameter prompt; it knows channels" in done.stderr
    assert stored_files() == []


def test_channels_heard_by_themselves_are_labelled(short: Path) -> None:
    done = manage("transcribe", "--channels", "separate", "--format", "json", str(short))

    assert done.returncode == 0
    segments = json.loads(done.stdout)["segments"]
    assert segments
    assert {segment["speaker"] for segment in segments} == {"channel 1"}


def test_an_unknown_format_is_wrong_usage() -> None:
    done = manage_here("transcribe", "--format", "docx", str(RIVER))

    assert done.returncode == 2


def text_file(path: Path) -> None:
    path.write_text("This is not audio.")


def empty_file(path: Path) -> None:
    path.touch()


def silent_video(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def one_hertz(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(1)
        file.writeframes(bytes(40_000))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(text_file, "not audio we can read", id="text"),
        pytest.param(empty_file, "the file is empty", id="empty"),
        pytest.param(silent_video, "the file has no sound", id="video-without-sound"),
        pytest.param(one_hertz, "declares 1 samples per second", id="one-hertz"),
    ],
)
def test_what_is_not_audio_fails_with_one_line_and_leaves_nothing(
    make: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.wav"
    make(path)

    done = manage("transcribe", str(path))

    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert reason in done.stderr
    assert stored_files() == []
    assert not Recording.objects.exists()


def test_a_good_file_beside_a_bad_one_is_transcribed(short: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    text_file(bad)

    done = manage("transcribe", str(bad), str(short))

    assert done.returncode == 1
    assert "river" in done.stdout.split()


def test_a_truncated_file_is_heard_to_its_end_and_the_rest_is_a_gap(tmp_path: Path) -> None:
    whole = (DEMO / "lesson.flac").read_bytes()
    path = tmp_path / "truncated.flac"
    path.write_bytes(whole[: len(whole) // 2])

    done = manage("transcribe", str(path))

    assert done.returncode == 3
    assert done.stdout.split()
    assert "truncated" in done.stderr
    assert ProcessingTask.objects.get().status == ProcessingStatus.PARTIAL


def test_a_truncated_wav_is_heard_to_its_end_and_the_rest_is_a_gap(tmp_path: Path) -> None:
    audio = make_scripted_audio(tmp_path, 5.0)
    content = audio.path.read_bytes()
    audio.path.write_bytes(content[: len(content) // 2])

    done = manage("transcribe", str(audio.path))

    assert done.returncode == 3
    assert "nothing from 2.5 s to 5.0 s (truncated" in done.stderr


def test_junk_behind_the_sound_of_a_wav_costs_nothing(tmp_path: Path) -> None:
    audio = make_scripted_audio(tmp_path, 5.0)
    with audio.path.open("ab") as file:
        file.write(bytes(20_000_000))

    done = manage("transcribe", str(audio.path))

    assert done.returncode == 0
    assert Transcript.objects.get().duration_seconds == pytest.approx(5.0, abs=0.1)


def test_a_wav_that_declares_4_gb_is_heard_as_far_as_it_goes(tmp_path: Path) -> None:
    audio = make_scripted_audio(tmp_path, 5.0)
    content = bytearray(audio.path.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    audio.path.write_bytes(content)

    done = manage("transcribe", str(audio.path))

    assert done.returncode == 0
    assert Transcript.objects.get().duration_seconds == pytest.approx(5.0, abs=0.1)


def test_an_engine_that_raises_fails_the_run_with_its_reason() -> None:
    done = manage("transcribe", "--engine", "broken", str(RIVER))

    processing = ProcessingTask.objects.get()
    assert done.returncode == 1
    assert done.stdout == ""
    assert "the engine is broken" in last_words(done.stderr)
    assert processing.status == ProcessingStatus.FAILED
    assert processing.error_message == "the engine is broken"


def test_a_full_disk_fails_with_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    # RLIMIT_FSIZE makes writes fail part-way (EFBIG), as a quota does.
    audio = make_scripted_audio(tmp_path, 60.0)
    limited = 'ulimit -f 64; trap \'\' XFSZ; exec "$0" manage.py transcribe "$1"'

    done = subprocess.run(
        ["/bin/bash", "-c", limited, sys.executable, str(audio.path)],
        cwd=settings.BASE_DIR,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert last_words(done.stderr).endswith("no space left to store the file")
    assert stored_files() == []
    assert not Recording.objects.exists()


def test_an_interrupt_cancels_the_run_and_leaves_no_process(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "manage.py", "transcribe", str(DEMO / "longhand.flac")],
        cwd=settings.BASE_DIR,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        wait_for(lambda: ChunkTask.objects.filter(status=JobStatus.PROCESSING).exists())

        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)

    assert process.returncode == 130
    assert output == b""
    assert ProcessingTask.objects.get().status == ProcessingStatus.CANCELLED
    assert not ChunkTask.objects.active().exists()
    assert processes_of_this_test() == []


def test_an_interrupt_can_leave_the_run_to_other_workers() -> None:
    with (
        worker_pool(ENGINE="sphinx"),
        subprocess.Popen(
            [
                *(sys.executable, "manage.py", "transcribe", str(DEMO / "longhand.flac")),
                *("--on-interrupt", "leave"),
            ],
            cwd=settings.BASE_DIR,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        wait_for(lambda: ChunkTask.objects.filter(status=JobStatus.PROCESSING).exists())

        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
        processing = ProcessingTask.objects.get()
        was_active = processing.is_active

    assert (process.returncode, output) == (130, "")
    assert last_words(errors) == "longhand.flac: goes on, wherever a worker runs"
    assert was_active


def convert(source: Path, target: Path) -> None:
    """Encode ``source`` anew in the format that ``target``'s name says."""
    codec = {"wav": "pcm_s16le", "mp3": "libmp3lame", "flac": "flac"}
    codec |= {"ogg": "libopus", "webm": "libopus", "m4a": "aac", "mp4": "aac"}
    container_format = {"m4a": "mp4"}.get(target.suffix[1:], target.suffix[1:])
    with av.open(str(source)) as given, av.open(str(target), "w", format=container_format) as made:
        stream = made.add_stream(codec[target.suffix[1:]], rate=48_000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        for frame in given.decode(audio=0):
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))


def test_workers_of_a_killed_command_end_with_it() -> None:
    with subprocess.Popen(
        [sys.executable, "manage.py", "transcribe", str(DEMO / "longhand.flac")],
        cwd=settings.BASE_DIR,
        env=environment(),
        stdout=subprocess.DEVNULL,
    ) as process:
        wait_for(lambda: ChunkTask.objects.filter(status=JobStatus.PROCESSING).exists())

        process.kill()

    wait_for(lambda: processes_of_this_test() == [], seconds=20)
    assert not ChunkTask.objects.filter(status=JobStatus.PROCESSING).exists()
    assert ProcessingTask.objects.get().is_active
