"""People who correct one transcript at the same moment, and runs that begin meanwhile."""

from functools import partial

import pytest
from pytest_django import Settings

from processing.exceptions import NotFinished, Outdated, ProcessingError
from processing.knowledge.corrections import correct_transcript
from processing.knowledge.translating.translations import request_translation
from processing.models import Document, DocumentVersion, ProcessingTask, Transcript, Translation
from processing.services.requesting import retry_gaps
from tests.concurrency.threads import at_once
from tests.factories.knowledge import DocumentFactory
from tests.factories.processing import TranscriptFactory
from tests.fakes.text import FakeTranslator

pytestmark = pytest.mark.django_db(transaction=True)


def corrected(transcript: Transcript, text: str) -> str:
    """Correct version 1 of a transcript; return what it is said to be then, or why it is not."""
    try:
        document = correct_transcript(
            transcript=transcript, changes=[{"segment": 0, "text": text}], expected_version=1
        )
    except (Outdated, NotFinished) as error:
        return error.code
    return f"version {document.version}"


def retried(transcript: Transcript) -> str:
    try:
        return retry_gaps(transcript).processing.status
    except ProcessingError as error:
        return error.code


def test_of_two_who_correct_at_once_one_is_told_of_the_other() -> None:
    transcript = TranscriptFactory.create(completed=True)
    DocumentFactory.create(transcript=transcript)

    said = at_once([partial(corrected, transcript, text) for text in ("and it", "yet it")])

    assert sorted(said) == ["outdated", "version 2"]
    assert Document.objects.get().version == 2
    assert DocumentVersion.objects.get().text == "so it was said"


def test_two_who_correct_what_had_no_document_make_one() -> None:
    transcript = TranscriptFactory.create(completed=True)

    said = at_once([partial(corrected, transcript, text) for text in ("and it", "yet it")])

    assert sorted(said) == ["outdated", "version 2"]
    assert Document.objects.count() == 1


def test_a_correction_and_a_retry_of_gaps_take_turns() -> None:
    transcript = TranscriptFactory.create(partial=True)
    DocumentFactory.create(transcript=transcript)

    correction, retry = at_once(
        [partial(corrected, transcript, "and it"), partial(retried, transcript)]
    )

    assert correction in ("version 2", "not_finished")
    assert retry == "PENDING"
    assert ProcessingTask.objects.active().count() == 1


def test_equal_requests_at_once_share_one_translation(settings: Settings) -> None:
    settings.CHAT, settings.TRANSLATOR = None, FakeTranslator()
    document = DocumentFactory.create(spoken=True)

    at_once([partial(request_translation, document=document, language="de")] * 4)

    assert Translation.objects.count() == 1
