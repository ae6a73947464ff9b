"""The repository of results: their queries and every change of their status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.db import models
from django.db.models import F
from django.db.models.functions import Greatest, Now

from processing.choices import (
    ACTIVE_RESULT,
    RESULT_TRANSITIONS,
    TERMINAL_RESULT,
    ResultStatus,
)

if TYPE_CHECKING:
    from uuid import UUID

    from processing.models import Document, Result, Workspace

ResultT = TypeVar("ResultT", bound="Result")


class ResultQuerySet(models.QuerySet[ResultT]):
    """Each transition is one guarded UPDATE; what it returns says whether it happened."""

    def active(self) -> Self:
        return self.filter(status__in=ACTIVE_RESULT)

    def completed(self) -> Self:
        return self.filter(status=ResultStatus.COMPLETED)

    def of_document(self, document: Document) -> Self:
        return self.filter(document=document)

    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def begin(self, pk: UUID, *, engine: str) -> bool:
        """Take a result up, also from a worker that is gone; False when it is over."""
        return self._transition("begin", pk, engine=engine)

    def advance(self, pk: UUID, progress: float, **content: Any) -> bool:
        """Say how far it is, 0 to 1, and what is there by now; False when it is over.

        Progress never falls, whoever says it.
        """
        rows = self.filter(pk=pk, status=ResultStatus.PROCESSING)
        return rows.update(progress=Greatest(F("progress"), progress), **content) == 1

    def complete(self, pk: UUID, **content: Any) -> bool:
        return self._transition("complete", pk, progress=1.0, **content)

    def fail(self, pk: UUID, *, code: str, message: str) -> bool:
        return self._transition("fail", pk, error_code=code, error_message=message)

    def cancel(self, pk: UUID) -> bool:
        return self._transition("cancel", pk)

    def restart(self, pk: UUID) -> bool:
        """Have a result that failed or was cancelled made after all."""
        return self._transition("restart", pk, error_code="", error_message="", progress=0.0)

    def _transition(self, event: str, pk: UUID, **changes: Any) -> bool:
        sources, target = RESULT_TRANSITIONS[event]
        changes["completed_at"] = Now() if target in TERMINAL_RESULT else None
        return self.filter(pk=pk, status__in=sources).update(status=target, **changes) == 1


ResultManager = models.Manager.from_queryset(ResultQuerySet)
