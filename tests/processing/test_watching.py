"""A folder that is watched: what is taken, when, and what becomes of the files."""

import hashlib
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db.models.signals import post_save
from django.test import override_settings

from processing.models import ProcessingTask, Recording, Transcript, Workspace
from processing.services.inputs.folders import FileGone, move, scan
from processing.services.inputs.submission import submit_recording
from processing.services.inputs.watching import (
    QUOTA_SECONDS,
    RETRY_SECONDS,
    FolderWatcher,
    HandedIn,
    HandIn,
    Outcome,
    Refused,
    Trouble,
)
from tests.factories.audio import wav_bytes
from tests.processes import environment

needs_database = pytest.mark.django_db(transaction=True)


class Clock:
    """A clock that somebody turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def watch(folder: Path, clock: Clock, **options: Any) -> FolderWatcher:
    return FolderWatcher(
        folder,
        hand_in=HandIn(Workspace.objects.default(), "scripted"),
        clock=clock,
        **{"done_folder": folder / "done"} | options,
    )


def settle(watcher: FolderWatcher, clock: Clock) -> list[Outcome]:
    """Look twice, with the time between that a file needs to settle."""
    outcomes = [*watcher.look()]
    clock.now += 5.0
    return [*outcomes, *watcher.look()]


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@needs_database
def test_a_file_that_has_settled_is_handed_in_and_moved(folder: Path, clock: Clock) -> None:
    content = wav_bytes()
    path = put(folder / "meeting.wav", content)

    [outcome] = settle(watch(folder, clock), clock)

    recording = Recording.objects.get()
    assert isinstance(outcome, HandedIn)
    assert (outcome.path, outcome.left) == (path, "")
    assert (recording.name, recording.sha256) == (
        "meeting.wav",
        hashlib.sha256(content).hexdigest(),
    )
    assert outcome.submission.request.transcript.recording == recording
    assert recording.file.read() == content
    assert names(folder) == ["done/meeting.wav"]


@needs_database
def test_a_file_is_not_taken_before_it_has_settled(folder: Path, clock: Clock) -> None:
    put(folder / "meeting.wav", wav_bytes())
    watcher = watch(folder, clock)
    assert [*watcher.look()] == []

    clock.now += 4.9

    assert [*watcher.look()] == []
    assert watcher.unsettled() == [folder / "meeting.wav"]


@needs_database
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.write_bytes(path.read_bytes() + b"x"), id="longer"),
        pytest.param(lambda path: os.utime(path), id="written-again"),
        pytest.param(lambda path: os.utime(path, (1, 1)), id="mtime-set-back"),
    ],
)
def test_a_change_starts_the_wait_anew(
    change: Callable[[Path], None], folder: Path, clock: Clock
) -> None:
    path = put(folder / "meeting.wav", wav_bytes())
    watcher = watch(folder, clock)
    [*watcher.look()]
    clock.now += 4.0
    change(path)
    [*watcher.look()]
    clock.now += 4.0

    assert [*watcher.look()] == []
    clock.now += 1.0
    assert len([*watcher.look()]) == 1


@needs_database
def test_a_file_that_grows_after_the_last_look_is_left(folder: Path, clock: Clock) -> None:
    path = put(folder / "meeting.wav", wav_bytes())
    put(folder / "agenda.wav", wav_bytes(frequency=500))
    os.utime(folder / "agenda.wav", (1, 1))
    watcher = watch(folder, clock)
    [*watcher.look()]
    clock.now += 5.0
    looking = watcher.look()
    first = next(looking)

    path.write_bytes(path.read_bytes() + bytes(1000))

    assert isinstance(first, HandedIn)
    assert first.path.name == "agenda.wav"
    assert [*looking] == []
    assert names(folder) == ["done/agenda.wav", "meeting.wav"]


@needs_database
def test_a_file_that_grows_while_it_is_handed_in_is_handed_in_again(
    folder: Path, clock: Clock
) -> None:
    path = put(folder / "meeting.wav", wav_bytes())

    def grow(**kwargs: Any) -> None:
        path.write_bytes(wav_bytes(frequency=500))

    watcher = watch(folder, clock)
    post_save.connect(grow, sender=Recording)
    try:
        settle(watcher, clock)
    finally:
        post_save.disconnect(grow, sender=Recording)
    left = names(folder)
    settle(watcher, clock)

    assert left == ["meeting.wav"]
    assert names(folder) == ["done/meeting.wav"]
    assert [r.file.read() for r in Recording.objects.order_by("created_at")] == [
        wav_bytes(),
        wav_bytes(frequency=500),
    ]


@needs_database
def test_subfolders_are_searched_and_kept(folder: Path, clock: Clock) -> None:
    put(folder / "2026" / "may" / "meeting.wav", wav_bytes())

    settle(watch(folder, clock), clock)

    assert names(folder) == ["done/2026/may/meeting.wav"]


@needs_database
def test_the_oldest_file_is_first(folder: Path, clock: Clock) -> None:
    for age, name in enumerate(["c.wav", "a.wav", "b.wav"]):
        path = put(folder / name, wav_bytes(frequency=300 + age))
        os.utime(path, (1_000 - age, 1_000 - age))

    outcomes = settle(watch(folder, clock), clock)

    assert [o.path.name for o in outcomes if isinstance(o, HandedIn)] == ["b.wav", "a.wav", "c.wav"]


@needs_database
def test_the_same_content_is_one_recording_under_its_first_name(folder: Path, clock: Clock) -> None:
    os.utime(put(folder / "first.wav", wav_bytes()), (1, 1))
    put(folder / "second.wav", wav_bytes())

    outcomes = settle(watch(folder, clock), clock)

    news = [o.submission.is_new for o in outcomes if isinstance(o, HandedIn)]
    assert news == [True, False]
    assert Recording.objects.get().name == "first.wav"
    assert ProcessingTask.objects.count() == 1
    assert names(folder) == ["done/first.wav", "done/second.wav"]


@needs_database
def test_what_was_handed_in_before_a_crash_is_neither_lost_nor_doubled(
    folder: Path, clock: Clock
) -> None:
    path = put(folder / "meeting.wav", wav_bytes())
    with path.open("rb") as file:  # the crash: handed in, and not moved yet
        submit_recording(
            source=file, name=path.name, workspace=Workspace.objects.default(), engine="scripted"
        )

    settle(watch(folder, clock), clock)

    assert Recording.objects.count() == Transcript.objects.count() == 1
    assert ProcessingTask.objects.count() == 1
    assert names(folder) == ["done/meeting.wav"]


@needs_database
def test_nothing_that_is_done_is_overwritten(folder: Path, clock: Clock) -> None:
    put(folder / "done" / "meeting.wav", b"last year's")
    put(folder / "meeting.wav", wav_bytes())

    settle(watch(folder, clock), clock)

    assert names(folder) == ["done/meeting (2).wav", "done/meeting.wav"]
    assert (folder / "done" / "meeting.wav").read_bytes() == b"last year's"


@needs_database
def test_what_is_done_can_be_deleted(folder: Path, clock: Clock) -> None:
    put(folder / "meeting.wav", wav_bytes())

    settle(watch(folder, clock, done_folder=None), clock)

    assert names(folder) == []
    assert Recording.objects.get().file.read() == wav_bytes()


@needs_database
def test_what_is_done_can_be_moved_to_another_file_system(
    folder: Path, clock: Clock, settings: Any
) -> None:
    elsewhere = Path("/dev/shm") / f"longhand-{os.getpid()}"  # noqa: S108
    assert Path("/dev/shm").stat().st_dev != folder.stat().st_dev  # noqa: S108
    path = put(folder / "meeting.wav", wav_bytes())
    os.utime(path, (1_000, 1_000))

    settle(watch(folder, clock, done_folder=elsewhere), clock)

    moved = elsewhere / "meeting.wav"
    try:
        assert (names(folder), names(elsewhere)) == ([], ["meeting.wav"])
        assert moved.read_bytes() == wav_bytes()
        assert moved.stat().st_mtime == 1_000
    finally:
        moved.unlink()
        elsewhere.rmdir()


@needs_database
def test_what_is_no_audio_is_refused_with_the_reason_beside_it(folder: Path, clock: Clock) -> None:
    put(folder / "2026" / "agenda.docx", b"This is not audio.")
    watcher = watch(folder, clock)

    [outcome] = settle(watcher, clock)

    assert isinstance(outcome, Refused)
    assert "not audio we can read" in outcome.reason
    assert names(folder) == ["rejected/2026/agenda.docx", "rejected/2026/agenda.docx.txt"]
    note = folder / "rejected" / "2026" / "agenda.docx.txt"
    assert note.read_text() == f"{outcome.reason}\n"
    assert settle(watcher, clock) == []
    assert not Recording.objects.exists()


@needs_database
def test_a_note_replaces_no_file_of_that_name(folder: Path, clock: Clock) -> None:
    os.utime(put(folder / "agenda.txt", b"Welcome."), (1, 1))
    put(folder / "agenda", b"This is not audio.")

    settle(watch(folder, clock), clock)

    assert (folder / "rejected" / "agenda.txt").read_bytes() == b"Welcome."
    assert names(folder / "rejected") == [
        "agenda",
        "agenda (2).txt",
        "agenda.txt",
        "agenda.txt.txt",
    ]


@needs_database
def test_a_file_over_the_limit_is_refused_unread(folder: Path, clock: Clock, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 1000
    with (folder / "huge.wav").open("wb") as file:
        file.truncate(1 << 40)

    [outcome] = settle(watch(folder, clock), clock)

    assert isinstance(outcome, Refused)
    assert "the limit is 1,000 bytes" in outcome.reason
    assert names(folder) == ["rejected/huge.wav", "rejected/huge.wav.txt"]


@needs_database
def test_what_cannot_be_moved_is_told_once_and_handed_in_once(folder: Path, clock: Clock) -> None:
    put(folder / "meeting.wav", wav_bytes())
    put(folder / "agenda.txt", b"This is not audio.")
    put(folder / "done", b"a file where the folder should be")
    put(folder / "rejected", b"likewise")
    watcher = watch(folder, clock)

    outcomes = settle(watcher, clock)

    assert all(o.left for o in outcomes if not isinstance(o, Trouble))
    assert len(outcomes) == 4
    assert settle(watcher, clock) == []
    assert watcher.unsettled() == []


@needs_database
def test_what_was_remembered_is_taken_again_when_it_changes(folder: Path, clock: Clock) -> None:
    put(folder / "rejected", b"a file where the folder should be")
    path = put(folder / "meeting.wav", b"not yet")
    watcher = watch(folder, clock)
    settle(watcher, clock)

    path.write_bytes(wav_bytes())

    [outcome] = settle(watcher, clock)
    assert isinstance(outcome, HandedIn)


@contextmanager
def full_disk() -> Iterator[None]:
    """Let writes fail part-way (EFBIG), as a quota does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def missing_disk() -> Iterator[None]:
    with override_settings(FILE_UPLOAD_TEMP_DIR="/nonexistent"):
        yield


@needs_database
@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        pytest.param(full_disk, "no space left to store the file", id="full"),
        pytest.param(missing_disk, "No such file or directory", id="missing"),
    ],
)
def test_a_disk_of_ours_that_fails_is_told_once_and_nothing_is_refused(
    failure: Callable[[], AbstractContextManager[None]], reason: str, folder: Path, clock: Clock
) -> None:
    put(folder / "a.wav", wav_bytes())
    put(folder / "b.wav", wav_bytes(frequency=500))
    watcher = watch(folder, clock)

    with failure():
        [trouble] = settle(watcher, clock)
        clock.now += 30.0
        silence = [*watcher.look()]
    clock.now += 30.0
    outcomes = [*watcher.look()]

    assert isinstance(trouble, Trouble)
    assert reason in trouble.reason
    assert silence == []
    assert [type(o) for o in outcomes] == [HandedIn, HandedIn]


@needs_database
@pytest.mark.parametrize("limit", ["max_storage_bytes", "max_audio_minutes_per_month"])
def test_what_is_over_a_quota_stays_until_there_is_room(
    folder: Path, clock: Clock, limit: str
) -> None:
    put(folder / "meeting.wav", wav_bytes())
    watcher = watch(folder, clock)
    Workspace.objects.update(**{limit: 0})

    [trouble] = settle(watcher, clock)
    Workspace.objects.update(**{limit: None})
    clock.now += RETRY_SECONDS
    silence = [*watcher.look()]
    clock.now += QUOTA_SECONDS
    [outcome] = watcher.look()

    assert isinstance(trouble, Trouble)
    assert limit in trouble.reason
    assert silence == []
    assert isinstance(outcome, HandedIn)


@needs_database
def test_a_database_that_is_away_is_waited_for(folder: Path, clock: Clock) -> None:
    put(folder / "meeting.wav", wav_bytes())
    watcher = watch(folder, clock)
    [*watcher.look()]
    clock.now += 5.0
    with psycopg.connect(environment()["DATABASE_URL"], autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid != pg_backend_pid()"
        )

    [trouble] = watcher.look()
    clock.now += 30.0
    [outcome] = watcher.look()

    assert isinstance(trouble, Trouble)
    assert isinstance(outcome, HandedIn)


@needs_database
def test_a_folder_that_is_away_is_told_once_and_waited_for(folder: Path, clock: Clock) -> None:
    watcher = watch(folder, clock)
    folder.rename(folder.with_name("away"))
    outcomes = [*watcher.look(), *watcher.look()]

    folder.with_name("away").rename(folder)
    put(folder / "meeting.wav", wav_bytes())
    clock.now += 30.0

    assert [type(o) for o in outcomes] == [Trouble]
    assert isinstance(settle(watcher, clock)[0], HandedIn)


# What is there at all


@pytest.mark.parametrize(
    "name",
    [
        *(".hidden.wav", ".folder/a.wav", "a.wav.part", "a.wav.crdownload", "a.TMP", "a.wav~"),
        *("a.wav.filepart", "a.partial", "a.download", "Thumbs.db", "desktop.ini"),
    ],
)
def test_what_is_hidden_or_unfinished_is_not_seen(name: str, folder: Path) -> None:
    put(folder / name, b"x")

    assert scan(folder) == {}


def test_symbolic_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    secret = put(tmp_path / "outside" / "secret.wav", b"x")
    (folder / "file.wav").symlink_to(secret)
    (folder / "directory").symlink_to(secret.parent)
    (folder / "loop").symlink_to(folder)
    (folder / "dangling").symlink_to(tmp_path / "nowhere")

    assert scan(folder) == {}


@needs_database
def test_a_link_that_takes_the_place_of_a_file_is_not_followed(
    folder: Path, clock: Clock, tmp_path: Path
) -> None:
    secret = put(tmp_path / "secret.wav", wav_bytes())
    path = put(folder / "meeting.wav", wav_bytes(frequency=500))
    os.utime(put(folder / "a.wav", wav_bytes(frequency=600)), (1, 1))
    watcher = watch(folder, clock)
    [*watcher.look()]
    clock.now += 5.0
    looking = watcher.look()
    next(looking)

    path.unlink()
    path.symlink_to(secret)

    assert [type(o) for o in looking] == [Refused]
    assert [r.name for r in Recording.objects.all()] == ["a.wav"]


def test_pipes_are_not_seen(folder: Path) -> None:
    os.mkfifo(folder / "pipe.wav")

    assert scan(folder) == {}


def test_ten_thousand_files_are_looked_at_in_a_moment(folder: Path) -> None:
    for number in range(100):
        directory = folder / str(number)
        directory.mkdir()
        for other in range(100):
            (directory / f"{other}.wav").touch()

    started = time.process_time()
    found = scan(folder)

    assert len(found) == 10_000
    assert time.process_time() - started < 1.0


def test_two_that_move_the_same_file_do_it_once(folder: Path, tmp_path: Path) -> None:
    path = put(folder / "meeting.wav", b"x")
    move(path, tmp_path / "done" / "meeting.wav")

    with pytest.raises(FileGone):
        move(path, tmp_path / "done" / "meeting.wav")

    assert names(tmp_path / "done") == ["meeting.wav"]
