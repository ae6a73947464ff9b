"""Taking a recording in: whole and once, or not at all."""

import errno
import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.storage import FileSystemStorage
from django.db import DataError
from pytest_django import Settings

from processing.exceptions import AudioTooLarge, StorageFull, UnreadableAudio
from processing.models import Recording, Workspace
from processing.services.inputs.ingestion import hash_file, store_recording
from tests.factories.processing import WorkspaceFactory
from tests.processing import media

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def stored(tmp_path: Path, settings: Settings) -> Path:
    """A media root of the test's own."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def workspace() -> Workspace:
    return WorkspaceFactory.create()


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def take_in(content: bytes, workspace: Workspace, **fields: Any) -> tuple[Recording, bool]:
    name = fields.pop("name", "meeting.wav")
    return store_recording(source=BytesIO(content), name=name, workspace=workspace, **fields)


class FullStorage(FileSystemStorage):
    """A disk that is full after the first half of whatever is written to it."""

    number = errno.ENOSPC

    def _save(self, name: str, content: Any) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.read()[:1_000])
        raise OSError(self.number, "no room")


class BrokenStorage(FullStorage):
    number = errno.EIO


def use_storage(settings: Settings, storage: type[FileSystemStorage]) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": f"{storage.__module__}.{storage.__qualname__}"},
    }


# What is kept


def test_a_recording_is_stored_with_what_it_is(workspace: Workspace, stored: Path) -> None:
    content = media.encoded("flac", 3.0)
    user = get_user_model().objects.create_user("ada")

    recording, is_new = take_in(content, workspace, name="talk.flac", created_by=user)

    assert is_new
    assert (recording.name, recording.workspace, recording.created_by) == (
        "talk.flac",
        workspace,
        user,
    )
    assert (recording.container, recording.codec) == ("flac", "flac")
    assert (recording.sample_rate, recording.channels) == (44_100, 1)
    assert recording.duration_seconds == 3.0
    assert (recording.size_bytes, recording.sha256) == (
        len(content),
        hashlib.sha256(content).hexdigest(),
    )
    assert [path.read_bytes() for path in files(stored)] == [content]


def test_a_stored_file_has_a_name_of_ours(workspace: Workspace) -> None:
    recording, _ = take_in(media.wav(), workspace, name="../../etc/passwd")

    assert recording.file.name == f"recordings/{Path(str(recording.file.name)).name}"
    assert "passwd" not in str(recording.file.name)


def test_a_file_is_stored_from_its_beginning_wherever_it_stands(
    workspace: Workspace, stored: Path
) -> None:
    source = BytesIO(media.wav())
    source.seek(700)

    store_recording(source=source, name="a.wav", workspace=workspace)

    assert [path.read_bytes() for path in files(stored)] == [media.wav()]


# Once


def test_the_same_content_is_stored_once_under_its_first_name(
    workspace: Workspace, stored: Path
) -> None:
    first, _ = take_in(media.wav(), workspace, name="first.wav")

    second, is_new = take_in(media.wav(), workspace, name="second.wav")

    assert (second, is_new, second.name) == (first, False, "first.wav")
    assert len(files(stored)) == 1


def test_other_content_under_the_same_name_is_another_recording(workspace: Workspace) -> None:
    take_in(media.wav(b"\0\1" * 16_000), workspace)

    _, is_new = take_in(media.wav(b"\0\2" * 16_000), workspace)

    assert is_new
    assert Recording.objects.in_workspace(workspace).count() == 2


def test_two_workspaces_do_not_share_a_recording(workspace: Workspace) -> None:
    mine, _ = take_in(media.wav(), workspace)

    theirs, is_new = take_in(media.wav(), WorkspaceFactory.create())

    assert is_new
    assert theirs.file.name != mine.file.name


def test_a_hash_that_the_caller_made_is_believed(workspace: Workspace) -> None:
    recording, _ = take_in(media.wav(), workspace, sha256="f" * 64)

    assert recording.sha256 == "f" * 64


def test_a_file_is_hashed_from_its_beginning() -> None:
    source = BytesIO(b"x" * 3_000_000)
    source.seek(9)

    assert hash_file(source) == hashlib.sha256(b"x" * 3_000_000).hexdigest()


# Names


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("my talk.mp3", "my talk.mp3", id="spaces"),
        pytest.param("a\nb\r\tc.mp3", "a b  c.mp3", id="line breaks"),
        pytest.param("a/b.mp3", "a/b.mp3", id="a slash"),
        pytest.param("http://host/talk.mp3?x=1", "http://host/talk.mp3?x=1", id="an address"),
        pytest.param("concat:a|b.mp3", "concat:a|b.mp3", id="a protocol"),
        pytest.param("a\0b.mp3", "a b.mp3", id="a zero byte"),
        pytest.param("\udcff\u202etalk.mp3", "talk.mp3", id="no letters"),
        pytest.param("Grüße 世界.wav", "Grüße 世界.wav", id="other scripts"),
        pytest.param("", "recording", id="nothing"),
        pytest.param("\n", "recording", id="nothing to show"),
        pytest.param("x" * 300, "x" * 255, id="long"),
    ],
)
def test_a_name_is_shown_as_one_line(workspace: Workspace, name: str, shown: str) -> None:
    recording, _ = take_in(media.wav(), workspace, name=name)

    recording.refresh_from_db()
    assert recording.name == shown


# What is refused


@pytest.mark.parametrize("content", [*media.NOT_AUDIO, pytest.param(b"", id="empty")])
def test_what_is_not_audio_leaves_neither_row_nor_file(
    workspace: Workspace, stored: Path, content: bytes
) -> None:
    with pytest.raises(UnreadableAudio):
        take_in(content, workspace)

    assert not Recording.objects.exists()
    assert files(stored) == []


def test_a_file_over_the_limit_of_bytes_is_refused_with_the_limit(
    workspace: Workspace, stored: Path, settings: Settings
) -> None:
    settings.MAX_UPLOAD_BYTES = 20_000

    with pytest.raises(AudioTooLarge, match="32,044 bytes; the limit is 20,000 bytes"):
        take_in(media.wav(), workspace)

    assert files(stored) == []


def test_a_file_over_the_limit_of_hours_is_refused(
    workspace: Workspace, stored: Path, settings: Settings
) -> None:
    settings.MAX_DURATION_SECONDS = 1

    with pytest.raises(AudioTooLarge, match="hours of audio"):
        take_in(media.encoded("flac", 3.0), workspace)

    assert files(stored) == []


def test_a_disk_that_fills_up_leaves_neither_row_nor_file(
    workspace: Workspace, stored: Path, settings: Settings
) -> None:
    use_storage(settings, FullStorage)

    with pytest.raises(StorageFull, match="no space left"):
        take_in(media.wav(), workspace)

    assert not Recording.objects.exists()
    assert files(stored) == []


def test_a_disk_that_breaks_is_not_called_full_and_leaves_no_file(
    workspace: Workspace, stored: Path, settings: Settings
) -> None:
    use_storage(settings, BrokenStorage)

    with pytest.raises(OSError, match="no room") as caught:
        take_in(media.wav(), workspace)

    assert caught.value.errno == errno.EIO
    assert files(stored) == []


@pytest.mark.django_db(transaction=True)
def test_a_row_that_the_database_refuses_leaves_no_file(workspace: Workspace, stored: Path) -> None:
    with pytest.raises(DataError, match="too long"):
        take_in(media.wav(), workspace, sha256="f" * 65)

    assert files(stored) == []
