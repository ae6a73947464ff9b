"""Servers for the suite, and a clean corner of them for each test."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection, transaction

from caching.hierarchy import forget_hierarchies, hierarchies
from config import embedded

#: What Django adds to the parameters of a connection for itself.
PARAMETERS_OF_DJANGO = ("cursor_factory", "context", "prepare_threshold")


def pytest_configure() -> None:
    try:
        embedded.hold()
    except embedded.EmbeddedServerError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.INTERNAL_ERROR)


#: From so many rows on a table is emptied faster than its rows are deleted.
MANY_ROWS = 200

#: Tables that no test writes to.
MADE_BY_MIGRATING = ("django_content_type", "auth_permission")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Connect anew once the database is migrated: what that sets on it holds from then on."""
    with django_db_blocker.unblock():
        connection.close()
        _delete_instead_of_truncating()


def _delete_instead_of_truncating() -> None:
    """Have what a test has committed deleted after it: to truncate all tables takes 120 ms,
    however few rows they have, and to delete these takes 5.

    What migrating has made for all tests stays: to make it again takes 40 ms.
    """
    truncating = connection.ops.sql_flush

    def sql_flush(style: Any, tables: Sequence[str], **options: Any) -> list[str]:
        tables = [table for table in tables if table not in MADE_BY_MIGRATING]
        counts = " UNION ALL ".join(
            f"SELECT '{table}', count(*) FROM (SELECT FROM \"{table}\" LIMIT {MANY_ROWS}) AS rows"  # noqa: S608  our own names
            for table in tables
        )
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(counts)
            count_of = dict(cursor.fetchall())
            if max(count_of.values()) == MANY_ROWS:
                statements = truncating(style, tables, **options)
            else:
                statements = [f'DELETE FROM "{table}"' for table in tables if count_of[table]]  # noqa: S608
            for statement in statements:
                cursor.execute(statement)
        return []  # or the command would go on to make what migrating makes

    connection.ops.sql_flush = sql_flush  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def redis_connection() -> Iterator["redis.Redis"]:
    """Redis, at the database that this test process has to itself."""
    with redis.Redis.from_url(settings.REDIS_URL) as connection:
        yield connection


@pytest.fixture(autouse=True)
def _empty_redis(redis_connection: "redis.Redis") -> None:
    redis_connection.flushdb()


@pytest.fixture(autouse=True)
def _empty_cache(django_db_setup: None) -> Iterator[None]:
    """Leave nothing in the cache, whose connections are its own: no transaction undoes them."""
    yield
    if hierarchies():
        forget_hierarchies()
        with psycopg.connect(**_parameters(), autocommit=True) as database:
            for table in ("cache_entries", "cache_tags", "cache_repairs", "cache_counters"):
                database.execute(f"DELETE FROM {table}")  # noqa: S608  our own names


def _parameters() -> dict[str, Any]:
    parameters = connection.get_connection_params()
    return {name: parameters[name] for name in parameters if name not in PARAMETERS_OF_DJANGO}


@pytest.fixture(scope="session", autouse=True)
def _media_root() -> Iterator[Path]:
    shutil.rmtree(settings.MEDIA_ROOT, ignore_errors=True)
    Path(settings.FILE_UPLOAD_TEMP_DIR).mkdir(parents=True)
    yield settings.MEDIA_ROOT
    shutil.rmtree(settings.MEDIA_ROOT)


@pytest.fixture
def stored_files() -> Callable[[], set[Path]]:
    """Tell which files the media root holds, temporary ones included."""
    return lambda: {path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()}


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: whatever it lacked was to be installed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
