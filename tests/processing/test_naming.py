"""Finding rows by words of their name."""

import pytest
from django.db import connection

from processing.models import Document, Recording, Workspace
from tests.factories.knowledge import DocumentFactory
from tests.factories.processing import RecordingFactory

pytestmark = pytest.mark.django_db

MANY = """
INSERT INTO recordings (
    id, workspace_id, name, file, sha256, size_bytes, container, codec, sample_rate, channels
)
SELECT lpad(n::text, 32, '0')::uuid, %s, 'meeting_' || n || '.wav', n::text, n::text, 1, 'wav',
    'pcm_s16le', 16000, 1
FROM generate_series(1, 10000) AS n
"""

NAME = "Board_meeting 2026-11-23 (Zürich), part2.WAV"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("board", id="a word, whatever its case"),
        pytest.param("meet*", id="the beginning of a word"),
        pytest.param("zürich boar* meeting", id="words in any order"),
        pytest.param("2026-11", id="numbers between dashes"),
        pytest.param("part2.wav", id="a word and what kind of file it is"),
        pytest.param(NAME, id="all of it"),
    ],
)
def test_a_recording_is_found_by(text: str) -> None:
    recording = RecordingFactory.create(name=NAME)
    RecordingFactory.create(name="Interview")

    assert list(Recording.objects.named(text)) == [recording]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("oard", id="the end of a word"),
        pytest.param("meet", id="the beginning of a word, without a star"),
        pytest.param("board interview", id="a word that is missing"),
        pytest.param("", id="nothing"),
        pytest.param("' | a", id="a query of its own"),
        pytest.param("!board & (", id="signs"),
        pytest.param("\\", id="a backslash"),
    ],
)
def test_a_recording_is_not_found_by(text: str) -> None:
    RecordingFactory.create(name="Keyboard meeting")

    assert not Recording.objects.named(text).exists()


def test_documents_are_found_by_words_of_their_title() -> None:
    document = DocumentFactory.create(title="How_to cut tape.pdf")

    assert list(Document.objects.titled("TAPE how")) == [document]


def test_a_rare_name_is_found_by_its_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute(MANY, [Workspace.objects.default().pk])
        cursor.execute("ANALYZE recordings")
    found = Recording.objects.named("9999")

    assert "recording_words_idx" in found.explain()
    assert [recording.name for recording in found] == ["meeting_9999.wav"]
