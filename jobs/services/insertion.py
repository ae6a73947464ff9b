"""Writing new jobs, past the ORM: through it a row takes as long again, for nothing we need.

No signal is sent for a row.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg.adapt import Dumper

from jobs.models import Job
from jobs.services.requests import JobRow

_FIELDS: list[Any] = [Job._meta.get_field(name) for name in JobRow._fields]
_COLUMNS = ", ".join(field.column for field in _FIELDS)
_ARRAYS = ", ".join(f"%s::{field.cast_db_type(connection)}[]" for field in _FIELDS)

_COPY = f"COPY processing_jobs ({_COLUMNS}) FROM STDIN"
_INSERT_ONE = (
    f"INSERT INTO processing_jobs ({_COLUMNS}) "  # noqa: S608  our own names
    f"VALUES ({', '.join('%s' for _ in _FIELDS)}) "
    "ON CONFLICT DO NOTHING"
)
_INSERT = (
    f"INSERT INTO processing_jobs ({_COLUMNS}) "  # noqa: S608  our own names
    f"SELECT * FROM unnest({_ARRAYS}) "
    "ON CONFLICT DO NOTHING RETURNING id"
)
_INSERT_DEPENDENCIES = (
    "INSERT INTO job_dependencies (job_id, depends_on_id) SELECT %s, unnest(%s::uuid[])"
)


class _MomentDumper(Dumper):
    """Writes times, of which the rows of one bulk have few: they took a third of all it takes."""

    @staticmethod
    @lru_cache
    def dump(moment: datetime) -> bytes:
        return str(moment).encode()


def copy_rows(rows: Iterable[JobRow]) -> None:
    """Insert rows that nothing can stand in the way of, each as soon as it comes.

    So the database inserts the first while the last are still being made. PostgreSQL copies into
    no table whose rows have policies; there they are inserted together.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_security_active('processing_jobs')")
        if cursor.fetchone() == (True,):
            insert_rows(list(rows))
            return
        cursor.adapters.register_dumper(datetime, _MomentDumper)
        with connection.wrap_database_errors, cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row(row)


def insert_row(row: JobRow) -> bool:
    """Insert a row; return whether it is there: not when another job has one of its keys."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_ONE, row)
        return bool(cursor.rowcount)


def insert_rows(rows: Sequence[JobRow]) -> set[UUID]:
    """Insert the rows whose keys no other job has; return the ids of those.

    In the order of their keys, so that two that insert the same never wait for each other.
    """
    rows = sorted(rows, key=lambda row: (row.idempotency_key or "", row.unique_key or ""))
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])
        return {pk for (pk,) in cursor.fetchall()}


def insert_dependencies(job_id: UUID, depends_on: Collection[UUID]) -> None:
    """Have a job follow others."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_DEPENDENCIES, [job_id, list(depends_on)])
