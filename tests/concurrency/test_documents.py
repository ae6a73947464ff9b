"""Documents and topics that several people make at the same moment."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from django.db import IntegrityError

from jobs.models import Job
from processing.knowledge.documents import delete_document, request_indexing
from processing.knowledge.uploading import submit_document
from processing.models import Document, DocumentTopic, Topic, Workspace
from processing.services.deletion import delete_recording
from tests.concurrency.threads import at_once
from tests.factories.knowledge import DocumentFactory

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 6


def submit(workspace: Workspace) -> tuple[Document, bool]:
    return submit_document(source=BytesIO(b"text"), name="a.txt", workspace=workspace)


def test_same_file_from_many_at_once_is_one_document(
    stored_files: Callable[[], set[Path]],
) -> None:
    workspace = Workspace.objects.default()
    before = stored_files()

    found = at_once([partial(submit, workspace)] * THREADS)

    document = Document.objects.get()
    assert {each.pk for each, _ in found} == {document.pk}
    assert sum(is_new for _, is_new in found) == 1
    assert stored_files() - before == {Path(document.file.path)}
    assert Job.objects.about(document.pk).count() == 1


def test_topics_that_many_documents_share_are_made_once() -> None:
    documents = DocumentFactory.create_batch(THREADS)
    phrases = [(f"topic {n}", 0.5) for n in range(20)]
    orders = [phrases[n:] + phrases[:n] for n in range(THREADS)]

    at_once(
        [
            partial(Topic.objects.suggest, document, order)
            for document, order in zip(documents, orders, strict=True)
        ]
    )

    assert Topic.objects.count() == 20
    assert DocumentTopic.objects.count() == 20 * THREADS


@pytest.mark.parametrize("is_spoken", [False, True], ids=["uploaded", "of a recording"])
def test_documents_are_deleted_while_topics_are_suggested_for_them(is_spoken: bool) -> None:
    documents = DocumentFactory.create_batch(20, spoken=is_spoken)

    def delete(document: Document) -> None:
        if document.transcript is not None:
            delete_recording(recording=document.transcript.recording)
        else:
            delete_document(document)

    def suggest(document: Document) -> None:
        with suppress(IntegrityError):  # where it came too late
            Topic.objects.suggest(document, [("harbour", 0.5)])

    for document in documents:
        at_once([partial(delete, document), *[partial(suggest, document)] * 3])

    assert not Document.objects.exists()
    assert not DocumentTopic.objects.exists()


def test_document_that_many_want_indexed_has_one_job() -> None:
    document = DocumentFactory.create()

    at_once([partial(request_indexing, document)] * THREADS)

    assert Job.objects.about(document.pk).count() == 1
