"""The account of who changed what."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.db import Error as DatabaseError
from django.db import transaction

from processing.models import AuditEvent, Workspace
from processing.origin import current_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)


def record_event(
    *,
    action: str,
    object_type: str,
    object_id: str = "",
    workspace: Workspace | None = None,
    actor: User | None = None,
    api_key_id: str = "",
    request_id: str = "",
    address: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> AuditEvent | None:
    """Write down that something was done; request and address are those that are answered now.

    It is done by then: when PostgreSQL refuses the event, the log says loudly what it was, and
    the answer is None. ``details`` are for people who look into it: no secrets, no texts.
    """
    origin = current_origin()
    if origin is not None:
        request_id, address = request_id or origin.request_id, address or origin.address
        origin.event_count += 1
    event = AuditEvent(
        workspace=workspace,
        actor=actor,
        actor_name=actor.get_username() if actor else "",
        api_key_id=api_key_id,
        action=action[:100],
        object_type=object_type[:50],
        object_id=str(object_id)[:100],
        request_id=request_id,
        address=address,
        details=dict(details or {}),
    )
    try:
        with transaction.atomic():  # which a failure leaves as it was, if there is one already
            event.save(force_insert=True)
    except DatabaseError:
        logger.exception("no audit event could be written of: %s", event)
        return None
    return event


def record_log_entry(sender: type[LogEntry], instance: LogEntry, **kwargs: Any) -> None:
    """Have what the admin writes down of a change in the account too: a receiver of ``post_save``.

    Of a change the names of the changed fields are kept.
    """
    if not kwargs.get("created"):
        return
    verb = {ADDITION: "create", CHANGE: "change"}.get(instance.action_flag, "destroy")
    model = instance.content_type.model_class() if instance.content_type else None
    name = model._meta.model_name if model else "object"
    subject = None
    if model is Workspace or hasattr(model, "workspace"):
        subject = model._default_manager.filter(pk=instance.object_id).first()  # type: ignore[union-attr]
    record_event(
        action=f"admin.{name}.{verb}",
        object_type=str(name),
        object_id=instance.object_id or "",
        workspace=subject
        if isinstance(subject, Workspace)
        else getattr(subject, "workspace", None),
        actor=instance.user,
        details={"changed": _changed(instance.change_message)},
    )


def _changed(message: str) -> list[str]:
    try:
        parts = json.loads(message)
    except ValueError:
        return []
    changed = [
        field
        for part in parts
        if isinstance(part, dict)
        for what in part.values()
        for field in what.get("fields", ())
    ]
    return list(dict.fromkeys(changed))
