"""What a worker does when its doorbell rings."""

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from jobs import handlers, queues
from jobs.exceptions import PermanentError, TransientError
from jobs.models import Work, Worker
from jobs.services.retry import RetryHandler

logger = logging.getLogger(__name__)

#: After this long on one queue a worker looks at its other queues again.
SLICE_SECONDS = 5.0


#: How long to wait between attempts to reach a database that is away.
RECONNECT_SECONDS = 0.5


class DatabaseIsAway(Exception):
    """What became of a row could not be recorded."""


class JobRunner:
    """Claims ready work for one worker and runs it; the only place that judges its errors."""

    def __init__(
        self,
        *,
        worker: Worker,
        is_stopping: Callable[[], bool] = lambda: False,
        retry_handler: RetryHandler | None = None,
    ) -> None:
        self.worker = worker
        self.is_stopping = is_stopping
        self.retry_handler = retry_handler or RetryHandler()

    def drain(self, queue_name: str) -> int:
        """Run ready work of a queue until none is left or the slice is over; return how many.

        Rings the queue again whenever it leaves ready work behind, so that one ring wakes as
        many workers as there is work for.
        """
        source = handlers.source_of(queue_name)
        started = time.monotonic()
        count = 0
        while not self.is_stopping():
            close_old_connections()
            ready = source.model.objects.ready().on_queue(queue_name)
            if count and time.monotonic() - started > SLICE_SECONDS:
                if ready.exists():
                    queues.ring(queue_name)
                break
            claimed = source.model.objects.claim(queue_name=queue_name, worker=self.worker)
            if not claimed:
                break
            if ready.exists():
                queues.ring(queue_name)
            self.run(source, claimed[0])
            count += 1
        return count

    def run(self, source: handlers.WorkSource, work: Work) -> bool:
        """Do one claimed row and record how it ended; True when its result was accepted.

        While the database is away the record waits for it, for as long as a lease; after that
        its error is raised, the worker ends and its supervisor gives the row to another.
        """
        objects = source.model.objects
        try:
            results = source.run(work)
            accepted = self._recorded(lambda: objects.complete(work, **results))
        except PermanentError as error:
            logger.warning("%s failed for good: %s", work, error)
            code, message = error.code, _storable(str(error))
            return self._recorded(lambda: objects.fail(work, code=code, message=message))
        except DatabaseIsAway:
            raise
        except Exception as error:  # noqa: BLE001  the judge of every handler's errors
            return self._retry_or_fail(source, work, error)
        if not accepted:
            logger.warning("the result of %s came too late and was refused", work)
        return accepted

    def _recorded(self, record: Callable[[], bool]) -> bool:
        """Return what ``record`` returns, trying again while the database is away.

        It is fenced by attempt, so that a record made twice is refused the second time.
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

    def _retry_or_fail(self, source: handlers.WorkSource, work: Work, error: Exception) -> bool:
        objects = source.model.objects
        if isinstance(error, TransientError):
            code, message, retry_after = error.code, str(error), error.retry_after_seconds
        else:
            code, message, retry_after = "error", f"{type(error).__name__}: {error}", None
        message = _storable(message)
        if work.attempt >= work.max_attempts:
            logger.error("%s failed after %d attempts: %s", work, work.attempt, message)
            return self._recorded(lambda: objects.fail(work, code=code, message=message))
        delay = self.retry_handler.delay_seconds(work.attempt, retry_after_seconds=retry_after)
        logger.warning("%s failed, next attempt in %.1f s: %s", work, delay, message)
        return self._recorded(
            lambda: objects.retry(work, delay_seconds=delay, code=code, message=message)
        )


def _storable(message: str) -> str:
    """Return a message without the one character that PostgreSQL's text cannot hold."""
    return message.replace("\0", "\N{REPLACEMENT CHARACTER}")
