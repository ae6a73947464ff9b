"""Tables as large as one likes behind the lists of the admin: a chain of runs, and what is told.

Each row of ``recordings`` has a transcript, a run, a chunk, a document and so on, of the same
age; one in a hundred failed, and all of these are old. A hundredth belongs to a small workspace.
"""

from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models.fields import NOT_PROVIDED
from django.utils import timezone

from processing.models import (
    AuditEvent,
    ChunkTask,
    Document,
    ProcessingTask,
    Question,
    Recording,
    Transcript,
    Translation,
    Webhook,
    WebhookDelivery,
    Workspace,
)

SMALL, LARGE = UUID(int=1), UUID(int=2)

#: Those that refer to others come before these.
FILLED: list[type[models.Model]] = [
    WebhookDelivery,
    Translation,
    Question,
    AuditEvent,
    Document,
    ChunkTask,
    ProcessingTask,
    Transcript,
    Recording,
]

#: Random, or in the order of time, as the ids of the models are.
RANDOM_ID = "md5(n::text)::uuid"
ID_IN_ORDER = (
    "(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008'"
    " || lpad(to_hex(n), 15, '0'))::uuid"
)
TERMINAL = "CASE WHEN has_failed THEN 'FAILED' ELSE 'COMPLETED' END"
OF_ALL: dict[str, str] = {
    "id": ID_IN_ORDER,
    "workspace_id": f"CASE WHEN n %% 100 = 0 THEN '{SMALL}' ELSE '{LARGE}' END::uuid",
    "created_at": "at",
    "completed_at": "at",
    "status": TERMINAL,
    "queue_name": "'chunks'",
    "name": "CASE WHEN n %% 20 = 0 THEN 'board ' ELSE 'meeting ' END || n",
    "title": "CASE WHEN n %% 20 = 0 THEN 'board ' ELSE 'meeting ' END || n",
    "text": "'meeting ' || n",
    "engine": "CASE WHEN n %% 1000 = 1 THEN 'rare' ELSE 'sphinx' END",
    "language": "CASE WHEN n %% 1000 = 1 THEN 'de' ELSE 'en' END",
    "size_bytes": "1",
    "recording_id": RANDOM_ID,
    "transcript_id": RANDOM_ID,
    "processing_id": RANDOM_ID,
    "document_id": ID_IN_ORDER,
    "webhook_id": f"CASE WHEN n %% 100 = 0 THEN '{SMALL}' ELSE '{LARGE}' END::uuid",
    "message_id": ID_IN_ORDER,
}
OF_ONE: dict[type[models.Model], dict[str, str]] = {
    Recording: {"id": RANDOM_ID, "sha256": "md5(n::text) || md5(n::text)"},
    Transcript: {"id": RANDOM_ID, "cache_key": "n::text", "text": "''"},
    ProcessingTask: {"id": RANDOM_ID},
    ChunkTask: {
        "end_sample": "16000",
        "core_end_sample": "16000",
        "result": "CASE WHEN has_failed THEN NULL ELSE '{}'::jsonb END",
    },
    Document: {
        "kind": "'TRANSCRIPT'",
        "text": "''",
        "status": "CASE WHEN has_failed THEN 'FAILED' ELSE 'READY' END",
    },
    AuditEvent: {"object_id": "n::text", "object_type": "'job'", "action": "'job.cancel'"},
    WebhookDelivery: {"event": "'ping'"},
}


def fill(count: int) -> None:
    """Fill the tables with ``count`` rows each, a second apart; ``empty`` undoes it."""
    now = timezone.now()  # one for all: ids are made of it
    workspaces = [
        Workspace(pk=SMALL, name="Small", slug="small"),
        Workspace(pk=LARGE, name="Large", slug="large"),
    ]
    Workspace.objects.bulk_create(workspaces)
    Webhook.objects.bulk_create(
        Webhook(pk=pk, workspace_id=pk, url="https://hooks.example.org/", events=["ping"])
        for pk in (SMALL, LARGE)
    )
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no triggers
        for model in reversed(FILLED):
            columns = _columns(model)
            cursor.execute(
                f"INSERT INTO {model._meta.db_table} ({', '.join(columns)})"  # noqa: S608  our own names
                f" SELECT {', '.join(columns.values())} FROM (SELECT n,"
                " %(now)s - (%(count)s - n) * interval '1 second' AS at,"
                " n %% 100 = 50 AND n < %(count)s / 2 AS has_failed"
                " FROM generate_series(1, %(count)s) AS n) AS row",
                {"count": count, "now": now},
            )
        cursor.execute("RESET session_replication_role")
        cursor.execute(f"VACUUM (ANALYZE) {', '.join(tables())}, workspaces, webhooks")


def empty() -> None:
    """Undo what ``fill`` has done."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables())} CASCADE")
        cursor.execute(f"ANALYZE {', '.join(tables())}")
    Webhook.objects.filter(workspace__in=[SMALL, LARGE]).delete()
    Workspace.objects.filter(pk__in=[SMALL, LARGE]).delete()


def tables() -> list[str]:
    return [model._meta.db_table for model in FILLED]


def _columns(model: type[models.Model]) -> dict[str, str]:
    known = OF_ALL | OF_ONE.get(model, {})
    return {
        str(field.column): known.get(str(field.column)) or _empty(field)
        for field in model._meta.concrete_fields
        if str(field.column) in known or not _is_filled_anyway(field)
    }


def _is_filled_anyway(field: Any) -> bool:
    return field.null or field.db_default is not NOT_PROVIDED or field.generated


def _empty(field: Any) -> str:
    if isinstance(field, ArrayField):
        return "'{}'"
    if isinstance(field, models.JSONField):
        return "'{}'" if field.default is dict else "'[]'"
    if isinstance(field, models.BooleanField):
        return "false"
    if isinstance(field, models.DateTimeField):
        return "at"
    if isinstance(field, models.PositiveSmallIntegerField) and field.choices:
        return str(int(field.default))
    numbers = (models.IntegerField, models.FloatField)
    return str(int(field.has_default() and field.default)) if isinstance(field, numbers) else "''"
