"""The two changes that happen to every row, in SQL.

Through the ORM each is two statements, because Django 5.2 has no RETURNING for updates, and
putting them into words takes longer than doing them: together 3.2 ms of a processor for one
row, and 1.8 ms as they stand here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection, models

from jobs.choices import TRANSITIONS, JobStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What a claim does not read: these cost as much as all other columns of a row, and nobody runs
#: a row by them. Who asks a claimed row for one has it fetched then.
#: ``created_at`` is read: many are completed in its order, and some may be deleted by then.
TIMES = ("available_at", "due_by", "started_at", "lease_expires_at", "completed_at")


def claim(model: type[models.Model], candidates: str) -> str:
    """Return the claim of what the query ``candidates`` selects.

    Its parameters are those of the query, then a worker and the seconds of its lease. Work that
    has crashed a worker is the first of its claim, and then the only one. ``place`` is the order.
    """
    columns = [field.column for field in model._meta.concrete_fields if field.name not in TIMES]
    return _CLAIM.format(
        table=model._meta.db_table,
        candidates=candidates,
        columns=", ".join(f"work.{column}" for column in columns),
    )


def complete_all(model: type[models.Model], results: Sequence[models.Field[Any, Any]]) -> str:
    """Return the completion of claims; its parameters are arrays of their ids, their attempts
    and what each has of ``results``.

    It returns the ids and attempts of those that are current, and the moment.
    """
    columns = [field.column for field in results]
    return _COMPLETE_ALL.format(
        table=model._meta.db_table,
        arrays="".join(f", %s::{field.db_type(connection)}[]" for field in results),
        names="".join(f", {column}" for column in columns),
        values="".join(f", claim.{column}" for column in columns),
        changes="".join(f",\n    {column} = current.{column}" for column in columns),
    )


_CLAIM = f"""
WITH candidate AS MATERIALIZED ({{candidates}}),
ranked AS (
    SELECT id,
        row_number() OVER earlier AS place,
        count(*) FILTER (WHERE crash_count > 0) OVER earlier AS suspects
    FROM candidate
    WINDOW earlier AS (ORDER BY due_by, id)
)
UPDATE {{table}} AS work
SET status = '{TRANSITIONS["claim"][1]}',
    worker_id = %s,
    attempt = attempt + 1,
    started_at = statement_timestamp(),
    lease_expires_at = statement_timestamp() + make_interval(secs => %s)
FROM ranked
WHERE work.id = ranked.id AND (place = 1 OR suspects = 0)
RETURNING {{columns}}, place
"""  # noqa: S608  our own words

#: Locked in the order of all who lock many rows: an update alone takes them as its plan has it.
_COMPLETE_ALL = f"""
WITH current AS MATERIALIZED (
    SELECT work.id{{values}}
    FROM {{table}} AS work
    JOIN unnest(%s::uuid[], %s::integer[]{{arrays}}) AS claim (id, attempt{{names}})
        ON work.id = claim.id AND work.attempt = claim.attempt
    WHERE work.status = '{JobStatus.PROCESSING}'
    ORDER BY work.created_at, work.id
    FOR NO KEY UPDATE OF work
)
UPDATE {{table}} AS work
SET status = '{TRANSITIONS["complete"][1]}',
    completed_at = statement_timestamp(),
    lease_expires_at = NULL,
    error_code = '',
    error_message = ''{{changes}}
FROM current
WHERE work.id = current.id
RETURNING work.id, work.attempt, work.completed_at
"""  # noqa: S608  our own words
