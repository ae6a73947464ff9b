"""``reindex`` has workers index what has changed, and nothing else."""

import io
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from jobs.choices import JobPriority, JobStatus
from jobs.models import Job
from processing.choices import INDEXING_JOB
from processing.knowledge.searching.indexing import index
from processing.models import Document
from tests.factories.knowledge import DocumentFactory
from tests.factories.processing import ProcessingTaskFactory, WorkspaceFactory

pytestmark = pytest.mark.django_db


def reindex(*arguments: str) -> str:
    out = io.StringIO()
    call_command("reindex", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue().strip()


def indexed(**row: Any) -> Document:
    document = DocumentFactory.create(**row)
    index(Job(job_type=INDEXING_JOB, payload={"document_id": str(document.pk)}))
    return document


def jobs() -> list[Any]:
    return list(Job.objects.filter(job_type=INDEXING_JOB).values_list("subject_id", flat=True))


def test_what_has_changed_is_enqueued_after_everything_else() -> None:
    indexed()
    changed = DocumentFactory.create()

    assert reindex("--all") == "Indexing 1 of 2 documents."

    [job] = Job.objects.filter(job_type=INDEXING_JOB)
    assert (job.subject_id, job.priority) == (changed.pk, JobPriority.LOW)
    assert job.payload == {"document_id": str(changed.pk)}


def test_where_nothing_has_changed_nothing_is_done() -> None:
    indexed()

    assert reindex("--all") == "Indexing 0 of 1 documents."
    assert jobs() == []


def test_all_batches_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processing.management.commands.reindex.BATCH_SIZE", 2)
    documents = DocumentFactory.create_batch(5)

    assert reindex("--all") == "Indexing 5 of 5 documents."
    assert {*jobs()} == {document.pk for document in documents}


def test_a_document_is_enqueued_once() -> None:
    DocumentFactory.create()

    reindex("--all")
    reindex("--all")

    assert len(jobs()) == 1


def test_a_dry_run_only_counts() -> None:
    DocumentFactory.create()

    assert reindex("--all", "--dry-run") == "Would index 1 of 1 documents."
    assert jobs() == []


def test_documents_may_be_named() -> None:
    document = DocumentFactory.create()
    DocumentFactory.create()

    assert reindex(str(document.pk)) == "Indexing 1 of 1 documents."
    assert jobs() == [document.pk]


def test_a_workspace_may_be_named() -> None:
    document = DocumentFactory.create(workspace=WorkspaceFactory.create(slug="other"))
    DocumentFactory.create()

    assert reindex("--workspace", "other") == "Indexing 1 of 1 documents."
    assert jobs() == [document.pk]


def test_what_cannot_be_read_is_left_alone() -> None:
    DocumentFactory.create(failed=True)

    assert reindex("--all") == "Indexing 0 of 0 documents."


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="nothing"),
        pytest.param(["--all", str(uuid4())], id="all and one"),
        pytest.param([str(uuid4())], id="unknown document"),
        pytest.param(["--workspace", "nowhere"], id="unknown workspace"),
    ],
)
def test_wrong_usage_is_said(arguments: list[str]) -> None:
    with pytest.raises(CommandError) as raised:
        reindex(*arguments)

    assert raised.value.returncode == 2


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(JobStatus.COMPLETED, "Indexing 1 of 1 documents.\nIndexed 1.", id="done"),
        pytest.param(JobStatus.FAILED, "1 documents could not be indexed", id="failed"),
    ],
)
def test_it_may_wait_until_the_workers_are_done(
    monkeypatch: pytest.MonkeyPatch, status: JobStatus, said: str
) -> None:
    DocumentFactory.create()

    def a_worker_ends_it(seconds: float) -> None:
        Job.objects.update(status=status, started_at=Now(), completed_at=Now(), attempt=1)

    monkeypatch.setattr("processing.management.commands.reindex.time.sleep", a_worker_ends_it)

    try:
        answer = reindex("--all", "--wait")
    except CommandError as error:
        answer = str(error)
    assert answer == said


def test_transcripts_from_before_there_were_documents_become_some() -> None:
    run = ProcessingTaskFactory.create(completed=True)

    assert reindex("--all", "--dry-run").startswith("Would make 1 documents of older transcripts.")
    assert not Document.objects.exists()
    assert reindex("--all").startswith("Made 1 documents of older transcripts.")
    assert Document.objects.get().transcript_id == run.transcript_id
    assert jobs() == [Document.objects.get().pk]
