"""What a workspace has told to whom: webhooks come, change, and get other secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from processing.exceptions import QuotaReached
from processing.models import Webhook, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.contrib.auth.models import User


def create_webhook(
    *,
    workspace: Workspace,
    url: str,
    events: Iterable[str],
    description: str = "",
    created_by: User | None = None,
) -> Webhook:
    """Have ``events`` of a workspace told to ``url`` from now on.

    ``url`` is one that ``check_url`` accepts. Raises ``QuotaReached`` where the workspace has as
    many webhooks as it may have.
    """
    limit = settings.WEBHOOKS_PER_WORKSPACE
    with transaction.atomic():
        Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
        if Webhook.objects.in_workspace(workspace).count() >= limit:
            raise QuotaReached(f"the workspace has {limit} webhooks, and may have no more")
        webhook = Webhook.objects.create(
            workspace=workspace,
            url=url,
            events=sorted(set(events)),
            description=description,
            created_by=created_by,
        )
    webhook.refresh_from_db()
    return webhook


def update_webhook(webhook: Webhook, **changes: Any) -> None:
    """Change ``url``, ``events`` or ``description``; deliveries that wait go to the new address."""
    if "events" in changes:
        changes["events"] = sorted(set(changes["events"]))
    if changes:
        Webhook.objects.filter(pk=webhook.pk).update(**changes)


@transaction.atomic
def delete_webhook(webhook: Webhook) -> None:
    """Forget a webhook and all that was sent to it, also by those who tell it something now."""
    locked = Webhook.objects.select_for_update().filter(pk=webhook.pk).first()
    if locked is not None:
        locked.delete()


def rotate_secret(webhook: Webhook) -> None:
    """Give a webhook another secret; for a day deliveries are signed with the one before too."""
    Webhook.objects.rotate_secret(webhook.pk)
