"""Uploads in pieces: the tus protocol 1.0, and what is ours in it."""

import fcntl
import hashlib
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.choices import JobPriority
from processing.choices import Role
from processing.models import Membership, Recording, ResumableUpload, Transcript, Workspace
from processing.services.inputs.resumable import path_of
from tests.factories.audio import wav_bytes
from tests.factories.processing import WorkspaceFactory

pytestmark = pytest.mark.django_db

UPLOADS = "/api/v1/uploads/"
PIECE = "application/offset+octet-stream"
TUS = {"Tus-Resumable": "1.0.0"}

StoredFiles = Callable[[], set[Path]]


def encoded(**metadata: str) -> str:
    return ",".join(
        f"{name} {b64encode(value.encode()).decode()}" for name, value in metadata.items()
    )


class Tus:
    """A client that says what the protocol wants said, unless it is told otherwise."""

    def __init__(self, client: Any) -> None:
        self.client: Any = client

    def announce(
        self,
        length: int | None = None,
        body: bytes = b"",
        *,
        headers: dict[str, str] | None = None,
        **metadata: str,
    ) -> Any:
        said = TUS | ({} if length is None else {"Upload-Length": str(length)})
        if metadata:
            said["Upload-Metadata"] = encoded(**metadata)
        return self.client.generic(
            "POST",
            UPLOADS,
            body,
            content_type=PIECE if body else "",
            headers=said | (headers or {}),
        )

    def send(self, address: str, body: bytes, offset: int, **headers: str) -> Any:
        said = TUS | {"Upload-Offset": str(offset)} | headers
        return self.client.generic("PATCH", address, body, content_type=PIECE, headers=said)

    def look(self, address: str) -> Any:
        return self.client.head(address, headers=TUS)

    def end(self, address: str) -> Any:
        return self.client.delete(address, headers=TUS)


@pytest.fixture
def tus(api: APIClient) -> Tus:
    return Tus(api)


def problem(response: Any) -> tuple[int, str]:
    assert response["Content-Type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


def test_server_tells_what_of_the_protocol_it_knows(api: APIClient, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 1_000_000

    response = api.options(UPLOADS)

    assert response.status_code == 204
    assert response["Tus-Version"] == response["Tus-Resumable"] == "1.0.0"
    assert response["Tus-Max-Size"] == "1000000"
    assert response["Tus-Checksum-Algorithm"] == "sha1,sha256"
    assert set(response["Tus-Extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "checksum",
        "expiration",
        "termination",
    }


def test_pieces_become_a_recording_whose_transcript_is_asked_for(
    tus: Tus, admin_user: User, stored_files: StoredFiles
) -> None:
    before = stored_files()
    content = wav_bytes()
    created = tus.announce(
        len(content),
        filename="board meeting.wav",
        engine="scripted",
        language="de",
        parameters='{"channels": "separate"}',
        priority="4",
    )
    address = created["Location"]

    first = tus.send(address, content[:50_000], 0)
    middle = tus.look(address)
    last = tus.send(address, content[50_000:], 50_000)

    recording, transcript = Recording.objects.get(), Transcript.objects.get()
    assert (created.status_code, created["Upload-Offset"]) == (201, "0")
    assert (first.status_code, first["Upload-Offset"]) == (204, "50000")
    assert (middle.status_code, middle["Upload-Offset"]) == (200, "50000")
    assert (last.status_code, last["Upload-Offset"]) == (204, str(len(content)))
    assert last["Longhand-Recording"] == str(recording.pk)
    assert last["Longhand-Transcript"] == str(transcript.pk)
    assert (recording.name, recording.created_by) == ("board meeting.wav", admin_user)
    assert recording.sha256 == hashlib.sha256(content).hexdigest()
    assert Path(recording.file.path).read_bytes() == content
    assert (transcript.engine, transcript.language) == ("scripted", "de")
    assert transcript.parameters == {"channels": "separate"}
    assert transcript.latest_processing.priority == JobPriority.URGENT
    assert stored_files() - before == {Path(recording.file.path)}


def test_first_piece_may_come_with_the_announcement(tus: Tus) -> None:
    content = wav_bytes()

    created = tus.announce(len(content), content[:1_000])
    rest = tus.send(created["Location"], content[1_000:], 1_000)

    assert (created.status_code, created["Upload-Offset"]) == (201, "1000")
    assert rest["Longhand-Recording"] == str(Recording.objects.get().pk)


def test_all_of_it_may_come_with_the_announcement(tus: Tus) -> None:
    content = wav_bytes()

    created = tus.announce(len(content), content)

    assert created.status_code == 201
    assert created["Longhand-Recording"] == str(Recording.objects.get().pk)


def test_detail_says_how_far_it_is_and_what_came_of_it(tus: Tus, api: APIClient) -> None:
    content = wav_bytes()
    address = tus.announce(len(content), name="a meeting")["Location"]

    before = api.get(address).json()
    tus.send(address, content, 0)
    after = api.get(address).json()

    assert (before["name"], before["offset_bytes"]) == ("a meeting", 0)
    assert (before["recording"], before["transcript"]) == (None, None)
    assert before["links"] == {"self": address}
    assert (after["offset_bytes"], after["length_bytes"]) == (len(content), len(content))
    assert api.get(after["links"]["recording"]).json()["id"] == after["recording"]
    assert api.get(after["links"]["transcript"]).json()["id"] == after["transcript"]


def test_head_tells_length_metadata_and_expiry_and_is_not_to_be_cached(tus: Tus) -> None:
    address = tus.announce(1_000, filename="über.wav")["Location"]

    response = tus.look(address)

    assert response["Upload-Length"] == "1000"
    assert response["Upload-Metadata"] == encoded(filename="über.wav")
    assert response["Upload-Expires"].endswith(" GMT")
    assert response["Cache-Control"] == "no-store"
    assert response["Tus-Resumable"] == "1.0.0"


def test_list_has_the_uploads_of_the_workspace(tus: Tus, api: APIClient) -> None:
    tus.announce(1_000, name="ours")

    items = api.get(UPLOADS).json()["items"]

    assert [item["name"] for item in items] == ["ours"]


def test_known_content_is_answered_with_its_recording(
    tus: Tus, upload: Callable[..., Any], stored_files: StoredFiles
) -> None:
    known = upload(wav_bytes()).json()
    files = stored_files()

    created = tus.announce(len(wav_bytes()), wav_bytes())

    assert created["Longhand-Recording"] == known["id"]
    assert created["Longhand-Transcript"] == known["transcript"]["id"]
    assert stored_files() == files


def test_piece_that_is_not_next_is_refused_and_changes_nothing(tus: Tus) -> None:
    address = tus.announce(10, b"12345")["Location"]

    response = tus.send(address, b"67890", 3)

    assert problem(response) == (409, "offset_mismatch")
    assert tus.look(address)["Upload-Offset"] == "5"


def test_more_than_was_announced_is_refused(tus: Tus) -> None:
    address = tus.announce(4)["Location"]

    response = tus.send(address, b"12345", 0)

    assert problem(response) == (413, "too_large")
    assert tus.look(address)["Upload-Offset"] == "0"


def test_last_piece_sent_again_is_told_that_it_is_here(tus: Tus) -> None:
    content = wav_bytes()
    address = tus.announce(len(content), content)["Location"]

    again = tus.send(address, content, 0)
    empty = tus.send(address, b"", len(content))

    assert problem(again) == (409, "offset_mismatch")
    assert (empty.status_code, empty["Upload-Offset"]) == (204, str(len(content)))


def test_what_is_no_audio_is_refused_at_the_end_and_deleted(
    tus: Tus, stored_files: StoredFiles
) -> None:
    before = stored_files()
    address = tus.announce(9)["Location"]

    response = tus.send(address, b"no audio!", 0)

    assert problem(response) == (415, "unreadable_audio")
    assert stored_files() == before
    assert tus.look(address).status_code == 404


@pytest.mark.parametrize(
    ("length", "metadata", "status", "code"),
    [
        pytest.param(0, {}, 415, "unreadable_audio", id="empty"),
        pytest.param(1_001, {}, 413, "too_large", id="too large"),
        pytest.param(None, {}, 400, "parse_error", id="no length"),
        pytest.param(9, {"engine": "nobody"}, 400, "unknown_engine", id="engine"),
        pytest.param(9, {"language": "xx"}, 400, "unsupported_language", id="language"),
        pytest.param(9, {"parameters": '{"x": 1}'}, 400, "unknown_parameter", id="parameter"),
        pytest.param(9, {"parameters": "{"}, 400, "invalid", id="parameters"),
        pytest.param(9, {"priority": "99"}, 400, "invalid", id="priority"),
    ],
)
def test_what_would_be_refused_at_the_end_is_refused_at_once(
    tus: Tus, settings: Any, length: int | None, metadata: dict[str, Any], status: int, code: str
) -> None:
    settings.MAX_UPLOAD_BYTES = 1_000

    response = tus.announce(length, **metadata)

    assert problem(response) == (status, code)
    assert not ResumableUpload.objects.exists()


def test_more_than_the_workspace_may_store_is_refused_at_once(tus: Tus) -> None:
    Workspace.objects.default()
    Workspace.objects.update(max_storage_bytes=1_000)

    assert problem(tus.announce(1_001)) == (402, "quota_reached")


def test_what_has_arrived_of_other_uploads_takes_room(tus: Tus) -> None:
    Workspace.objects.default()
    Workspace.objects.update(max_storage_bytes=1_000)
    tus.announce(900, bytes(600))

    assert problem(tus.announce(401)) == (402, "quota_reached")
    assert tus.announce(400).status_code == 201


def test_more_than_the_disk_has_room_for_is_refused_at_once(tus: Tus, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 10**18

    assert problem(tus.announce(10**17)) == (507, "storage_full")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Upload-Defer-Length": "1"}, id="deferred length"),
        pytest.param({"Upload-Length": "-1"}, id="negative length"),
        pytest.param({"Upload-Length": "1e3"}, id="no number"),
        pytest.param({"Upload-Metadata": "name %%%"}, id="no Base64"),
        pytest.param({"Upload-Metadata": "name /w=="}, id="no UTF-8"),
    ],
)
def test_announcement_that_is_none_is_refused(tus: Tus, headers: dict[str, str]) -> None:
    response = tus.announce(9, headers=headers)

    assert problem(response) == (400, "parse_error")


@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
def test_other_version_of_the_protocol_is_refused(tus: Tus, method: str) -> None:
    address = tus.announce(9)["Location"]

    response = tus.client.generic(
        method,
        UPLOADS if method == "POST" else address,
        b"",
        content_type=PIECE,
        headers={"Tus-Resumable": "0.2.2", "Upload-Offset": "0", "Upload-Length": "9"},
    )

    assert (response.status_code, response["Tus-Version"]) == (412, "1.0.0")
    assert ResumableUpload.objects.count() == 1


def test_method_that_nothing_knows_is_refused_without_a_version(tus: Tus) -> None:
    assert tus.client.generic("TRACE", UPLOADS).status_code == 405


def test_piece_of_another_type_is_refused(tus: Tus) -> None:
    address = tus.announce(9)["Location"]

    response = tus.client.generic(
        "PATCH", address, b"1", content_type="text/plain", headers=TUS | {"Upload-Offset": "0"}
    )

    assert problem(response) == (415, "unsupported_media_type")


def test_piece_of_unknown_length_is_refused(tus: Tus) -> None:
    address = tus.announce(9)["Location"]

    response = tus.send(address, b"", 0, **{"Transfer-Encoding": "chunked"})

    assert problem(response) == (411, "length_required")


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_piece_with_its_checksum_is_kept(tus: Tus, algorithm: str) -> None:
    address = tus.announce(9)["Location"]
    digest = b64encode(hashlib.new(algorithm, b"12345").digest()).decode()

    response = tus.send(address, b"12345", 0, **{"Upload-Checksum": f"{algorithm} {digest}"})

    assert (response.status_code, response["Upload-Offset"]) == (204, "5")


def test_piece_with_another_checksum_is_not_kept(tus: Tus) -> None:
    address = tus.announce(9)["Location"]
    digest = b64encode(hashlib.sha1(b"54321", usedforsecurity=False).digest()).decode()

    response = tus.send(address, b"12345", 0, **{"Upload-Checksum": f"sha1 {digest}"})

    assert problem(response) == (460, "checksum_mismatch")
    assert tus.look(address)["Upload-Offset"] == "0"


def test_checksum_of_an_unknown_kind_is_refused(tus: Tus) -> None:
    address = tus.announce(9)["Location"]

    response = tus.send(address, b"12345", 0, **{"Upload-Checksum": "md5 AAAA"})

    assert problem(response) == (400, "parse_error")


def test_second_writer_is_refused_while_a_piece_arrives(tus: Tus) -> None:
    address = tus.announce(9)["Location"]
    with path_of(ResumableUpload.objects.get()).open("rb") as first:
        fcntl.flock(first, fcntl.LOCK_EX)

        piece, end = tus.send(address, b"12345", 0), tus.end(address)

    assert problem(piece) == problem(end) == (423, "upload_busy")
    assert tus.send(address, b"12345", 0).status_code == 204


def test_ended_upload_leaves_nothing(tus: Tus, stored_files: StoredFiles) -> None:
    before = stored_files()
    address = tus.announce(9, b"12345")["Location"]

    response = tus.end(address)

    assert response.status_code == 204
    assert tus.look(address).status_code == 404
    assert stored_files() == before


def test_recording_stays_when_its_upload_is_forgotten(tus: Tus) -> None:
    address = tus.announce(len(wav_bytes()), wav_bytes())["Location"]

    assert tus.end(address).status_code == 204
    assert Path(Recording.objects.get().file.path).exists()


def test_upload_whose_file_is_lost_has_to_be_sent_anew(tus: Tus) -> None:
    address = tus.announce(9, b"12345")["Location"]
    path_of(ResumableUpload.objects.get()).unlink()

    response = tus.send(address, b"6789", 5)

    assert problem(response) == (410, "upload_gone")
    assert tus.end(address).status_code == 204


def test_expired_upload_is_not_there(tus: Tus) -> None:
    address = tus.announce(9, b"12345")["Location"]
    ResumableUpload.objects.update(expires_at=timezone.now() - timedelta(minutes=1))

    assert tus.look(address).status_code == 404
    assert tus.send(address, b"6789", 5).status_code == 404


def test_each_piece_puts_the_expiry_off(tus: Tus) -> None:
    address = tus.announce(9)["Location"]
    soon = timezone.now() + timedelta(hours=1)
    ResumableUpload.objects.update(expires_at=soon)

    tus.send(address, b"12345", 0)

    assert ResumableUpload.objects.get().expires_at > soon


def test_client_without_patch_and_delete_may_post(tus: Tus) -> None:
    address = tus.announce(9)["Location"]
    said = TUS | {"Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}

    piece = tus.client.generic("POST", address, b"12345", content_type=PIECE, headers=said)
    end = tus.client.post(address, headers=TUS | {"X-HTTP-Method-Override": "DELETE"})

    assert (piece.status_code, piece["Upload-Offset"]) == (204, "5")
    assert end.status_code == 204
    assert not ResumableUpload.objects.exists()


def test_announcement_with_the_same_key_is_one_upload(tus: Tus) -> None:
    key = {"Idempotency-Key": "k"}

    first = tus.announce(9, headers=key, name="a")
    again = tus.announce(9, headers=key, name="a")
    other = tus.announce(9, headers=key, name="b")

    assert (again.status_code, again["Location"]) == (201, first["Location"])
    assert problem(other) == (422, "idempotency_key_reused")
    assert ResumableUpload.objects.count() == 1


# Who may


def member(django_user_model: type[User], role: Role, workspace: Workspace) -> Tus:
    user = django_user_model.objects.create_user(f"{role} of {workspace.slug}")
    Membership.objects.create(workspace=workspace, user=user, role=role)
    client = APIClient()
    client.force_authenticate(user)
    return Tus(client)


def test_upload_of_another_workspace_is_not_there(tus: Tus, django_user_model: type[User]) -> None:
    address = tus.announce(9)["Location"]
    stranger = member(django_user_model, Role.MANAGER, WorkspaceFactory.create())

    answers = [
        stranger.look(address),
        stranger.client.get(address),
        stranger.send(address, b"12345", 0),
        stranger.end(address),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert stranger.client.get(UPLOADS).json()["items"] == []
    assert tus.look(address)["Upload-Offset"] == "0"


def test_viewer_may_look_and_not_send(tus: Tus, django_user_model: type[User]) -> None:
    address = tus.announce(9)["Location"]
    viewer = member(django_user_model, Role.VIEWER, Workspace.objects.default())

    answers = [viewer.announce(9), viewer.send(address, b"12345", 0), viewer.end(address)]

    assert [answer.status_code for answer in answers] == [403] * 3
    assert viewer.look(address).status_code == 200


def test_nobody_sends_without_a_login(client: Any) -> None:
    assert client.options(UPLOADS).status_code == 401
    assert Tus(client).announce(9).status_code == 401
