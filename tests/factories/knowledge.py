"""Rows of what follows from transcripts; a trait sets everything that the status implies."""

import hashlib
from uuid import uuid4

import factory
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from factory.django import DjangoModelFactory

from processing.choices import DocumentKind, DocumentStatus, LinkKind, ResultStatus
from processing.models import (
    Document,
    DocumentLink,
    DocumentTopic,
    Passage,
    Question,
    Summary,
    Topic,
    Translation,
    Workspace,
)
from tests.factories.jobs import from_now
from tests.factories.processing import TranscriptFactory

TEXT = "The river rises in the hills.\n\nIt meets the sea in the west."


class DocumentFactory(DjangoModelFactory[Document]):
    """A READY document of two paragraphs of English in the default workspace.

    ``transcript=...`` makes it the document of a given transcript, ``spoken`` of one of its own.
    ``upload`` is a file that nobody has read yet, with ``content``; ``pending`` and ``failed``
    are its statuses.
    """

    class Meta:
        model = Document

    class Params:
        content = factory.Sequence(lambda n: f"{TEXT}\n\nNumber {n}.\n".encode())
        pending = factory.Trait(status=DocumentStatus.PENDING)
        failed = factory.Trait(
            status=DocumentStatus.FAILED,
            error_code="unreadable_document",
            error_message="the file is encrypted",
            text="",
        )
        upload = factory.Trait(
            status=DocumentStatus.PENDING,
            text="",
            language="",
            file=factory.LazyAttribute(
                lambda row: default_storage.save(f"documents/{uuid4()}", ContentFile(row.content))
            ),
        )
        spoken = factory.Trait(transcript=factory.SubFactory(TranscriptFactory, completed=True))

    workspace = factory.LazyAttribute(
        lambda row: (
            row.transcript.recording.workspace if row.transcript else Workspace.objects.default()
        )
    )
    transcript = None
    kind = factory.LazyAttribute(
        lambda row: DocumentKind.TRANSCRIPT if row.transcript else DocumentKind.UPLOAD
    )
    title = factory.Sequence(lambda n: f"Document {n}")
    language = "en"
    status = DocumentStatus.READY
    text = factory.LazyAttribute(lambda row: "" if row.transcript else TEXT)
    media_type = factory.LazyAttribute(lambda row: "" if row.transcript else "text/plain")
    sha256 = factory.LazyAttribute(
        lambda row: "" if row.transcript else hashlib.sha256(row.content).hexdigest()
    )
    size_bytes = factory.LazyAttribute(lambda row: 0 if row.transcript else len(row.content))


class DocumentLinkFactory(DjangoModelFactory[DocumentLink]):
    """Two documents of the default workspace that people say are related."""

    class Meta:
        model = DocumentLink

    source = factory.SubFactory(DocumentFactory)
    target = factory.SubFactory(DocumentFactory)
    kind = LinkKind.RELATED


class TopicFactory(DjangoModelFactory[Topic]):
    class Meta:
        model = Topic

    workspace = factory.LazyFunction(lambda: Workspace.objects.default())
    name = factory.Sequence(lambda n: f"Topic {n}")
    slug = factory.Sequence(lambda n: f"topic-{n}")


class DocumentTopicFactory(DjangoModelFactory[DocumentTopic]):
    """A topic given to a document by people; ``suggested`` by the machine."""

    class Meta:
        model = DocumentTopic

    class Params:
        suggested = factory.Trait(is_suggested=True, score=0.5)

    document = factory.SubFactory(DocumentFactory)
    topic = factory.SubFactory(TopicFactory)


class PassageFactory(DjangoModelFactory[Passage]):
    """The next passage of a document; ``spoken`` has times."""

    class Meta:
        model = Passage

    class Params:
        spoken = factory.Trait(
            start_seconds=factory.LazyAttribute(lambda row: 10.0 * row.index),
            end_seconds=factory.LazyAttribute(lambda row: 10.0 * row.index + 8.0),
            marks=factory.LazyAttribute(lambda row: [[0, 10.0 * row.index]]),
        )

    document = factory.SubFactory(DocumentFactory)
    workspace = factory.LazyAttribute(lambda row: row.document.workspace)
    index = factory.LazyAttribute(lambda row: row.document.passages.count())
    text = "The river rises in the hills."
    language = factory.LazyAttribute(lambda row: row.document.language)


class TranslationFactory(DjangoModelFactory[Translation]):
    """A translation into German that nobody has begun, or ``begun``, ``completed``,
    ``failed``, ``cancelled``; its document was spoken.
    """

    class Meta:
        model = Translation

    class Params:
        begun = factory.Trait(status=ResultStatus.PROCESSING, engine="fake-translator")
        completed = factory.Trait(
            status=ResultStatus.COMPLETED,
            progress=1.0,
            engine="fake-translator",
            completed_at=from_now(),
            segments=factory.LazyFunction(
                lambda: [
                    {"start": 0.1, "end": 0.45, "text": "so wurde"},
                    {"start": 1.1, "end": 1.45, "text": "es gesagt", "speaker": "Anna"},
                ]
            ),
        )
        failed = factory.Trait(
            status=ResultStatus.FAILED,
            completed_at=from_now(),
            error_code="bad_answer",
            error_message="asked twice and gave none",
        )
        cancelled = factory.Trait(status=ResultStatus.CANCELLED, completed_at=from_now())

    document = factory.SubFactory(DocumentFactory, spoken=True)
    workspace = factory.LazyAttribute(lambda row: row.document.workspace)
    document_version = factory.LazyAttribute(lambda row: row.document.version)
    language = "de"


class QuestionFactory(DjangoModelFactory[Question]):
    """A question in the default workspace that nobody has begun to answer, or ``begun``,
    ``completed`` (with a citation), ``failed``, ``cancelled``.
    """

    class Meta:
        model = Question

    class Params:
        begun = factory.Trait(status=ResultStatus.PROCESSING, engine="fake-chat")
        completed = factory.Trait(
            status=ResultStatus.COMPLETED,
            progress=1.0,
            engine="fake-chat",
            completed_at=from_now(),
            answer="It rises in the hills [1].",
            citations=factory.LazyFunction(
                lambda: [
                    {
                        "number": 1,
                        "document": str(uuid4()),
                        "title": "The river",
                        "passage": 1,
                        "start": 42.0,
                        "end": 70.0,
                        "quote": "The river rises in the hills.",
                    }
                ]
            ),
        )
        failed = factory.Trait(
            status=ResultStatus.FAILED,
            completed_at=from_now(),
            error_code="provider_refused",
            error_message="the provider refused with 400",
        )
        cancelled = factory.Trait(status=ResultStatus.CANCELLED, completed_at=from_now())

    workspace = factory.LazyFunction(lambda: Workspace.objects.default())
    text = factory.Sequence(lambda n: f"Where does river number {n} rise?")


class SummaryFactory(DjangoModelFactory[Summary]):
    """A summary that nobody has begun, or ``begun``, ``completed`` (of which the last third is
    not covered), ``failed``, ``cancelled``.
    """

    class Meta:
        model = Summary

    class Params:
        begun = factory.Trait(status=ResultStatus.PROCESSING, engine="fake-chat")
        completed = factory.Trait(
            status=ResultStatus.COMPLETED,
            progress=1.0,
            engine="fake-chat",
            completed_at=from_now(),
            text="A river goes from the hills to the sea.",
            key_phrases=factory.LazyFunction(lambda: [{"phrase": "river rises", "score": 1.0}]),
            coverage=factory.LazyFunction(
                lambda: [
                    {"start": 0.0, "end": 40.0, "is_covered": True},
                    {"start": 40.0, "end": 60.0, "is_covered": False},
                ]
            ),
        )
        failed = factory.Trait(
            status=ResultStatus.FAILED,
            completed_at=from_now(),
            error_code="provider_unavailable",
            error_message="the provider gave no answer",
        )
        cancelled = factory.Trait(status=ResultStatus.CANCELLED, completed_at=from_now())

    document = factory.SubFactory(DocumentFactory)
    workspace = factory.LazyAttribute(lambda row: row.document.workspace)
    document_version = factory.LazyAttribute(lambda row: row.document.version)
    language = factory.LazyAttribute(lambda row: row.document.language)
