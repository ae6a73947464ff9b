"""What a worker does when its doorbell rings."""

import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from jobs import handlers
from jobs.exceptions import InLine, PermanentError, Postponed, QuotaExceeded, TransientError
from jobs.handlers import WorkSource
from jobs.managers.work import EXPIRED
from jobs.models import Work, Worker
from jobs.services.batch import Pace
from jobs.services.drain import Drain
from jobs.services.outage import DatabaseIsAway, recorded
from jobs.services.retry import RetryHandler

logger = logging.getLogger(__name__)

#: Work that could not begin for so long fails for the reason that it was postponed for.
MAX_POSTPONED = timedelta(hours=24)


class JobRunner:
    """Claims ready work for one worker and runs it; the only place that judges its errors.

    Quick rows are claimed and recorded in batches; each still fails alone.
    """

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
        self.count = 0
        self.drained_at = -math.inf
        self._paces: defaultdict[str, Pace] = defaultdict(Pace)

    def drain(self, queue_name: str) -> int:
        """Run ready work of a queue until none is left or the slice is over; return how many.

        Rings the queue again when it leaves ready work behind or sees more than it can take,
        so that one ring wakes as many workers as there is work for.
        """
        before = self.count
        drain = Drain(self, queue_name)
        if drain.source.threads > 1:
            drain.with_threads()
        else:
            drain.one_by_one()
        self.drained_at = time.monotonic()
        return self.count - before

    def run(self, source: WorkSource, work: Work) -> dict[str, Any] | None:
        """Do one claimed row; return its results, or None when it failed, which is recorded.

        While the database is away the record waits for it, for as long as a lease; after that
        its error is raised, the worker ends and its supervisor gives the row to another.
        """
        self.count += 1
        objects = source.model.objects
        try:
            if work.expires_at is not None and work.expires_at <= timezone.now():
                raise _Expired("not done before it expired")
            return source.run(work)
        except PermanentError as error:
            logger.warning("%s failed for good: %s", work, error)
            code, message = error.code, _storable(str(error))
            recorded(lambda: objects.fail(work, code=code, message=message))
        except Postponed as error:
            self._postpone_or_fail(source, work, error)
        except DatabaseIsAway:
            raise
        except Exception as error:  # noqa: BLE001  the judge of every handler's errors
            self._retry_or_fail(source, work, error)
        return None

    def complete(self, source: WorkSource, works: Sequence[Work], results: Collection[str]) -> None:
        """Record rows with their ``results`` and what follows from them, together; when that
        fails each by itself, for a failure is the row's own."""
        try:
            accepted = recorded(lambda: source.model.objects.complete_all(works, results))
        except DatabaseIsAway:
            raise
        except Exception as error:  # noqa: BLE001  what follows is the handler's code too
            if len(works) == 1:
                self._retry_or_fail(source, works[0], error)
                return
            for work in works:
                self.complete(source, [work], results)
        else:
            self.refuse(works, accepted)

    def refuse(self, done: Sequence[Work], accepted: Sequence[Work]) -> None:
        """Say which rows were cancelled, or are somebody else's, since their worker began them."""
        if len(accepted) < len(done):
            for work in set(done) - set(accepted):
                logger.warning("the result of %s came too late and was refused", work)

    def has_others(self, queue_name: str) -> bool:
        """Whether another queue of this worker than ``queue_name`` has ready work."""
        names = set(self.worker.queues) - {queue_name}
        others = {name: handlers.source_of(name).model.objects.ready() for name in names}
        return any(ready.on_queue(name).exists() for name, ready in others.items())

    def pace_of(self, queue_name: str) -> Pace:
        """Return what was learned of how long a queue's rows take."""
        return self._paces[queue_name]

    def _postpone_or_fail(self, source: WorkSource, work: Work, error: Postponed) -> None:
        objects = source.model.objects
        code, message = error.code, _storable(str(error))
        delay = max(error.seconds, 0.0)
        age = timezone.now() - work.created_at
        has_waited_long = age > MAX_POSTPONED and not isinstance(error, InLine)
        if _is_expired_in(work, delay) or has_waited_long:
            logger.error("%s failed: %s", work, message)
            recorded(lambda: objects.fail(work, code=code, message=message))
            return
        logger.info("%s is postponed by %.1f s: %s", work, delay, message)
        recorded(lambda: objects.postpone(work, delay_seconds=delay, code=code, message=message))

    def _retry_or_fail(self, source: WorkSource, work: Work, error: Exception) -> None:
        objects = source.model.objects
        code, message, retry_after = "error", f"{type(error).__name__}: {error}", None
        if isinstance(error, TransientError):
            code, message, retry_after = error.code, str(error), error.retry_after_seconds
        if isinstance(error, QuotaExceeded) and retry_after is None:
            retry_after = self.retry_handler.cap_seconds
        message = _storable(message)
        delay = self.retry_handler.delay_seconds(work.attempt, retry_after_seconds=retry_after)
        if work.attempt >= work.max_attempts:
            logger.error("%s failed after %d attempts: %s", work, work.attempt, message)
        elif _is_expired_in(work, delay):
            message += f" (it expires before the next attempt in {delay:.0f} s)"
            logger.error("%s failed: %s", work, message)
        else:
            logger.warning("%s failed, next attempt in %.1f s: %s", work, delay, message)
            recorded(lambda: objects.retry(work, delay_seconds=delay, code=code, message=message))
            return
        recorded(lambda: objects.fail(work, code=code, message=message))


class _Expired(PermanentError):
    code = EXPIRED


def _is_expired_in(work: Work, seconds: float) -> bool:
    then = timezone.now() + timedelta(seconds=seconds)
    return work.expires_at is not None and work.expires_at <= then


def _storable(message: str) -> str:
    """Return a message without the one character that PostgreSQL's text cannot hold."""
    return message.replace("\0", "\N{REPLACEMENT CHARACTER}")
