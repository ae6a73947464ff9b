"""What a worker does while the database is away: it waits, for as long as its lease may last."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How long to wait between attempts to reach a database that is away.
RECONNECT_SECONDS = 0.5


class DatabaseIsAway(Exception):
    """What became of a row could not be recorded."""


def recorded(record: Callable[[], T]) -> T:
    """Return what ``record`` returns, trying again while the database is away.

    It is fenced by attempt, so that a record made twice is refused the second time. Raises
    ``DatabaseIsAway`` when that lasts longer than a lease.
    """
    deadline = time.monotonic() + settings.LEASE_SECONDS
    while True:
        try:
            return record()
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block or time.monotonic() > deadline:
                raise DatabaseIsAway(str(error)) from error
            logger.warning("the database is away: %s", error)
            connection.close()
            time.sleep(RECONNECT_SECONDS)
