"""Recordings, transcripts, runs and jobs by the million, in one workspace; and a key to it."""

from dataclasses import dataclass
from uuid import UUID

import psycopg
from django.contrib.auth.models import User
from django.db import connection
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from processing.choices import Role, Scope
from processing.models import Membership, Workspace
from processing.workspaces.keys import issue_key

#: One of so many runs and jobs has failed, and one of so many recordings is called otherwise.
RARE = 25

TABLES = ("recordings", "transcripts", "processing_tasks", "processing_jobs")

#: Rows are as old as their number is low, a second each.
_ROWS = (
    """
    INSERT INTO recordings (
        id, workspace_id, name, file, sha256, size_bytes, container, codec, sample_rate, channels,
        duration_seconds, created_at
    )
    SELECT md5('recording' || n)::uuid, %(workspace)s,
        CASE WHEN n %% %(rare)s = 0 THEN 'board meeting ' ELSE 'interview ' END || n || '.wav',
        'recordings/' || n, md5('a' || n) || md5('b' || n), 1000000 + n, 'wav', 'pcm_s16le', 16000,
        1, 60 + n %% 3600, timestamptz '2025-01-01' + n * interval '1 second'
    FROM generate_series(%(first)s, %(last)s) AS n
    """,
    """
    INSERT INTO transcripts (
        id, workspace_id, recording_id, engine, language, parameters, cache_key, text, segments,
        gaps, seams, heard_language, duration_seconds, status, created_at
    )
    SELECT md5('transcript' || n)::uuid, %(workspace)s, md5('recording' || n)::uuid, 'sphinx', 'en',
        '{}', 'transcript:' || md5('c' || n) || md5('d' || n), '', '[]', '[]', '[]', '', 60,
        CASE WHEN n %% %(rare)s = 0 THEN 'FAILED' ELSE 'COMPLETED' END,
        timestamptz '2025-01-01' + n * interval '1 second'
    FROM generate_series(%(first)s, %(last)s) AS n
    """,
    """
    INSERT INTO processing_tasks (
        id, transcript_id, status, priority, completed_chunks, failed_chunks, done_samples,
        error_code, error_message, created_at, started_at, completed_at
    )
    SELECT md5('run' || n)::uuid, md5('transcript' || n)::uuid,
        CASE WHEN n %% %(rare)s = 0 THEN 'FAILED' ELSE 'COMPLETED' END, 20, 0, 0, 0,
        CASE WHEN n %% %(rare)s = 0 THEN 'unreadable_audio' ELSE '' END, '', at, at, at
    FROM generate_series(%(first)s, %(last)s) AS n,
        LATERAL (SELECT timestamptz '2025-01-01' + n * interval '1 second') AS moment (at)
    """,
    """
    INSERT INTO processing_jobs (
        id, queue_name, status, available_at, due_by, attempt, error_code, created_at, started_at,
        completed_at, job_type, payload, subject_id, workspace_id
    )
    SELECT md5('job' || n)::uuid, 'transcription',
        CASE WHEN n %% %(rare)s = 0 THEN 'FAILED' ELSE 'COMPLETED' END, at, at, 1, '', at, at, at,
        'TRANSCRIPTION', '{}', md5('transcript' || n)::uuid, %(workspace)s
    FROM generate_series(%(first)s, %(last)s) AS n,
        LATERAL (SELECT timestamptz '2025-01-01' + n * interval '1 second') AS moment (at)
    """,
)
_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = ANY (%s::regclass[]) AND NOT indisunique
"""


@dataclass(frozen=True)
class Corpus:
    """The workspace that all rows are of, and a key that may do everything in it."""

    workspace_id: UUID
    token: str


def new_corpus() -> Corpus:
    user = User.objects.create(username="bench")
    workspace = Workspace.objects.create(name="bench", slug="bench")
    Membership.objects.create(user=user, workspace=workspace, role=Role.MANAGER)
    _, token = issue_key(workspace=workspace, user=user, name="bench", scopes=Scope.values)
    return Corpus(workspace.pk, token)


def write_rows(corpus: Corpus, first: int, last: int) -> None:
    """Write the rows of these numbers to each table.

    Nothing checks that what they name exists, and indexes are made afterwards: both would take
    longer than all else.
    """
    parameters: dict[str, UUID | int] = {
        "workspace": corpus.workspace_id,
        "first": first,
        "last": last,
        "rare": RARE,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; SET maintenance_work_mem = '512MB'")
        cursor.execute(_INDEXES, [list(TABLES)])
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        for statement in _ROWS:
            cursor.execute(statement, parameters)
        for _, create in indexes:
            cursor.execute(create)
        for table in TABLES:
            cursor.execute(f"VACUUM (ANALYZE) {table}")
        cursor.execute("CHECKPOINT; RESET ALL")


def copy_database(name: str) -> None:
    """Make another database of what is in ours."""
    ours = connection.settings_dict["NAME"]
    connection.close()
    with psycopg.connect(address("postgres"), autocommit=True) as server:
        statement = SQL("CREATE DATABASE {} TEMPLATE {}")
        server.execute(statement.format(Identifier(name), Identifier(ours)))


def address(database: str = "") -> str:
    """Return the URL of our database, or of another one on its server."""
    settings = connection.settings_dict
    return make_conninfo(
        dbname=database or settings["NAME"],
        user=settings["USER"] or None,
        password=settings["PASSWORD"] or None,
        host=settings["HOST"] or None,
        port=settings["PORT"] or None,
    )
