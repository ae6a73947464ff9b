"""Sessions of a frozen or unreachable host must not hold their row locks for hours.

Such a host may stop between two statements of a transaction. PostgreSQL would keep what it has
locked until TCP gives up (2 hours by default), and every run it touched would wait. All our
transactions are a few quick statements; none is idle for seconds. The timeout is set on the
database, because a setting of the session is not safe behind a transaction-pooling proxy.
"""

from django.db import migrations

SET_TIMEOUT = """
DO $$ BEGIN
    EXECUTE format(
        'ALTER DATABASE %I SET idle_in_transaction_session_timeout = %L', current_database(), '10s'
    );
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'not the owner of this database: set idle_in_transaction_session_timeout to 10s';
END $$
"""

RESET_TIMEOUT = """
DO $$ BEGIN
    EXECUTE format(
        'ALTER DATABASE %I RESET idle_in_transaction_session_timeout', current_database()
    );
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial")]

    operations = [migrations.RunSQL(SET_TIMEOUT, RESET_TIMEOUT)]
