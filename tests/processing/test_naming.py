"""Finding rows by words of their name."""

import pytest
from django.db import connection

from processing.models import Document, Recording
from tests.factories.knowledge import DocumentFactory
from tests.factories.processing import RecordingFactory

pytestmark = pytest.mark.django_db

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


def test_names_are_found_by_their_index() -> None:
    recording = RecordingFactory.create(name="meeting_9999.wav")
    with connection.cursor() as cursor:
        # few rows are read in any way; of such an index there are bitmaps only
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
    found = Recording.objects.named("9999").order_by()

    assert "recording_words_idx" in found.explain()
    assert list(found) == [recording]
