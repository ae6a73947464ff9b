"""The repositories of webhooks and of their deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now

from jobs.choices import TERMINAL, WAITING, JobStatus
from jobs.managers.work import WorkQuerySet

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from jobs.models import Work
    from processing.choices import WebhookEvent
    from processing.models import Webhook, WebhookDelivery, Workspace  # noqa: F401  in strings

#: Whom to tell, each kept from being deleted until the transaction ends, and from nothing else:
#: the ORM's weakest lock would have those who tell the same webhook wait for each other.
_LISTENING = """
SELECT id FROM webhooks
WHERE workspace_id = %s AND paused_at IS NULL AND %s = ANY(events)
ORDER BY id
FOR KEY SHARE
"""


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def active(self) -> Self:
        return self.filter(paused_at__isnull=True)

    def told(self, event: str) -> Self:
        """Those that chose an event."""
        return self.filter(events__contains=[event])

    def listening(self, event: WebhookEvent, workspace_id: UUID) -> list[UUID]:
        """Return who is to be told of an event, to be called in the transaction that tells them."""
        told = self.raw(_LISTENING, [workspace_id, event.value], using=self.db)
        return [webhook.pk for webhook in told]

    def with_last_delivery(self) -> Self:
        """Annotate ``last_delivery_at`` and ``last_delivery_status``, None where there is none."""
        last = _deliveries().filter(webhook=OuterRef("pk")).order_by("-created_at", "-id")
        return self.annotate(
            last_delivery_at=models.Subquery(last.values("created_at")[:1]),
            last_delivery_status=models.Subquery(last.values("status")[:1]),
        )

    def pause(self, pk: UUID, *, reason: str) -> bool:
        """Have nothing sent any more; False when that is so already."""
        changed = self.active().filter(pk=pk).update(paused_at=Now(), pause_reason=reason[:255])
        return changed == 1

    def resume(self, pk: UUID) -> bool:
        """Have events sent again, with no failure counted; False for one that is not paused."""
        paused = self.filter(pk=pk, paused_at__isnull=False)
        return paused.update(paused_at=None, pause_reason="", failure_count=0) == 1

    def count_success(self, pk: UUID) -> None:
        """Forget the failures before this."""
        self.filter(pk=pk, failure_count__gt=0).update(failure_count=0)

    def count_failure(self, pk: UUID) -> int:
        """Count one delivery more that was given up; return how many there are in a row."""
        with transaction.atomic(using=self.db):
            self.filter(pk=pk).update(failure_count=F("failure_count") + 1)
            return self.filter(pk=pk).values_list("failure_count", flat=True).first() or 0

    def rotate_secret(self, pk: UUID) -> None:
        """Give the next secret; what is sent is signed with the one before too for a while."""
        rows = self.filter(pk=pk)
        rows.update(secret_version=F("secret_version") + 1, secret_changed_at=Now())


class WebhookDeliveryQuerySet(WorkQuerySet["WebhookDelivery"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(webhook__workspace=workspace)

    def of_webhook(self, webhook_id: UUID) -> Self:
        return self.filter(webhook=webhook_id)

    def waiting(self) -> Self:
        return self.filter(status__in=WAITING)

    def in_flight(self) -> Self:
        return self.filter(status=JobStatus.PROCESSING)

    def waiting_after(self, code: str) -> Self:
        """Those to be tried again, whose last attempt failed by the error ``code``."""
        return self.filter(status=JobStatus.SCHEDULED, error_code=code)

    def without_payload(self) -> Self:
        """Leave out what lists do not show."""
        return self.defer("payload", "response_excerpt")

    def note_answer(self, work: Work, **answer: Any) -> bool:
        """Store the answer to an attempt that goes on; False when it is another's by now."""
        held = self._current(work).filter(pk=work.pk, status=JobStatus.PROCESSING)
        return held.update(**answer) == 1

    def over_since(self, moment: datetime) -> Self:
        """Those that ended before ``moment``."""
        return self.filter(status__in=TERMINAL, completed_at__lt=moment)

    def purge(self, *, limit: int) -> int:
        """Delete up to ``limit`` of these that nobody has locked, the oldest first; return how
        many."""
        with transaction.atomic(using=self.db):
            rows = self.order_by("completed_at").select_for_update(of=("self",), skip_locked=True)
            ids = list(rows.values_list("pk", flat=True)[:limit])
            self._unfiltered().filter(pk__in=ids).delete()
        return len(ids)


def is_listened_to(workspace: str) -> Exists:
    """Whether the workspace that rows name in the column ``workspace`` has an active webhook."""
    from processing.models import Webhook  # noqa: PLC0415  it imports this module

    return Exists(Webhook.objects.active().filter(workspace=OuterRef(workspace)))


def _deliveries() -> WebhookDeliveryQuerySet:
    from processing.models import WebhookDelivery  # noqa: PLC0415  it imports this module

    return WebhookDelivery.objects.all()


WebhookManager = models.Manager.from_queryset(WebhookQuerySet)
WebhookDeliveryManager = models.Manager.from_queryset(WebhookDeliveryQuerySet)
