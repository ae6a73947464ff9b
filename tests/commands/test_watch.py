"""``manage.py watch`` as its users call it, with others writing into the folder meanwhile."""

import hashlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from processing.models import ProcessingTask, Recording, Transcript, Workspace
from tests.factories.audio import wav_bytes
from tests.processes import environment, manage, manage_here
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

QUICK = ("--stable-seconds", "0.4", "--poll-seconds", "0.05", "--engine", "scripted")


@contextmanager
def watching(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the command on ``folder``; yields once it watches."""
    with subprocess.Popen(
        [sys.executable, "manage.py", "watch", str(folder), *QUICK, *arguments],
        cwd=settings.BASE_DIR,
        env=environment(PYTHONUNBUFFERED="1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("Watching ")
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def fill(folder: Path, count: int) -> set[str]:
    """Write different recordings; return their hashes."""
    contents = [wav_bytes(0.5, frequency=200 + number) for number in range(count)]
    for number, content in enumerate(contents):
        (folder / f"{number}.wav").write_bytes(content)
    return {hashlib.sha256(content).hexdigest() for content in contents}


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def assert_each_once(hashes: set[str]) -> None:
    assert sorted(Recording.objects.values_list("sha256", flat=True)) == sorted(hashes)
    assert Transcript.objects.count() == ProcessingTask.objects.count() == len(hashes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_file_is_handed_in_and_a_signal_ends_it_with_a_summary(
    number: signal.Signals, tmp_path: Path
) -> None:
    with watching(tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        fill(tmp_path, 1)
        output, warning = process.stdout.readline(), process.stderr.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)

    assert process.returncode == 0
    assert output == f"0.wav: transcript {Transcript.objects.get().pk}\n"
    assert warning == "No worker is running yet; start one with: manage.py work\n"
    assert errors == "Ended: 1 handed in.\n"
    assert names(tmp_path) == ["done/0.wav"]


def test_a_file_that_is_still_copied_is_never_taken(tmp_path: Path) -> None:
    content = wav_bytes(5.0)
    step = len(content) // 20
    pause = threading.Event()

    with watching(tmp_path) as process:
        with (tmp_path / "slow.wav").open("wb", buffering=0) as file:
            for start in range(0, len(content), step):
                file.write(content[start : start + step])
                pause.wait(0.1)  # the copy takes five times as long as a file has to be still
        wait_for(lambda: names(tmp_path) == ["done/slow.wav"])
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)

    assert Recording.objects.get().sha256 == hashlib.sha256(content).hexdigest()


def test_a_kill_between_two_steps_loses_and_doubles_nothing(tmp_path: Path) -> None:
    hashes = fill(tmp_path, 12)
    with watching(tmp_path) as process:
        wait_for(lambda: Recording.objects.count() >= 3, every=0.001)
        process.kill()

    done = manage("watch", str(tmp_path), *QUICK, "--once")

    assert done.returncode == 0
    assert_each_once(hashes)
    assert len(names(tmp_path / "done")) >= 12
    assert names(tmp_path) == [f"done/{name}" for name in names(tmp_path / "done")]


def test_several_watchers_of_one_folder_hand_each_file_in_once(tmp_path: Path) -> None:
    moved = [f"done/{number}.wav" for number in range(12)]
    moved += ["rejected/agenda.txt", "rejected/agenda.txt.txt"]

    with watching(tmp_path) as first, watching(tmp_path) as second:
        hashes = fill(tmp_path, 12)
        (tmp_path / "agenda.txt").write_text("This is not audio.")
        wait_for(lambda: names(tmp_path) == sorted(moved))
        ends = []
        for process in (first, second):
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
            ends.append(process.returncode)

    assert ends == [0, 0]
    assert_each_once(hashes)
    assert names(tmp_path) == sorted(moved)


def test_once_takes_what_is_there_and_says_what_it_refused(tmp_path: Path) -> None:
    hashes = fill(tmp_path, 2)
    (tmp_path / "agenda.txt").write_text("This is not audio.")

    done = manage("watch", str(tmp_path), *QUICK, "--once")

    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    assert "agenda.txt: not audio we can read" in done.stderr
    assert done.stderr.endswith("Ended: 2 handed in, 1 refused.\n")
    assert_each_once(hashes)


def test_once_leaves_what_is_still_written(tmp_path: Path) -> None:
    over = threading.Event()

    def write() -> None:
        with (tmp_path / "growing.wav").open("wb", buffering=0) as file:
            while not over.wait(0.02):
                file.write(bytes(100))

    writer = threading.Thread(target=write)
    writer.start()
    wait_for((tmp_path / "growing.wav").exists)
    done = manage("watch", str(tmp_path), *QUICK, "--once")
    over.set()
    writer.join()

    assert done.returncode == 1
    assert "growing.wav: left for the next time" in done.stderr
    assert names(tmp_path) == ["growing.wav"]


def test_once_on_an_empty_folder_is_over_at_once(tmp_path: Path) -> None:
    done = manage("watch", str(tmp_path), "--once", "--stable-seconds", "3600")

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "Ended: nothing appeared.\n"


def test_the_recordings_belong_to_the_workspace_named(tmp_path: Path) -> None:
    workspace = Workspace.objects.create(name="Radio", slug="radio")
    fill(tmp_path, 1)

    manage("watch", str(tmp_path), *QUICK, "--once", "--workspace", "radio", "--delete")

    assert Recording.objects.get().workspace == workspace
    assert names(tmp_path) == []


def test_move_to_says_where_the_files_go(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    fill(folder, 1)

    manage("watch", str(folder), *QUICK, "--once", "--move-to", str(tmp_path / "archive"))

    assert names(tmp_path) == ["archive/0.wav"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(["{folder}/nowhere"], "no such directory", id="no-directory"),
        pytest.param(
            ["{folder}", "--workspace", "nobody"], "no workspace 'nobody'", id="workspace"
        ),
        pytest.param(["{folder}", "--engine", "nonesuch"], "unknown engine", id="engine"),
        pytest.param(["{folder}", "--language", "tlh"], "does not understand 'tlh'", id="language"),
        pytest.param(["{folder}", "--move-to", "{folder}"], "--move-to would leave", id="move-to"),
        pytest.param(["{folder}", "--delete", "--move-to", "x"], "not allowed with", id="both"),
        pytest.param(["{folder}", "--stable-seconds", "nan"], "is not from 0", id="nan"),
        pytest.param(["{folder}", "--poll-seconds", "-1"], "is not from 0", id="negative"),
        pytest.param(["{media}"], "the stored recordings themselves", id="media"),
        pytest.param(["/"], "the stored recordings themselves", id="media-within"),
    ],
)
def test_wrong_usage_hands_nothing_in(arguments: list[str], reason: str, tmp_path: Path) -> None:
    fill(tmp_path, 1)
    given = [a.format(folder=tmp_path, media=settings.MEDIA_ROOT) for a in arguments]

    done = manage_here("watch", "--once", *given)

    assert done.returncode == 2
    assert reason in done.stderr
    assert not Recording.objects.exists()
    assert names(tmp_path) == ["0.wav"]
