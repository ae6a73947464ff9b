"""``manage.py translate`` as its users call it."""

import _thread
import io
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from pytest_django import Settings

from jobs.models import Job
from jobs.services.runner import JobRunner
from processing.choices import TRANSLATION_QUEUE, ResultStatus
from processing.exceptions import ProviderRefused
from processing.models import Document, Translation
from tests.factories.jobs import WorkerFactory
from tests.factories.knowledge import DocumentFactory, TranslationFactory
from tests.factories.processing import TranscriptFactory
from tests.fakes.text import FakeTranslator
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "[de] so it\n[de] was said\n"

Translate = Callable[..., tuple[str, str]]


@pytest.fixture(autouse=True)
def _translator(settings: Settings) -> None:
    settings.CHAT, settings.TRANSLATOR = None, FakeTranslator()


@pytest.fixture
def document() -> Document:
    row: Document = DocumentFactory.create(spoken=True, title="meeting.wav")
    return row


def called(*arguments: str) -> tuple[str, str]:
    """Return what the command said and what else it told."""
    output, errors = io.StringIO(), io.StringIO()
    call_command("translate", *arguments, stdout=output, stderr=errors)
    return output.getvalue(), errors.getvalue()


@pytest.fixture
def translate() -> Translate:
    """Call the command while a worker runs in a thread."""
    worker = WorkerFactory.create(queues=[TRANSLATION_QUEUE])

    def work() -> None:
        wait_for(lambda: Job.objects.ready().on_queue(TRANSLATION_QUEUE).exists())
        JobRunner(worker=worker).drain(TRANSLATION_QUEUE)
        connection.close()

    def call(*arguments: str) -> tuple[str, str]:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            return called(*arguments)
        finally:
            thread.join(timeout=20)

    return call


def test_the_id_of_the_translation_is_printed(document: Document) -> None:
    output, _ = called(str(document.pk), "--to", "de")

    assert output == f"{Translation.objects.get().pk}\n"


def test_the_translation_is_printed_once_it_is_there(
    translate: Translate, document: Document
) -> None:
    output, _ = translate(str(document.pk), "--to", "de", "--wait")

    assert output == TEXT


def test_a_transcript_is_its_document(translate: Translate) -> None:
    transcript = TranscriptFactory.create(completed=True)

    output, _ = translate(str(transcript.pk), "--to", "german", "--wait", "--format", "srt")

    assert output == (
        "1\n00:00:00,100 --> 00:00:00,450\n[de] so it\n\n"
        "2\n00:00:01,100 --> 00:00:01,450\n[de] was said\n"
    )


def test_a_file_is_named_after_document_and_language(
    translate: Translate, document: Document, tmp_path: Path
) -> None:
    output, errors = translate(str(document.pk), "--to", "de", "--output-dir", str(tmp_path))

    assert (output, errors) == ("", f"{tmp_path}/meeting.de.txt\n")
    assert (tmp_path / "meeting.de.txt").read_text() == TEXT


def test_a_file_that_is_there_is_kept_unless_forced(tmp_path: Path) -> None:
    translation = TranslationFactory.create(completed=True, document__title="meeting.wav")
    target = tmp_path / "meeting.de.vtt"
    target.write_text("mine")
    asked = [str(translation.document_id), "--to", "de", "--format", "vtt"]

    with pytest.raises(CommandError, match="--force replaces it"):
        called(*asked, "--output-dir", str(tmp_path))
    kept = target.read_text()
    called(*asked, "--output-dir", str(tmp_path), "--force")

    assert kept == "mine"
    assert target.read_text().startswith("WEBVTT")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--to", "xx"], "no language 'xx'", id="no language"),
        pytest.param(["--to", "en"], "in English already", id="its own"),
        pytest.param(["--to", "fr"], "set CHAT_BASE_URL", id="nobody knows it"),
    ],
)
def test_what_cannot_be_is_wrong_usage(
    settings: Settings, document: Document, arguments: list[str], said: str
) -> None:
    settings.TRANSLATOR = FakeTranslator(pairs=[("en", "de")])

    with pytest.raises(CommandError, match=said) as raised:
        called(str(document.pk), *arguments)

    assert raised.value.returncode == 2


def test_subtitles_of_what_nobody_spoke_are_refused_before_anybody_works() -> None:
    with pytest.raises(CommandError, match="nobody spoke the document"):
        called(str(DocumentFactory.create().pk), "--to", "de", "--format", "srt")

    assert not Job.objects.exists()


def test_what_is_not_there_is_wrong_usage() -> None:
    with pytest.raises(CommandError, match="no document or finished transcript") as raised:
        called(str(uuid4()), "--to", "de")

    assert raised.value.returncode == 2


def test_a_translation_that_fails_says_why(
    translate: Translate, settings: Settings, document: Document
) -> None:
    class Refusing(FakeTranslator):
        def translate(self, texts: Sequence[str], **options: Any) -> list[str]:
            raise ProviderRefused("the model declines to reply")

    settings.TRANSLATOR = Refusing()

    with pytest.raises(CommandError, match="declines to reply") as raised:
        translate(str(document.pk), "--to", "de", "--wait")

    assert raised.value.returncode == 1


def test_ctrl_c_cancels(document: Document) -> None:
    WorkerFactory.create(queues=[TRANSLATION_QUEUE])  # it is said to live, and does nothing

    def interrupt() -> None:
        wait_for(Translation.objects.exists)
        connection.close()
        _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(SystemExit) as left:
        called(str(document.pk), "--to", "de", "--wait")

    assert left.value.code == 130
    assert Translation.objects.get().status == ResultStatus.CANCELLED
