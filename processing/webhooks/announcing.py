"""Deciding who is told what: in the transaction in which it happens, so never without it.

What is told is small, and nothing that anybody said: ``type`` (a ``WebhookEvent``),
``timestamp``, and ``data`` with ``object`` (what it is about), ``id``, ``status``, ``name`` where
it has one, ``error`` (null, or ``code`` and ``message``), ids of what it belongs to, and
``links``, paths of the API. Deleting something tells nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from jobs import queues
from jobs.identifiers import uuid7
from processing.choices import WEBHOOK_QUEUE, DocumentStatus, ResultStatus, WebhookEvent
from processing.exceptions import WebhookIsPaused
from processing.managers.webhook import is_listened_to
from processing.models import (
    Document,
    ProcessingTask,
    Question,
    Result,
    Transcript,
    Webhook,
    WebhookDelivery,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

#: What is told of summaries, translations and questions, as far as they have it.
RESULT_COLUMNS = frozenset(
    {"workspace", "document", "status", "engine", "language", "error_code", "error_message"}
)

#: How often a delivery is tried.
MAX_ATTEMPTS = 10


def announce_runs(run_ids: Iterable[UUID]) -> None:
    """Tell how runs have ended; to be called in the transaction that ends them."""
    runs = ProcessingTask.objects.with_recordings()
    ended = runs.filter(is_listened_to("transcript__workspace"), pk__in=list(run_ids))
    for run in ended:
        data = _of_transcript(run.transcript, run)
        _tell(WebhookEvent(f"transcript.{run.status.lower()}"), run.transcript.workspace_id, data)


def announce_correction(document: Document) -> None:
    """Tell that people have corrected a transcript, of which ``document`` is the new version."""
    told = Document.objects.without_content().filter(is_listened_to("workspace"), pk=document.pk)
    if not told.exists():
        return
    transcript = Transcript.objects.with_runs().without_content().get(document=document)
    data = _of_transcript(transcript, transcript.latest_processing)
    data |= {"document": str(document.pk), "version": document.version}
    _tell(WebhookEvent.TRANSCRIPT_CORRECTED, document.workspace_id, data)


def announce_document(document_id: UUID) -> None:
    """Tell that a document is READY or FAILED, in the transaction that makes it so."""
    told = Document.objects.without_content().filter(is_listened_to("workspace"), pk=document_id)
    for document in told:
        is_ready = document.status == DocumentStatus.READY
        event = WebhookEvent.DOCUMENT_READY if is_ready else WebhookEvent.DOCUMENT_FAILED
        data = _described("document", document) | {
            "name": document.title,
            "kind": document.kind,
            "language": document.language,
            "version": document.version,
            "transcript": _id(document.transcript_id),
        }
        _tell(event, document.workspace_id, data)


def announce_result(model: type[Result], pk: UUID) -> None:
    """Tell that a summary, translation or question has COMPLETED or FAILED, where it has."""
    over = (ResultStatus.COMPLETED, ResultStatus.FAILED)
    results = model._default_manager.filter(is_listened_to("workspace"), pk=pk, status__in=over)
    columns = RESULT_COLUMNS & {field.name for field in model._meta.concrete_fields}
    for result in results.only(*columns):  # texts stay where they are
        kind = model._meta.model_name or ""
        data = _described(kind, result) | {"engine": result.engine}
        if not isinstance(result, Question):
            document: Any = result
            data |= {"document": _id(document.document_id), "language": document.language}
            data["links"]["document"] = _path("document", document.document_id)
        _tell(WebhookEvent(f"{kind}.{result.status.lower()}"), result.workspace_id, data)


@transaction.atomic
def ping(webhook: Webhook) -> WebhookDelivery:
    """Send a webhook something, whatever events it has; raise ``WebhookIsPaused``."""
    links = {"self": _path("webhook", webhook.pk)}
    data = {"object": "webhook", "id": str(webhook.pk), "links": links}
    return _enqueued(webhook, event=WebhookEvent.PING, payload=_message(WebhookEvent.PING, data))


@transaction.atomic
def resend(delivery: WebhookDelivery) -> WebhookDelivery:
    """Send again what was sent, or given up, as a new delivery of the same message.

    Raises ``WebhookIsPaused``.
    """
    return _enqueued(
        delivery.webhook,
        event=WebhookEvent(delivery.event),
        payload=delivery.payload,
        message_id=delivery.message_id,
    )


def _enqueued(webhook: Webhook, **content: Any) -> WebhookDelivery:
    if webhook.paused_at is not None:
        raise WebhookIsPaused(
            f"the webhook is paused ({webhook.pause_reason}): nothing is sent until it is resumed"
        )
    delivery = _delivery(webhook.pk, **content)
    delivery.save(force_insert=True)
    delivery.refresh_from_db()
    queues.ring_on_commit(WEBHOOK_QUEUE)
    return delivery


def _tell(event: WebhookEvent, workspace_id: UUID, data: dict[str, Any]) -> None:
    """Store a delivery for each webhook that is to be told, and ring once that is committed."""
    with transaction.atomic():
        told = Webhook.objects.listening(event, workspace_id)
        if not told:
            return
        message, message_id = _message(event, data), uuid7()
        WebhookDelivery.objects.bulk_create(
            _delivery(pk, event=event, payload=message, message_id=message_id) for pk in told
        )
        queues.ring_on_commit(WEBHOOK_QUEUE)


def _delivery(webhook_id: UUID, **content: Any) -> WebhookDelivery:
    return WebhookDelivery(
        webhook_id=webhook_id, queue_name=WEBHOOK_QUEUE, max_attempts=MAX_ATTEMPTS, **content
    )


def _message(event: WebhookEvent, data: dict[str, Any]) -> dict[str, Any]:
    timestamp = timezone.now().isoformat().replace("+00:00", "Z")
    return {"type": event.value, "timestamp": timestamp, "data": data}


def _of_transcript(transcript: Transcript, run: ProcessingTask) -> dict[str, Any]:
    return {
        **_described("transcript", transcript, status_of=run),
        "name": transcript.recording.name,
        "recording": str(transcript.recording_id),
        "engine": transcript.engine,
        "language": transcript.language,
        "duration_seconds": transcript.duration_seconds,
    }


def _described(kind: str, row: Any, *, status_of: Any = None) -> dict[str, Any]:
    """Return what is told of every object."""
    said = status_of or row
    error = {"code": said.error_code, "message": said.error_message} if said.error_code else None
    return {
        "object": kind,
        "id": str(row.pk),
        "status": said.status,
        "error": error,
        "links": {"self": _path(kind, row.pk)},
    }


def _path(kind: str, pk: UUID) -> str:
    return reverse(f"{kind}-detail", args=[pk])


def _id(pk: UUID | None) -> str | None:
    return str(pk) if pk is not None else None
