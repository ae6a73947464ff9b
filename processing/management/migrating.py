"""Bringing the database up to date, by whoever comes first."""

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

#: Key of the advisory lock that lets one process migrate; any constant no one else uses.
MIGRATION_LOCK = 0x6D696772


def ensure_migrated() -> None:
    """Migrate the database unless it is up to date; processes that race take turns."""
    if _is_up_to_date():
        return
    # Held by a transaction on a connection of its own: the lock ends with the process, and is
    # safe behind a transaction-pooling proxy.
    lock = connection.copy()
    try:
        lock.set_autocommit(False)
        with lock.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        if not _is_up_to_date():
            call_command("migrate", verbosity=0, interactive=False)
        lock.rollback()
    finally:
        lock.close()


def _is_up_to_date() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
