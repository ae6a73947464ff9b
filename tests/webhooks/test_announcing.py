"""What happens in a workspace is told to whom chose it, in the transaction that does it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from django.db import connection, connections, transaction

from jobs.choices import JobStatus
from jobs.models import Job
from processing.choices import (
    INDEXING_JOB,
    WEBHOOK_QUEUE,
    DocumentStatus,
    ResultStatus,
    WebhookEvent,
)
from processing.exceptions import WebhookIsPaused
from processing.knowledge.corrections import correct_transcript
from processing.knowledge.documents import settle_job
from processing.knowledge.results import complete_result, settling
from processing.knowledge.searching.indexing import index
from processing.models import (
    Document,
    ProcessingTask,
    Question,
    Summary,
    Translation,
    Webhook,
    WebhookDelivery,
)
from processing.services.joining import merge
from processing.services.orchestrator import cancel_processings
from processing.services.orchestrator import settle_job as settle_run
from processing.webhooks.announcing import announce_runs, ping, resend
from processing.webhooks.registering import delete_webhook
from tests.factories.jobs import JobFactory
from tests.factories.knowledge import (
    DocumentFactory,
    QuestionFactory,
    SummaryFactory,
    TranslationFactory,
)
from tests.factories.processing import (
    HEARD,
    ChunkTaskFactory,
    ProcessingTaskFactory,
    TranscriptFactory,
    WorkspaceFactory,
)
from tests.factories.webhooks import WebhookDeliveryFactory, WebhookFactory
from tests.queries import queries_of
from tests.waiting import wait_for
from tests.webhooks.conftest import only

pytestmark = pytest.mark.django_db


@pytest.fixture
def listener() -> Webhook:
    """A webhook of the default workspace that is told of everything."""
    webhook: Webhook = WebhookFactory.create()
    return webhook


@pytest.fixture
def rings(redis_connection: redis.Redis) -> Callable[[], int]:
    """Tell how many rings wait for workers on the queue of webhooks."""
    return lambda: int(redis_connection.llen(f"rq:queue:{WEBHOOK_QUEUE}"))


def told() -> list[str]:
    return list(WebhookDelivery.objects.order_by("event").values_list("event", flat=True))


def data() -> dict[str, Any]:
    told_data: dict[str, Any] = only().payload["data"]
    return told_data


def settled(*chunks: str) -> ProcessingTask:
    """Return a run whose chunks have ended so, and which is ready to be joined."""
    run: ProcessingTask = ProcessingTaskFactory.create(processing=True, total_chunks=len(chunks))
    for status in chunks:
        ChunkTaskFactory.create(processing=run, **{status: True})
    ProcessingTask.objects.elect_merger(run.pk)
    return run


# Transcripts


@pytest.mark.parametrize(
    ("chunks", "status"),
    [
        pytest.param(["completed", "completed"], "completed", id="completed"),
        pytest.param(["completed", "failed"], "partial", id="partial"),
        pytest.param(["failed", "failed"], "failed", id="failed"),
    ],
)
def test_end_of_a_run_is_told(listener: Webhook, chunks: list[str], status: str) -> None:
    run = settled(*chunks)

    merge(JobFactory.create(payload={"processing_id": str(run.pk)}))

    assert told() == [f"transcript.{status}"]
    assert data()["status"] == status.upper()


def test_run_that_its_planner_gave_up_is_told_with_the_reason(listener: Webhook) -> None:
    run = ProcessingTaskFactory.create()
    reason = {"error_code": "unreadable_audio", "error_message": "no sound"}
    job = JobFactory.create(failed=True, payload={"processing_id": str(run.pk)}, **reason)

    settle_run(job)

    assert told() == ["transcript.failed"]
    assert data()["error"] == {"code": "unreadable_audio", "message": "no sound"}


def test_cancelled_runs_are_told_each_once(listener: Webhook) -> None:
    runs = ProcessingTaskFactory.create_batch(2, processing=True)

    cancel_processings(runs)
    cancel_processings(runs)

    ids = {delivery.payload["data"]["id"] for delivery in WebhookDelivery.objects.all()}
    assert told() == ["transcript.cancelled"] * 2
    assert ids == {str(run.transcript_id) for run in runs}


def test_transcript_is_told_with_names_and_links_and_without_what_was_said(
    listener: Webhook,
) -> None:
    transcript = TranscriptFactory.create(completed=True)

    announce_runs([transcript.latest_processing.pk])

    delivery = only()
    assert delivery.payload["type"] == "transcript.completed"
    assert delivery.payload["timestamp"].endswith("Z")
    assert delivery.payload["data"] == {
        "object": "transcript",
        "id": str(transcript.pk),
        "status": "COMPLETED",
        "error": None,
        "name": transcript.recording.name,
        "recording": str(transcript.recording_id),
        "engine": "scripted",
        "language": "en",
        "duration_seconds": 2.0,
        "links": {"self": f"/api/v1/transcripts/{transcript.pk}/"},
    }
    assert HEARD[3] not in str(delivery.payload)


def test_correction_is_told_with_the_new_version(listener: Webhook) -> None:
    transcript = TranscriptFactory.create(completed=True)
    DocumentFactory.create(transcript=transcript)
    changes = [{"segment": 0, "text": "so it is"}]

    document = correct_transcript(transcript=transcript, changes=changes, expected_version=1)

    assert told() == ["transcript.corrected"]
    assert (data()["version"], data()["document"]) == (2, str(document.pk))


# Documents and results


def indexed(document: Document) -> None:
    index(Job(job_type=INDEXING_JOB, payload={"document_id": str(document.pk)}))


def test_document_is_told_to_be_ready_once(listener: Webhook) -> None:
    document = DocumentFactory.create(text="the river rises", pending=True)

    indexed(document)
    indexed(document)

    assert told() == ["document.ready"]
    assert (data()["id"], data()["status"]) == (str(document.pk), DocumentStatus.READY)
    assert data()["links"] == {"self": f"/api/v1/documents/{document.pk}/"}


def test_document_that_is_ready_by_its_content_is_told(listener: Webhook) -> None:
    document = DocumentFactory.create(text="the river rises", pending=True)
    indexed(document)
    WebhookDelivery.objects.all().delete()
    Document.objects.restart(document.pk)

    indexed(document)

    assert told() == ["document.ready"]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_document_that_cannot_be_read_is_told(listener: Webhook, status: str) -> None:
    document = DocumentFactory.create(pending=True)
    job = JobFactory.create(payload={"document_id": str(document.pk)}, **{status: True})

    settle_job(job)

    assert told() == ["document.failed"]
    assert data()["error"]["code"] in ("permanent", "cancelled")


RESULTS = [
    pytest.param(SummaryFactory, Summary, "summary", "summaries", id="summary"),
    pytest.param(TranslationFactory, Translation, "translation", "translations", id="translation"),
    pytest.param(QuestionFactory, Question, "question", "questions", id="question"),
]


@pytest.mark.parametrize(("factory", "model", "kind", "path"), RESULTS)
def test_result_that_is_made_is_told(
    listener: Webhook, factory: Any, model: Any, kind: str, path: str
) -> None:
    result = factory.create(begun=True)

    assert complete_result(result)

    assert told() == [f"{kind}.completed"]
    assert (data()["object"], data()["id"]) == (kind, str(result.pk))
    assert data()["links"]["self"] == f"/api/v1/{path}/{result.pk}/"


@pytest.mark.parametrize(("factory", "model", "kind", "path"), RESULTS)
def test_result_that_nobody_could_make_is_told(
    listener: Webhook, factory: Any, model: Any, kind: str, path: str
) -> None:
    result = factory.create(begun=True)

    settling(model)(JobFactory.create(payload={"result_id": str(result.pk)}, failed=True))

    assert told() == [f"{kind}.failed"]
    assert data()["error"]["code"] == "permanent"


def test_result_that_was_cancelled_meanwhile_is_not_told(listener: Webhook) -> None:
    summary = SummaryFactory.create(cancelled=True)

    assert not complete_result(summary)

    assert told() == []
    assert Summary.objects.get().status == ResultStatus.CANCELLED


# To whom


def test_each_who_chose_the_event_is_told_the_same_message() -> None:
    chose = WebhookFactory.create_batch(2, events=[WebhookEvent.TRANSCRIPT_COMPLETED])
    WebhookFactory.create(events=[WebhookEvent.TRANSCRIPT_FAILED])
    run = TranscriptFactory.create(completed=True).latest_processing

    announce_runs([run.pk])

    deliveries = WebhookDelivery.objects.all()
    assert {delivery.webhook_id for delivery in deliveries} == {webhook.pk for webhook in chose}
    assert len({delivery.message_id for delivery in deliveries}) == 1
    assert {delivery.max_attempts for delivery in deliveries} == {10}


def test_another_workspace_is_told_nothing() -> None:
    WebhookFactory.create(workspace=WorkspaceFactory.create())
    run = TranscriptFactory.create(completed=True).latest_processing

    announce_runs([run.pk])

    assert told() == []


def test_paused_webhook_is_told_nothing() -> None:
    WebhookFactory.create(paused=True)
    run = TranscriptFactory.create(completed=True).latest_processing

    announce_runs([run.pk])

    assert told() == []


def test_without_webhooks_the_end_of_many_runs_costs_one_query() -> None:
    runs = [TranscriptFactory.create(completed=True).latest_processing.pk for _ in range(3)]

    assert len(queries_of(lambda: announce_runs(runs))) == 1


# Together or not at all


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_was_not_told_and_rings_nobody(
    listener: Webhook, rings: Callable[[], int]
) -> None:
    run = TranscriptFactory.create(completed=True).latest_processing

    with transaction.atomic():
        announce_runs([run.pk])
        transaction.set_rollback(True)

    assert (told(), rings()) == ([], 0)


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_rings_the_workers(listener: Webhook, rings: Callable[[], int]) -> None:
    run = TranscriptFactory.create(completed=True).latest_processing

    with transaction.atomic():
        announce_runs([run.pk])
        assert rings() == 0

    assert (told(), rings()) == (["transcript.completed"], 1)


@pytest.mark.django_db(transaction=True)
def test_webhook_cannot_be_deleted_between_telling_and_commit(listener: Webhook) -> None:
    run = TranscriptFactory.create(completed=True).latest_processing

    with ThreadPoolExecutor(1) as other:
        with transaction.atomic():
            announce_runs([run.pk])
            deleting = other.submit(deleted, listener)
            wait_for(is_somebody_waiting)
            assert not deleting.done()
        deleting.result()

    assert (Webhook.objects.count(), WebhookDelivery.objects.count()) == (0, 0)


def deleted(webhook: Webhook) -> None:
    try:
        delete_webhook(webhook)
    finally:
        connections.close_all()


def is_somebody_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


# Again, and at once


def test_delivery_is_sent_again_as_the_same_message(listener: Webhook) -> None:
    delivery = WebhookDeliveryFactory.create(webhook=listener, delivered=True)

    again = resend(delivery)

    assert again.pk != delivery.pk
    assert (again.message_id, again.payload) == (delivery.message_id, delivery.payload)
    assert (again.status, again.attempt, again.max_attempts) == (JobStatus.QUEUED, 0, 10)


def test_nothing_is_sent_again_or_at_once_to_a_paused_webhook() -> None:
    webhook = WebhookFactory.create(paused=True)
    delivery = WebhookDeliveryFactory.create(webhook=webhook, failed=True)

    with pytest.raises(WebhookIsPaused, match="by people"):
        ping(webhook)
    with pytest.raises(WebhookIsPaused, match="resumed"):
        resend(delivery)

    assert WebhookDelivery.objects.count() == 1
