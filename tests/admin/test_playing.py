"""Hearing a recording in the admin: its sound as a browser asks for it, and the player's facts."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from processing import playing
from processing.admin.playing import marks_on, player_context, shape_of
from processing.choices import Role
from processing.models import Membership, Recording, Transcript
from processing.playing import Unsatisfiable, byte_range
from tests.factories.processing import (
    ChunkTaskFactory,
    ProcessingTaskFactory,
    RecordingFactory,
    TranscriptFactory,
    WorkspaceFactory,
    heard_segment,
)
from tests.processing import media

W64 = media.encoded("w64", 2.0, sound=media.melody)


def address_of(recording: Recording) -> str:
    return reverse("admin:processing_recording_audio", args=[recording.pk])


def sound_of(client: Client, recording: Recording, asked: str = "", **headers: str) -> Any:
    if asked:
        headers["Range"] = asked
    return client.get(address_of(recording), headers=headers)


def whole(response: Any) -> bytes:
    return b"".join(response.streaming_content)


@pytest.fixture
def recording(db: None) -> Recording:
    """A WAV file, which browsers play."""
    stored: Recording = RecordingFactory.create()
    return stored


@pytest.fixture
def rendered(db: None) -> Recording:
    """A file that browsers do not play, of 2 s."""
    stored: Recording = RecordingFactory.create(content=W64, container="w64", name='a "b".w64')
    return stored


@pytest.fixture
def content(recording: Recording) -> bytes:
    with recording.file.open() as file:
        return bytes(file.read())


# The sound


def test_what_browsers_play_is_sent_as_it_is(
    admin_client: Client, recording: Recording, content: bytes
) -> None:
    response = sound_of(admin_client, recording)

    assert whole(response) == content
    assert response.headers["Content-Type"] == "audio/wav"
    assert response.headers["Content-Length"] == str(len(content))
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Disposition"].startswith("inline")


def test_what_they_do_not_play_is_rendered(admin_client: Client, rendered: Recording) -> None:
    response = sound_of(admin_client, rendered)

    content = whole(response)
    assert response.headers["Content-Type"] == "audio/wav"
    assert (content[:4], len(content)) == (b"RIFF", 44 + 2 * 32_000)
    assert content[44:] == media.melody(2.0, 16_000).tobytes()


def test_a_part_is_sent_as_one(admin_client: Client, recording: Recording, content: bytes) -> None:
    response = sound_of(admin_client, recording, "bytes=100-199")

    assert (response.status_code, response.content) == (206, content[100:200])
    assert response.headers["Content-Range"] == f"bytes 100-199/{len(content)}"
    assert response.headers["Content-Type"] == "audio/wav"


def test_a_part_of_a_rendition_is_decoded_from_there(
    admin_client: Client, rendered: Recording
) -> None:
    response = sound_of(admin_client, rendered, "bytes=50044-50143")

    expected = media.melody(2.0, 16_000).tobytes()[50_000:50_100]
    assert (response.status_code, response.content) == (206, expected)


def test_who_asks_for_all_that_follows_gets_a_part_and_asks_again(
    admin_client: Client, recording: Recording, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playing, "PART_BYTES", 1_000)

    response = sound_of(admin_client, recording, "bytes=500-")

    assert response.content == content[500:1_500]
    assert response.headers["Content-Range"] == f"bytes 500-1499/{len(content)}"


def test_a_rendition_of_several_parts_is_whole(
    admin_client: Client, rendered: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playing, "PART_BYTES", 10_001)

    response = sound_of(admin_client, rendered)

    assert whole(response)[44:] == media.melody(2.0, 16_000).tobytes()


@pytest.mark.parametrize("asked", ["bytes=64044-", "bytes=99999999-99999999", "bytes=-0"])
def test_a_part_behind_the_end_is_refused(
    admin_client: Client, rendered: Recording, asked: str
) -> None:
    response = sound_of(admin_client, rendered, asked)

    assert response.status_code == 416
    assert response.headers["Content-Range"] == "bytes */64044"


def test_a_head_request_is_told_how_long_it_is(admin_client: Client, rendered: Recording) -> None:
    response = admin_client.head(address_of(rendered))

    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Content-Length"] == "64044"


def test_who_has_it_gets_nothing(admin_client: Client, recording: Recording) -> None:
    etag = sound_of(admin_client, recording).headers["ETag"]

    assert sound_of(admin_client, recording, **{"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize(("is_same", "status"), [(True, 206), (False, 200)])
def test_a_part_is_sent_only_of_what_is_still_the_same(
    admin_client: Client, recording: Recording, is_same: bool, status: int
) -> None:
    etag = sound_of(admin_client, recording).headers["ETag"] if is_same else '"other"'

    response = sound_of(admin_client, recording, "bytes=0-9", **{"If-Range": etag})

    assert response.status_code == status


@pytest.mark.parametrize(
    ("date", "status"), [(None, 206), ("Thu, 01 Jan 1970 00:00:00 GMT", 200), ("nonsense", 200)]
)
def test_the_same_may_be_told_by_its_date(
    admin_client: Client, recording: Recording, date: str | None, status: int
) -> None:
    date = date or sound_of(admin_client, recording).headers["Last-Modified"]

    response = sound_of(admin_client, recording, "bytes=0-9", **{"If-Range": date})

    assert response.status_code == status


def test_sound_is_not_compressed(admin_client: Client, recording: Recording) -> None:
    response = sound_of(admin_client, recording, **{"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in response.headers


@pytest.fixture
def _all_places_taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(playing, "WAIT_SECONDS", 0.01)
    taken = [playing._places.acquire(blocking=False) for _ in range(playing.DECODERS)]
    yield
    playing._places.release(sum(taken))


@pytest.mark.usefixtures("_all_places_taken")
def test_no_more_renditions_are_made_at_once_than_may_be(
    admin_client: Client, rendered: Recording
) -> None:
    response = sound_of(admin_client, rendered, "bytes=0-")

    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")


@pytest.mark.usefixtures("_all_places_taken")
def test_what_needs_no_decoding_waits_for_nobody(
    admin_client: Client, recording: Recording
) -> None:
    assert sound_of(admin_client, recording, "bytes=0-").status_code == 206


def test_places_are_given_back(admin_client: Client, rendered: Recording) -> None:
    answers = [
        sound_of(admin_client, rendered, "bytes=0-9").status_code
        for _ in range(2 * playing.DECODERS)
    ]

    assert set(answers) == {206}


def test_what_nobody_knows_the_length_of_is_not_rendered(
    admin_client: Client, rendered: Recording
) -> None:
    Recording.objects.update(duration_seconds=None)

    assert sound_of(admin_client, rendered).status_code == 404


def test_a_rendition_is_as_long_as_was_counted(admin_client: Client, rendered: Recording) -> None:
    ProcessingTaskFactory.create(
        transcript__recording=rendered, processing=True, total_samples=16_000
    )

    assert sound_of(admin_client, rendered).headers["Content-Length"] == "32044"


def test_a_rendition_of_channels_is_as_long_as_one(
    admin_client: Client, rendered: Recording
) -> None:
    Recording.objects.update(channels=2)
    ProcessingTaskFactory.create(
        transcript__recording=rendered,
        transcript__parameters={"channels": "separate"},
        processing=True,
        total_samples=32_000,
    )

    assert sound_of(admin_client, rendered).headers["Content-Length"] == "32044"


def test_a_file_that_is_gone_is_not_found(admin_client: Client, recording: Recording) -> None:
    recording.file.storage.delete(str(recording.file.name))

    assert sound_of(admin_client, recording).status_code == 404


def test_sound_is_only_read(admin_client: Client, recording: Recording) -> None:
    assert admin_client.post(address_of(recording)).status_code == 405


def test_who_is_not_logged_in_hears_nothing(client: Client, recording: Recording) -> None:
    response = sound_of(client, recording)

    assert response.status_code == 302
    assert "/login/" in response.headers["Location"]


def staff_of(recording: Recording, user_model: type[User], *, may_view: bool) -> User:
    user = user_model.objects.create_user("staff", is_staff=True)
    Membership.objects.filter(user=user).delete()
    Membership.objects.create(user=user, workspace=recording.workspace, role=Role.VIEWER)
    if may_view:
        user.user_permissions.add(Permission.objects.get(codename="view_recording"))
    return user


def test_staff_hear_recordings_of_their_workspaces(
    client: Client, recording: Recording, django_user_model: type[User]
) -> None:
    client.force_login(staff_of(recording, django_user_model, may_view=True))

    assert sound_of(client, recording).status_code == 200


def test_a_recording_of_another_workspace_is_not_found(
    client: Client, recording: Recording, django_user_model: type[User]
) -> None:
    client.force_login(staff_of(recording, django_user_model, may_view=True))
    foreign = RecordingFactory.create(workspace=WorkspaceFactory.create())

    assert sound_of(client, foreign).status_code == 404


def test_what_does_not_exist_is_not_found(admin_client: Client) -> None:
    address = reverse("admin:processing_recording_audio", args=[UUID(int=0)])

    assert admin_client.get(address).status_code == 404


# By programs


def test_programs_hear_the_same(admin_client: Client, recording: Recording, content: bytes) -> None:
    address = reverse("recording-audio", args=[recording.pk])

    response = admin_client.get(address, headers={"Range": "bytes=100-199", "Accept": "audio/*"})

    assert (response.status_code, response.content) == (206, content[100:200])


def test_programs_are_told_of_a_problem(admin_client: Client, recording: Recording) -> None:
    address = reverse("recording-audio", args=[recording.pk])

    response = admin_client.get(address, headers={"Range": "bytes=999999-"})

    assert response.status_code == 416
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Content-Range"].startswith("bytes */")


# Ranges


@given(first=st.integers(0, 200), last=st.integers(0, 200), size=st.integers(1, 100))
def test_a_range_is_what_python_slices(first: int, last: int, size: int) -> None:
    content = bytes(range(size))

    try:
        found = byte_range(f"bytes={first}-{last}", size)
    except Unsatisfiable:
        assert first >= size
    else:
        assert (found is None) == (last < first)
        assert found is None or content[slice(*found)] == content[first : last + 1]


@given(length=st.integers(1, 200), size=st.integers(1, 100))
def test_a_range_from_the_end_is_what_python_slices(length: int, size: int) -> None:
    content = bytes(range(size))

    found = byte_range(f"bytes=-{length}", size)

    assert found is not None
    assert content[slice(*found)] == content[-length:]


@pytest.mark.parametrize(
    "header",
    ["", "bytes", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=0-1,4-5", "words=0-1", "bytes=٣-٤"],
)
def test_what_is_no_single_range_asks_for_all(header: str) -> None:
    assert byte_range(header, 10) is None


# The player


def heard(**fields: Any) -> Transcript:
    transcript = TranscriptFactory.create(completed=True, **fields)
    run = transcript.processings.get()
    ChunkTaskFactory.create(processing=run, completed=True, loudness=bytes([20] * 10))
    ChunkTaskFactory.create(processing=run, completed=True, loudness=bytes([38] * 10))
    return transcript


@pytest.mark.django_db
def test_the_page_of_a_transcript_has_a_player(admin_client: Client) -> None:
    transcript = heard()

    page = admin_client.get(
        reverse("admin:processing_transcript_change", args=[transcript.pk])
    ).content.decode()

    assert f'src="{address_of(transcript.recording)}"' in page
    assert 'data-seconds="2.0" data-waveform=""' in page
    assert 'class="player-shape" d="M0 50L' in page


@pytest.mark.django_db
def test_the_waveform_is_one_line_around_its_bars() -> None:
    drawn = shape_of(heard().processings.get())

    assert drawn.startswith("M0 50L25 0L75 0")
    assert drawn.endswith("L25 100Z")
    assert "L525 25L" in drawn


@pytest.mark.django_db
def test_gaps_seams_and_doubts_are_marked_where_they_are() -> None:
    doubted = heard_segment(0.5, "so") | {"flags": ["low_confidence"]}
    transcript = heard(
        segments=[doubted, heard_segment(1.5, "it")],
        gaps=[{"start": 1.0, "end": 1.2, "reason": "error"}],
        seams=[{"at": 1.9}],
    )

    marks = marks_on(Transcript.objects.with_runs().get(pk=transcript.pk), 2.0)

    assert [(mark["kind"], mark["count"], mark["path"]) for mark in marks] == [
        ("gap", 1, "M500 0H600V100H500Z"),
        ("seam", 1, "M950 100V84"),
        ("doubt", 1, "M250 0V16"),
    ]


@pytest.mark.django_db
def test_a_transcript_that_is_not_read_yet_has_a_player_without_marks() -> None:
    transcript = TranscriptFactory.create(processing=True)

    player = player_context(Transcript.objects.with_runs().get(pk=transcript.pk))

    assert (player["shape"], player["marks"], player["seconds"]) == ("", [], 2.0)
    assert player["is_over"] is False


@pytest.mark.django_db
def test_facts_of_the_player_are_kept_while_nothing_changes(
    django_assert_max_num_queries: Any,
) -> None:
    transcript = Transcript.objects.with_runs().without_content().get(pk=heard().pk)
    player_context(transcript)

    with django_assert_max_num_queries(2):
        player_context(transcript)


@pytest.mark.django_db
def test_the_shape_grows_while_a_run_is_cut(admin_client: Client) -> None:
    run = ProcessingTaskFactory.create(splitting=True)
    address = reverse("admin:processing_transcript_waveform", args=[run.transcript_id])
    before = admin_client.get(address).json()
    ChunkTaskFactory.create(processing=run, loudness=bytes([20] * 10))

    after = admin_client.get(address).json()

    assert (before["path"], before["is_over"]) == ("", False)
    assert after["path"].startswith("M0 50L25 0")
    assert (after["seconds"], after["is_over"]) == (2.0, False)


@pytest.mark.django_db
def test_a_shape_that_is_known_is_not_sent_again(admin_client: Client) -> None:
    address = reverse("admin:processing_transcript_waveform", args=[heard().pk])
    etag = admin_client.get(address).headers["ETag"]

    assert admin_client.get(address, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.django_db
def test_the_shape_of_what_is_another_workspaces_is_not_found(
    client: Client, django_user_model: type[User]
) -> None:
    transcript = heard(recording=RecordingFactory.create(workspace=WorkspaceFactory.create()))
    user = staff_of(RecordingFactory.create(), django_user_model, may_view=True)
    user.user_permissions.add(Permission.objects.get(codename="view_transcript"))
    client.force_login(user)
    address = reverse("admin:processing_transcript_waveform", args=[transcript.pk])

    assert client.get(address).status_code == 404
