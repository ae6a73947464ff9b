"""What the database itself is told to do."""

import pytest
from django.db import connection


@pytest.mark.django_db
def test_a_session_that_stops_inside_a_transaction_loses_its_locks_after_ten_seconds() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setconfig FROM pg_db_role_setting JOIN pg_database d "
            "ON d.oid = setdatabase WHERE datname = current_database()"
        )
        [[settings]] = cursor.fetchall()

    assert "idle_in_transaction_session_timeout=10s" in settings
