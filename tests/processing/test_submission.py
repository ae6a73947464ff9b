"""Handing a recording in: stored and asked for, or neither."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError

from processing.exceptions import UnknownEngine
from processing.models import Recording, Transcript, Workspace
from processing.services.inputs.submission import submit_recording
from tests.factories.audio import wav_bytes


def test_engine_is_checked_before_the_file_is_looked_at() -> None:
    with pytest.raises(UnknownEngine):
        submit_recording(
            source=BytesIO(b"not audio"), name="x", workspace=Workspace(), engine="oracle"
        )


@pytest.mark.django_db(transaction=True)
def test_nothing_is_kept_when_the_commit_fails(stored_files: Callable[[], set[Path]]) -> None:
    files = stored_files()
    workspace = Workspace.objects.default()
    deleted_meanwhile = User(pk=987_654_321, username="gone")

    with pytest.raises(IntegrityError):
        submit_recording(
            source=BytesIO(wav_bytes()),
            name="meeting.wav",
            workspace=workspace,
            engine="scripted",
            created_by=deleted_meanwhile,
        )

    assert not Recording.objects.exists()
    assert not Transcript.objects.exists()
    assert stored_files() == files
