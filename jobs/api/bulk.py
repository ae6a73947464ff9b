"""Jobs that programs outside ask for: only of types that say what may come from there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db import transaction

from jobs import handlers
from jobs.api.serializers import JobRequestSerializer
from jobs.exceptions import (
    BulkRefused,
    InvalidJob,
    InvalidPayload,
    NotFromOutside,
    Refusal,
    UnknownJobType,
)
from jobs.services.bulk import BulkReport, bulk_enqueue
from jobs.services.requests import JobRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from django.contrib.auth.models import AnonymousUser, User


def enqueue_from_outside(
    rows: Sequence[Any], *, created_by: User | AnonymousUser, continue_on_error: bool
) -> BulkReport:
    """Enqueue what a program asks for; report each row, or raise ``BulkRefused`` for all.

    A payload is stored as the ``validate`` of its type returns it.
    """
    requests: dict[int, JobRequest] = {}
    refused: list[Refusal] = []
    for index, row in enumerate(rows):
        try:
            requests[index] = _request_of(row, created_by)
        except (InvalidJob, InvalidPayload, NotFromOutside, UnknownJobType) as error:
            refused.append(Refusal(index, error.code, str(error)))
    with transaction.atomic():
        places = list(requests)
        report = bulk_enqueue(requests.values(), continue_on_error=True)
        refused += [replace(refusal, index=places[refusal.index]) for refusal in report.refused]
        refused.sort(key=lambda refusal: refusal.index)
        if refused and not continue_on_error:
            raise BulkRefused(refused, len(rows))
    ids: list[UUID | None] = [None] * len(rows)
    for place, pk in zip(places, report.ids, strict=True):
        ids[place] = pk
    return BulkReport(ids, frozenset(places[index] for index in report.existing), refused)


def _request_of(row: Any, created_by: User | AnonymousUser) -> JobRequest:
    asked = JobRequestSerializer(data=row)
    if not asked.is_valid():
        raise InvalidJob(
            "; ".join(f"{name}: {' '.join(map(str, why))}" for name, why in asked.errors.items())
        )
    request = JobRequest(**asked.validated_data, created_by_id=created_by.pk)
    payload = handlers.payload_from_outside(request.job_type, request.payload)
    return replace(request, payload=payload)


def report_rows(report: BulkReport) -> list[dict[str, Any]]:
    """Return what became of each row, in the order they were sent."""
    reasons = {refusal.index: refusal for refusal in report.refused}
    return [
        _refused(reasons[index])
        if index in reasons
        else {"id": pk, "status": "existing" if index in report.existing else "enqueued"}
        for index, pk in enumerate(report.ids)
    ]


def _refused(refusal: Refusal) -> dict[str, Any]:
    return {
        "id": None,
        "status": "refused",
        "code": refusal.code,
        "message": refusal.message,
    }
