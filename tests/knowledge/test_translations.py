"""Documents in other languages: asked for once, made segment by segment, honest when it cannot."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from pytest_django import Settings

from jobs.choices import JobStatus
from jobs.models import Job
from processing.choices import TRANSLATION_JOB, TRANSLATION_QUEUE, ResultStatus
from processing.exceptions import (
    BadAnswer,
    NotConfigured,
    NotFinished,
    NothingToDo,
    UnsupportedLanguage,
)
from processing.knowledge.translating.cached_translator import is_plausible
from processing.knowledge.translating.translations import (
    BATCH_CHARACTERS,
    BATCH_TEXTS,
    cancel_translation,
    request_translation,
    retry_translation,
    translate,
)
from processing.models import Document, Translation
from tests.factories.knowledge import DocumentFactory, TranslationFactory
from tests.factories.processing import TranscriptFactory, WorkspaceFactory, heard_segment
from tests.fakes.text import FakeChat, FakeTranslator
from tests.fakes.translating import in_german
from tests.processing.runs import drain
from tests.providers.text_server import TextServer, never, text_serving

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def translator(settings: Settings) -> FakeTranslator:
    settings.CHAT = None
    settings.TRANSLATOR = FakeTranslator()
    return settings.TRANSLATOR  # type: ignore[no-any-return]


def spoken(*texts: str, **fields: Any) -> Document:
    """Return the document of a transcript of one segment per text."""
    segments = [heard_segment(float(i), *text.split()) for i, text in enumerate(texts)]
    transcript = TranscriptFactory.create(
        completed=True, text=" ".join(texts), segments=segments, **fields
    )
    document: Document = DocumentFactory.create(transcript=transcript)
    return document


def job_of(translation: Translation) -> Job:
    return Job.objects.about(translation.document_id).carrying(result_id=str(translation.pk)).get()


def made(translation: Translation) -> Translation:
    """Do the job as a worker does; return the translation as it is stored then."""
    translate(job_of(translation))
    translation.refresh_from_db()
    return translation


def texts(translation: Translation) -> list[str]:
    return [segment["text"] for segment in translation.segments]


# Asking


def test_a_translation_is_stored_and_queued() -> None:
    document = spoken("so it was")

    translation = request_translation(document=document, language="de")

    job = job_of(translation)
    assert (translation.status, translation.language) == (ResultStatus.PENDING, "de")
    assert (job.job_type, job.queue_name) == (TRANSLATION_JOB, TRANSLATION_QUEUE)
    assert (job.subject_id, job.workspace_id) == (document.pk, document.workspace_id)


@pytest.mark.parametrize("name", ["de", "DE", "de-AT", "German"])
def test_a_language_has_several_names(name: str) -> None:
    assert request_translation(document=spoken("so"), language=name).language == "de"


def test_an_equal_request_is_answered_by_the_translation_under_way() -> None:
    document = spoken("so")

    first = request_translation(document=document, language="de")

    assert request_translation(document=document, language="de") == first
    assert Job.objects.count() == 1


def test_an_equal_request_is_answered_by_the_translation_that_is_there() -> None:
    document = spoken("so")
    first = made(request_translation(document=document, language="de"))

    assert request_translation(document=document, language="de") == first


def test_another_translator_makes_another_translation(settings: Settings) -> None:
    document = spoken("so")
    first = made(request_translation(document=document, language="de"))
    settings.TRANSLATOR = FakeTranslator(name="better")

    second = made(request_translation(document=document, language="de"))

    assert (first.engine, second.engine) == ("fake-translator", "better")


def test_one_of_an_older_version_is_cancelled_for_one_of_this() -> None:
    document = spoken("so")
    older = request_translation(document=document, language="de")
    Document.objects.filter(pk=document.pk).update(version=2)

    newer = request_translation(document=document, language="de")

    older.refresh_from_db()
    assert (older.status, older.document_version) == (ResultStatus.CANCELLED, 1)
    assert (newer.status, newer.document_version) == (ResultStatus.PENDING, 2)


@pytest.mark.parametrize(
    ("language", "error", "said"),
    [
        pytest.param("xx", UnsupportedLanguage, "'xx'.*known: af, am, ", id="no language"),
        pytest.param("", UnsupportedLanguage, "known: ", id="none"),
        pytest.param("en", NothingToDo, "in English already", id="its own"),
        pytest.param(
            "fr",
            NotConfigured,
            "from English into French.*CHAT_BASE_URL and CHAT_MODEL.*requirements-argos.txt",
            id="nobody knows it",
        ),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    settings: Settings, language: str, error: type[Exception], said: str
) -> None:
    settings.TRANSLATOR = FakeTranslator(pairs=[("en", "de")])

    with pytest.raises(error, match=said):
        request_translation(document=spoken("so"), language=language)

    assert not Translation.objects.exists()


@pytest.mark.parametrize(
    ("traits", "error", "said"),
    [
        pytest.param({"upload": True}, NotFinished, "PENDING", id="not read yet"),
        pytest.param({"text": ""}, NothingToDo, "no text", id="empty"),
        pytest.param(
            {"spoken": True, "transcript__text": "", "transcript__segments": []},
            NothingToDo,
            "no text",
            id="nothing was heard",
        ),
    ],
)
def test_a_document_without_text_is_refused(
    traits: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        request_translation(document=DocumentFactory.create(**traits), language="de")


# Making


def test_each_segment_is_translated_and_keeps_its_times_and_speaker() -> None:
    document = spoken("so it was", "said")
    document.transcript.segments[1]["speaker"] = "Anna"  # type: ignore[union-attr]
    document.transcript.save()  # type: ignore[union-attr]

    translation = made(request_translation(document=document, language="de"))

    assert translation.status == ResultStatus.COMPLETED
    assert (translation.progress, translation.engine) == (1.0, "fake-translator")
    assert translation.segments == [
        {"start": 0.0, "end": 0.55, "text": "[de] so it was"},
        {"start": 1.0, "end": 1.15, "text": "[de] said", "speaker": "Anna"},
    ]


def test_paragraphs_that_nobody_spoke_have_no_times() -> None:
    document = DocumentFactory.create(text="One.\n\nTwo.")

    translation = made(request_translation(document=document, language="de"))

    assert translation.segments == [
        {"start": None, "end": None, "text": "[de] One."},
        {"start": None, "end": None, "text": "[de] Two."},
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("今日は雨です", id="Chinese letters"),
        pytest.param("שלום לכולם", id="right to left"),
        pytest.param("ไปไหนมา", id="Thai"),
    ],
)
def test_texts_of_any_script_are_translated(text: str) -> None:
    document = DocumentFactory.create(text=text, language="")

    assert texts(made(request_translation(document=document, language="de"))) == [f"[de] {text}"]


def test_what_has_no_letters_is_itself(translator: FakeTranslator) -> None:
    document = DocumentFactory.create(text="one\n\n...\n\n1, 2, 3")

    assert texts(made(request_translation(document=document, language="de"))) == [
        *("[de] one", "...", "1, 2, 3")
    ]
    assert translator.asked == ["one"]


def test_a_paragraph_too_long_for_one_request_comes_back_as_one(
    translator: FakeTranslator,
) -> None:
    document = DocumentFactory.create(text="It was said. " * 1_000)

    (text,) = texts(made(request_translation(document=document, language="de")))

    assert max(map(len, translator.asked)) <= BATCH_CHARACTERS
    assert text.replace("[de] ", "") == document.text.strip()


def test_progress_is_that_of_the_segments(settings: Settings) -> None:
    seen: list[float] = []

    class Looking(FakeTranslator):
        def translate(self, texts: Sequence[str], **options: Any) -> list[str]:
            seen.append(Translation.objects.get().progress)
            return super().translate(texts, **options)

    document = DocumentFactory.create(
        text="\n\n".join(f"text {number}" for number in range(3 * BATCH_TEXTS))
    )
    settings.TRANSLATOR = Looking()

    made(request_translation(document=document, language="de"))

    assert seen == pytest.approx([0.0, 1 / 3, 2 / 3])


class Killed(BaseException):
    """What becomes of a worker in the middle of its work."""


class Mortal(FakeTranslator):
    """Dies at its second call."""

    calls = 0

    def translate(self, texts: Sequence[str], **options: Any) -> list[str]:
        self.calls += 1
        if self.calls == 2:
            raise Killed
        return super().translate(texts, **options)


def test_a_worker_that_was_killed_has_nothing_translated_twice(settings: Settings) -> None:
    settings.TRANSLATOR = translator = Mortal()
    said = [f"text {number}" for number in range(2 * BATCH_TEXTS)]
    document = DocumentFactory.create(text="\n\n".join(said))
    translation = request_translation(document=document, language="de")
    with pytest.raises(Killed):
        translate(job_of(translation))

    made(translation)

    assert texts(translation) == [f"[de] {text}" for text in said]
    assert translator.asked == said


def test_a_correction_has_only_what_changed_translated(translator: FakeTranslator) -> None:
    document = spoken("so it was", "said", "then")
    made(request_translation(document=document, language="de"))
    transcript = document.transcript
    assert transcript is not None
    transcript.segments[1]["text"] = "sad"
    transcript.save()
    Document.objects.filter(pk=document.pk).update(version=2)
    translator.asked.clear()

    translation = made(request_translation(document=document, language="de"))

    assert texts(translation) == ["[de] so it was", "[de] sad", "[de] then"]
    assert translator.asked == ["sad"]


def test_what_one_workspace_had_translated_is_not_there_for_another(
    translator: FakeTranslator,
) -> None:
    made(request_translation(document=spoken("so"), language="de"))
    other = spoken("so", recording__workspace=WorkspaceFactory.create())

    made(request_translation(document=other, language="de"))

    assert translator.asked == ["so", "so"]


def test_a_translation_of_a_version_that_was_corrected_is_given_up() -> None:
    translation = request_translation(document=spoken("so"), language="de")
    Document.objects.update(version=2)

    assert made(translation).status == ResultStatus.CANCELLED


def test_a_translation_that_is_cancelled_stops_between_batches(settings: Settings) -> None:
    class Cancelling(FakeTranslator):
        def translate(self, texts: Sequence[str], **options: Any) -> list[str]:
            cancel_translation(Translation.objects.get())
            return super().translate(texts, **options)

    settings.TRANSLATOR = translator = Cancelling()
    document = DocumentFactory.create(
        text="\n\n".join(f"text {number}" for number in range(2 * BATCH_TEXTS))
    )

    translation = made(request_translation(document=document, language="de"))

    assert (translation.status, translation.segments) == (ResultStatus.CANCELLED, [])
    assert len(translator.asked) == BATCH_TEXTS


def test_cancelling_drops_the_job(django_capture_on_commit_callbacks: Any) -> None:
    translation = request_translation(document=spoken("so"), language="de")

    with django_capture_on_commit_callbacks(execute=True):
        assert cancel_translation(translation)

    assert job_of(translation).status == JobStatus.CANCELLED
    assert not cancel_translation(translation)


# Going wrong


class Scripted(FakeTranslator):
    """Gives these answers, one after the other, and then right ones."""

    def __init__(self, *answers: list[str]) -> None:
        super().__init__()
        self.answers = iter(answers)

    def translate(self, texts: Sequence[str], **options: Any) -> list[str]:
        right = super().translate(texts, **options)
        return next(self.answers, right)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(["eins"], id="too few"),
        pytest.param(["eins", "zwei", "drei"], id="too many"),
        pytest.param(["eins " * 1_000, "[de] two"], id="too long"),
        pytest.param(["  ", "[de] two"], id="blank"),
        pytest.param(["ei\0ns", "[de] two"], id="nothing a row can hold"),
    ],
)
def test_what_cannot_be_a_translation_is_asked_for_again(
    settings: Settings, wrong: list[str]
) -> None:
    settings.TRANSLATOR = Scripted(wrong)

    translation = made(request_translation(document=spoken("one", "two"), language="de"))

    assert texts(translation) == ["[de] one", "[de] two"]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        pytest.param([["eins"], ["zwei"]], "asked twice for 2 translations", id="too few"),
        pytest.param(
            [["eins " * 1_000, "zwei"], ["eins " * 1_000]],
            "asked twice for the translation of a text of 3 characters and gave 5000",
            id="too long",
        ),
    ],
)
def test_what_is_wrong_twice_is_a_bad_answer(
    settings: Settings, answers: list[list[str]], said: str
) -> None:
    settings.TRANSLATOR = Scripted(*answers)
    translation = request_translation(document=spoken("one", "two"), language="de")

    with pytest.raises(BadAnswer, match=said):
        made(translation)


@pytest.mark.django_db(transaction=True)
def test_a_translator_that_is_gone_by_then_fails_the_translation(settings: Settings) -> None:
    document = spoken("one")
    translation = request_translation(document=document, language="de")
    settings.TRANSLATOR = None

    drain(TRANSLATION_QUEUE)

    translation.refresh_from_db()
    document.transcript.refresh_from_db()  # type: ignore[union-attr]
    assert (translation.status, translation.error_code) == (ResultStatus.FAILED, "not_configured")
    assert "CHAT_BASE_URL" in translation.error_message
    assert document.transcript.text == "one"  # type: ignore[union-attr]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_what_failed_or_was_cancelled_is_made_after_all(status: str) -> None:
    translation = TranslationFactory.create(**{status: True})

    retried = retry_translation(translation)

    assert retried == translation
    assert made(retried).status == ResultStatus.COMPLETED
    assert retried.error_code == ""


def test_a_retry_of_an_older_version_is_a_new_translation() -> None:
    translation = TranslationFactory.create(failed=True)
    Document.objects.update(version=2)

    retried = retry_translation(translation)

    assert retried != translation
    assert retried.document_version == 2


def test_what_is_done_or_under_way_cannot_be_retried() -> None:
    with pytest.raises(NothingToDo, match="COMPLETED"):
        retry_translation(TranslationFactory.create(completed=True))


# By a chat engine


@pytest.fixture
def server(settings: Settings) -> Iterator[TextServer]:
    settings.TRANSLATOR = None
    with text_serving() as server:
        settings.CHAT = server.chat_settings()
        yield server


def test_a_chat_server_translates(server: TextServer) -> None:
    server.script = in_german

    translation = made(request_translation(document=spoken("one", "two"), language="de"))

    assert texts(translation) == ["de:one", "de:two"]
    assert translation.engine == "chat-model"
    assert len(server.chats) == 1


@pytest.mark.django_db(transaction=True)
def test_a_chat_server_that_never_answers_is_asked_again_later(
    server: TextServer, settings: Settings
) -> None:
    settings.CHAT = server.chat_settings(TIMEOUT_SECONDS=0.2)
    server.will(never())
    translation = request_translation(document=spoken("one"), language="de")

    drain(TRANSLATION_QUEUE)

    translation.refresh_from_db()
    assert translation.status == ResultStatus.PROCESSING
    assert job_of(translation).error_code == "provider_unavailable"


@pytest.mark.django_db(transaction=True)
def test_a_chat_engine_that_raves_fails_for_now(settings: Settings) -> None:
    settings.TRANSLATOR, settings.CHAT = None, FakeChat(lambda messages: "no")
    translation = request_translation(document=spoken("one"), language="de")

    drain(TRANSLATION_QUEUE)

    assert job_of(translation).error_code == "bad_answer"


@pytest.mark.parametrize(
    ("text", "translation", "is_one"),
    [
        pytest.param("Yes.", "Ja, das ist so.", True, id="short ones may differ"),
        pytest.param("word " * 100, "词" * 150, True, id="letters that are words"),
        pytest.param("词" * 100, "word " * 80, True, id="words for letters"),
        pytest.param("word " * 100, "word " * 1_000, False, id="too long"),
        pytest.param("word " * 100, "word", False, id="too short"),
        pytest.param("word", "", False, id="none"),
    ],
)
def test_a_translation_is_about_as_long_as_its_text(
    text: str, translation: str, is_one: bool
) -> None:
    assert is_plausible(text, translation) is is_one
